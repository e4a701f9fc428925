"""Words as the grader sees them: normalised texts, sentences, stems, numbers, the word list."""

import gzip
import re
import unicodedata
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
_SIGNS = re.compile(r"[^a-z0-9]+")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_SENTENCE = re.compile(r"[^.!?\u2026\n]+[.!?\u2026\n]*")
_ENDINGS = ("ingly", "edly", "ing", "ied", "ies", "ed", "es", "er", "ly", "s", "y", "e")
_SHORTEST_STEM = 3
_UNITS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBERS = {word: value for value, word in enumerate(_UNITS.split())}
NUMBERS |= {word: 20 + 10 * step for step, word in enumerate(_TENS.split())}
NUMBERS |= {"hundred": 100, "thousand": 1000, "million": 1_000_000}


def normalise(text: str) -> str:
    """Return a text in lower case, without accents, every other sign a space, spaces around."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return f" {_SIGNS.sub(' ', ''.join(c for c in plain if not unicodedata.combining(c))).strip()} "


def holds(normalised: str, phrase: str) -> bool:
    """Return whether a normalised text holds a phrase as whole words."""
    return f" {phrase} " in normalised


def holds_any(normalised: str, phrases: tuple[str, ...]) -> bool:
    """Return whether a normalised text holds one of the phrases."""
    return any(holds(normalised, phrase) for phrase in phrases)


def words_of(text: str) -> list[str]:
    """Return the words of a text as written: letters, with apostrophes inside."""
    return _WORD.findall(text)


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text, each with its closing signs."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]


def stem(word: str) -> str:
    """Return a word without its ending, for comparing "fan" with "fans"."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)]
    return word


def stems_of(text: str) -> set[str]:
    """Return the stems of a text's normalised words."""
    return {stem(word) for word in normalise(text).split()}


def numbers_of(text: str) -> set[int]:
    """Return the numbers that a text names in digits or words; "one" alone is none."""
    words = normalise(text).split()
    found: set[int] = set()
    at = 0
    while at < len(words):
        follower = NUMBERS.get(words[at + 1], 0) if at + 1 < len(words) else 0
        value = int(words[at]) if words[at].isdecimal() else NUMBERS.get(words[at], -1)
        joined = value in range(20, 100) and 0 < follower < 10
        multiplied = value >= 0 and follower >= 100
        if joined or multiplied:
            found.add(value + follower if joined else value * follower)
        elif value >= 0 and words[at] != "one":
            found.add(value)
        else:
            found |= {int(digits) for digits in re.findall(r"\d+", words[at])}
        at += 2 if joined or multiplied else 1
    return found


@cache
def dictionary() -> frozenset[str]:
    """Return the English words of words.txt.gz (WORDS-LICENCE.txt) in lower case."""
    return frozenset(word.removeprefix("^") for word in _listed())


@cache
def common_words() -> frozenset[str]:
    """Return the words of the list that are not names only: those without the mark "^"."""
    return frozenset(word for word in _listed() if not word.startswith("^"))


def _listed() -> list[str]:
    return gzip.decompress((FOLDER / "words.txt.gz").read_bytes()).decode().split()
