"""Find questions of the dialogues that one persona fact answers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from personas.starter.spc import Conversation, read_conversations

_STOP = frozenset(
    (Path(__file__).parent / "templates/stop.txt").read_text(encoding="utf-8").split()
)
_CONTENT = re.compile(r"[a-z][a-z'-]{3,}")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
FEWEST_WORDS, MOST_WORDS = 3, 14
LONGEST = 90
MOST_ALIKE = 60
SHARED_WORDS, SHARED_SHARE = 2, 0.6


@dataclass(frozen=True, slots=True)
class Grounded:
    """A question that people asked, the fact it aims at and the reply they got."""

    question: str
    fact: str
    reply: str


def content_words(text: str) -> set[str]:
    """Return the lower-case words of a text that carry meaning, cut to five letters."""
    return {word[:5] for word in _CONTENT.findall(text.lower()) if word not in _STOP}


def _last_question(text: str) -> str | None:
    """Return the last sentence if it is a question of moderate length."""
    sentence = _SENTENCE.split(text.strip())[-1]
    fits = FEWEST_WORDS <= len(sentence.split()) <= MOST_WORDS
    usable = fits and sentence.endswith("?") and "[" not in sentence
    return sentence if usable and "about you" not in sentence.lower() else None


def _answer(question: str, reply: str, fact: str) -> Grounded | None:
    """Return the triple if the reply repeats the fact in its first sentence."""
    aim, first = content_words(fact), _SENTENCE.split(reply)[0]
    shared = len(aim & content_words(reply))
    if shared < max(SHARED_WORDS, SHARED_SHARE * len(aim)) or len(fact) > LONGEST:
        return None
    if not aim & content_words(first):
        return None
    clean = len(content_words(first) - aim) <= 1 and len(first) <= LONGEST
    return Grounded(question, fact, first if clean else fact)


def _pairs(conversation: Conversation) -> Iterator[Grounded]:
    """Yield the grounded pairs of one conversation."""
    messages = conversation.messages
    for (asker, text), (speaker, reply) in pairwise(messages):
        question = _last_question(text)
        if question is None or asker == speaker or "[" in reply:
            continue
        for fact in conversation.facts[speaker]:
            pair = _answer(question, reply, fact)
            if pair:
                yield pair


def _limited(pairs: Iterable[Grounded]) -> Iterator[Grounded]:
    """Yield pairs while questions with the same words aren't too many."""
    asked: Counter[str] = Counter()
    for pair in pairs:
        key = " ".join(sorted(content_words(pair.question)))
        asked[key] += 1
        if asked[key] <= MOST_ALIKE:
            yield pair


def grounded_pairs(data: Path, splits: tuple[str, ...]) -> list[Grounded]:
    """Return question-reply pairs of the dialogues whose reply repeats one persona fact."""
    found: dict[tuple[str, str], Grounded] = {}
    for conversation in read_conversations(data, splits):
        for pair in _pairs(conversation):
            found.setdefault((pair.question.lower(), pair.fact), pair)
    return list(_limited(found.values()))
