"""Read Synthetic-Persona-Chat and turn its conversations into persona chats."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from personas.starter.draws import chance
from personas.starter.prompt import Role, Turn, persona_text

FILE = "synthetic-persona-chat.jsonl.gz"
TRAIN_SPLITS = ("New-SPC", "SPC-train")
VALIDATION_SPLITS = ("SPC-valid",)
FEWEST_FACTS = 3
ROLES = (
    "a friendly creator",
    "a content creator",
    "a streamer who likes to chat",
    "a vlogger",
    "someone who loves to talk to fans",
    "a creator who shares everyday life",
)
_PLACEHOLDER = re.compile(r"\[[^\]]*\]")
_JOB = re.compile(r"^i(?: am|'m| m| work as) (an? [a-z ]{3,30})\.?$", re.IGNORECASE)
_ODD = re.compile(
    r"\b(hippo\w*|i am a? ?(dog|cat|horse|robot|ghost|alien)|\d{3,})\b", re.IGNORECASE
)
_CONTRACTIONS = (
    (re.compile(r"\bi\b"), "I"),
    (re.compile(r"\b(I|i) m\b"), "I'm"),
    (re.compile(r"\b(I|i) ve\b"), "I've"),
    (re.compile(r"\b(I|i) ll\b"), "I'll"),
    (re.compile(r"\b(don|doesn|didn|isn|can|won|wasn|couldn|haven) t\b"), r"\1't"),
    (re.compile(r"\s+([.,!?])"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class Names:
    """First and last names to draw from."""

    first: list[str]
    last: list[str]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation between two personas."""

    facts: tuple[tuple[str, ...], tuple[str, ...]]
    messages: tuple[tuple[int, str], ...]


def tidy_fact(fact: str) -> str:
    """Repair the spelling of a fact (missing apostrophes, capital, full stop)."""
    text = fact.strip()
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def read_conversations(data: Path, splits: tuple[str, ...]) -> Iterator[Conversation]:
    """Yield the conversations of the named splits in file order."""
    with gzip.open(data / FILE, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            if row["split"] in splits:
                yield Conversation(
                    facts=(
                        tuple(tidy_fact(fact) for fact in row["p1"] if not _ODD.search(fact)),
                        tuple(tidy_fact(fact) for fact in row["p2"] if not _ODD.search(fact)),
                    ),
                    messages=tuple((speaker - 1, text.strip()) for speaker, text in row["m"]),
                )


def read_facts(data: Path, splits: tuple[str, ...]) -> list[str]:
    """Return the distinct facts of medium length, sorted."""
    found = {
        fact
        for conversation in read_conversations(data, splits)
        for side in conversation.facts
        for fact in side
    }
    shortest, longest = 18, 90
    return sorted(fact for fact in found if shortest <= len(fact) <= longest)


def _fill(
    text: str, names: tuple[str, str, str], pool: list[str], rng: random.Random
) -> str | None:
    """Replace placeholders by the names of user 1, user 2, the speaker; None if others remain."""

    def replace(match: re.Match[str]) -> str:
        inner = match[0].lower()
        if "1" in inner:
            return names[0]
        if "2" in inner:
            return names[1]
        if inner in {"[name]", "[your name]", "[my name]", "[user's name]"}:
            return names[2]
        return rng.choice(pool) if "name" in inner else "[]"

    filled = _PLACEHOLDER.sub(replace, text)
    return None if "[" in filled else filled


def persona_chat(
    conversation: Conversation,
    twin: int,
    turns: int,
    names: Names,
    rng: random.Random,
) -> list[Turn] | None:
    """Return a window of a conversation with one speaker as the twin, or None if unusable."""
    first, other = rng.sample(names.first, 2)
    pair = (first, other) if twin == 0 else (other, first)
    facts = list(conversation.facts[twin])
    if len(facts) < FEWEST_FACTS:
        return None
    rng.shuffle(facts)
    jobs = [match[1].lower() for fact in facts if (match := _JOB.match(fact))]
    role = jobs[0] if jobs else rng.choice(ROLES)
    name = f"{first} {rng.choice(names.last)}" if chance(rng, 0.7) else first
    chat = [Turn("system", persona_text(name, role, facts[:10]))]
    latest = max(1, len(conversation.messages) - turns)
    start = 0 if chance(rng, 0.6) else rng.randrange(0, latest)
    window = list(conversation.messages[start : start + turns + 2])
    while window and window[0][0] == twin:
        window.pop(0)
    for speaker, text in window[:turns]:
        filled = _fill(text, (*pair, pair[speaker]), names.first, rng)
        role_name: Role = "assistant" if speaker == twin else "user"
        if filled is None or chat[-1].role == role_name:
            break
        chat.append(Turn(role_name, filled))
    if chat[-1].role == "user":
        chat.pop()
    return chat if chat[-1].role == "assistant" else None
