"""Fixed answers: rules that look at a message before anything is generated (formats.md 5.2).

A rule is a function of the message text alone, so that a verifier applies it too: a reply that the
rule should have given, and one that it should not, are both seen. The list of a rule never
changes; another list is another rule. The same list stands in docs/spec/rules.json.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from bot.crypto.errors import FormatError

_WORD = re.compile(r"[a-z]+")
_APOSTROPHES = str.maketrans("", "", "'\u2019")
_CAPITALS = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})
Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        id: the name that manifests and receipts give.
        phrases: word sequences that make it apply.
        exceptions: word sequences; a phrase within one of them does not count.
        text: the fixed answer.
    """

    id: str
    phrases: tuple[str, ...]
    exceptions: tuple[str, ...]
    text: str

    def applies(self, message: str) -> bool:
        """Whether a phrase stands in the message outside of every exception."""
        words = split_words(message)
        spared = _reach(words, self.exceptions)
        return any(
            spared[start] < stop
            for phrase in self.phrases
            for start, stop in _places(words, phrase)
        )


CRISIS = Rule(
    id="crisis/1",
    phrases=(
        "kill myself",
        "killing myself",
        "end my life",
        "ending my life",
        "take my own life",
        "taking my own life",
        "take my life",
        "want to die",
        "wanna die",
        "wish i was dead",
        "wish i were dead",
        "better off dead",
        "suicide",
        "suicidal",
        "hurt myself",
        "hurting myself",
        "harm myself",
        "harming myself",
        "cut myself",
        "cutting myself",
        "self harm",
        "self harming",
        "dont want to live",
        "do not want to live",
        "dont want to be alive",
        "do not want to be alive",
        "no reason to live",
    ),
    exceptions=(
        "suicide squad",
        "kill myself laughing",
        "killing myself laughing",
        "want to die laughing",
        "hurt myself laughing",
        "cut myself shaving",
        "cut myself a slice",
        "cut myself a piece",
        "cut myself some slack",
        "cutting myself some slack",
    ),
    text=(
        "I'm an AI, and what you wrote worries me. Please talk to a person now. If you are in "
        "danger, call your local emergency number (112 in Europe, 911 in the US and Canada, 999 in "
        "the UK). In the US and Canada you can call or text 988 at any hour; findahelpline.com "
        "lists free, confidential lines in other countries. You don't have to go through this "
        "alone."
    ),
)
KNOWN_RULES = {rule.id: rule for rule in (CRISIS,)}


def split_words(text: str) -> Words:
    """Return the runs of letters a to z, capitals made small and apostrophes taken out."""
    return tuple(_WORD.findall(text.translate(_APOSTROPHES).translate(_CAPITALS)))


def check_rules(ids: Sequence[str]) -> tuple[str, ...]:
    """Return a manifest's list of rules if it is in order.

    Raises:
        FormatError: a rule is unknown, named twice, or out of order.
    """
    if unknown := [name for name in ids if name not in KNOWN_RULES]:
        raise FormatError(f"an unknown rule of fixed answers: {unknown[0][:64]!r}")
    if list(ids) != sorted(set(ids)):
        raise FormatError("rules of fixed answers stand in ascending order, each once")
    return tuple(ids)


def first_rule(rules: Sequence[str], message: str) -> Rule | None:
    """Return the first of a manifest's rules that applies to a message text.

    Args:
        rules: ids of known rules.
        message: the texts of all its parts, joined as formats.md section 7.1 says.
    """
    return next((rule for name in rules if (rule := KNOWN_RULES[name]).applies(message)), None)


def _reach(words: Words, exceptions: Sequence[str]) -> list[int]:
    """Return for each word how far an exception goes on that begins there or earlier."""
    reach = [0] * len(words)
    for phrase in exceptions:
        for start, stop in _places(words, phrase):
            reach[start] = max(reach[start], stop)
    return list(accumulate(reach, max))


def _places(words: Words, phrase: str) -> list[tuple[int, int]]:
    """Return where the phrase stands, as first word and the one after its last."""
    wanted = tuple(phrase.split())
    size = len(wanted)
    return [
        (start, start + size)
        for start in range(len(words) - size + 1)
        if words[start : start + size] == wanted
    ]
