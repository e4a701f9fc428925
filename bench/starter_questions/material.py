"""The held-out material: personas, conversations and word lists, read and checked."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from bot.domain.persona import Example, Persona

FOLDER = Path(__file__).resolve().parent
CONVERSATIONS = ("conversations_1.toml", "conversations_2.toml")
Kind = Literal[
    "fact",
    "knowledge",
    "silent",
    "identity",
    "boundary",
    "greet",
    "thanks",
    "bye",
    "compliment",
    "example",
    "tell",
    "recall",
    "hostile",
]


@dataclass(frozen=True, slots=True)
class Question:
    """One message of a fan and what a good reply is.

    Attributes:
        want: phrases, normalised, one of which uses the fact.
        wrong: phrases, normalised, that contradict persona or fan.
        deny: the first word that would deny being an AI, for identity questions.
        say: the reference reply.
    """

    fan: str
    kind: Kind
    want: tuple[str, ...]
    wrong: tuple[str, ...]
    deny: str
    say: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """Several turns between one fan and one persona; `number` from 0, in the files' order."""

    number: int
    slug: str
    persona: Persona
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The word lists of rules.toml."""

    unknown: tuple[str, ...]
    refusal: tuple[str, ...]
    disclosure: tuple[str, ...]
    denial: tuple[str, ...]
    claims: frozenset[str]
    breaks: tuple[str, ...]
    everyday: frozenset[str]
    fit: dict[str, tuple[str, ...]]
    things: frozenset[str]
    neutral: frozenset[str]
    chat: frozenset[str]


@cache
def load_rules() -> Rules:
    """Return the grader's word lists."""
    data = _read("rules.toml")
    things = {word for words in data["things"].values() for word in words}
    plurals = {word + ending for word in things for ending in ("s", "es")}
    return Rules(
        unknown=tuple(data["unknown"]),
        refusal=tuple(data["refusal"]),
        disclosure=tuple(data["disclosure"]),
        denial=tuple(data["denial"]),
        claims=frozenset(data["claims"]),
        breaks=tuple(data["breaks"]),
        everyday=frozenset(data["everyday"]),
        fit={kind: tuple(words) for kind, words in data["fit"].items()},
        things=frozenset(things | plurals),
        neutral=frozenset(data["words"]["neutral"].split()),
        chat=frozenset(data["words"]["chat"].split()),
    )


def load_personas() -> dict[str, Persona]:
    """Return the held-out personas by their short names."""
    return {entry["id"]: _persona(entry) for entry in _read("personas.toml")["persona"]}


def load_conversations() -> tuple[Conversation, ...]:
    """Return the held-out conversations in the order of the files."""
    personas = load_personas()
    entries = [entry for name in CONVERSATIONS for entry in _read(name)["conversation"]]
    return tuple(
        Conversation(
            number=number,
            slug=entry["persona"],
            persona=personas[entry["persona"]],
            questions=tuple(_question(turn) for turn in entry["turns"]),
        )
        for number, entry in enumerate(entries)
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))


def _persona(entry: dict[str, Any]) -> Persona:
    return Persona(
        name=entry["name"],
        role=entry["role"],
        facts=tuple(entry["facts"]),
        off_limits=tuple(entry.get("off_limits", ())),
        examples=tuple(Example(one["fan"], one["twin"]) for one in entry.get("examples", ())),
    )


def _question(turn: dict[str, Any]) -> Question:
    unknown = turn.keys() - {"fan", "kind", "want", "wrong", "deny", "say", "repeat"}
    if unknown or turn["kind"] not in get_args(Kind):
        raise ValueError(f"a turn can't be read: {turn}")
    return Question(
        fan=turn["fan"] * turn.get("repeat", 1),
        kind=turn["kind"],
        want=tuple(turn.get("want", ())),
        wrong=tuple(turn.get("wrong", ())),
        deny=turn.get("deny", ""),
        say=turn["say"],
    )
