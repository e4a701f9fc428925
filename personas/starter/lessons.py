"""Read the lessons: hand-written facts, questions, answers and talk (templates/lessons/*.txt)."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from personas.starter.draws import chance
from personas.starter.persona import FOLDER, Creators, coined

LESSONS = FOLDER / "lessons"
# Every fifteenth block of a file is kept out of training.
HELD_OUT_EVERY, HELD_OUT_OFFSET = 15, 7
ODD_VALUE = 0.12
MOST_TRIES = 8
_KEY = re.compile(r"\{(\w+)\}")
_LIST = re.compile(r"^\{(\w+)\} *= *(.+)$")
_FIELD = re.compile(r"^([A-Z]): *(.+)$")
_ARTICLES = ("a ", "an ", "the ", "my ", "our ", "some ")

Lists = Mapping[str, list[str]]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Lesson:
    """One block of a lesson file; what its letters mean stands in the README of the lessons."""

    source: str
    number: int
    tag: str
    fields: Mapping[str, tuple[str, ...]]
    lists: Lists

    @property
    def held_out(self) -> bool:
        """Whether this block is for validation only."""
        return self.number % HELD_OUT_EVERY == HELD_OUT_OFFSET

    def texts(self, letter: str) -> tuple[str, ...]:
        """Return the alternatives of one field."""
        return self.fields.get(letter, ())

    def pairs(self, letter: str) -> list[Pair]:
        """Return the fields that are written as "question > answer"."""
        split = (text.partition(" > ") for text in self.texts(letter))
        return [(ask.strip(), answer.strip()) for ask, arrow, answer in split if arrow]

    def keys(self) -> set[str]:
        """Return all placeholders of this block."""
        return {key for texts in self.fields.values() for text in texts for key in keys_of(text)}


def keys_of(text: str) -> list[str]:
    """Return the placeholders of a text in order."""
    return _KEY.findall(text)


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace placeholders; a value that begins a sentence gets a capital."""

    def replace(match: re.Match[str]) -> str:
        value = values[match[1]]
        before = text[: match.start()].rstrip()
        return value[:1].upper() + value[1:] if not before or before[-1] in ".!?" else value

    return _KEY.sub(replace, text)


def split_cell(text: str) -> tuple[str, ...]:
    """Return the alternatives of a line."""
    return tuple(cell.strip() for cell in text.split(" | ") if cell.strip())


def parse(text: str, source: str) -> Iterator[Lesson]:
    """Yield the blocks of one file; lines that are neither list, tag nor field are passed over."""
    lists: dict[str, list[str]] = {}
    fields: dict[str, tuple[str, ...]] = {}
    tag, number = "", 0
    for line in [*text.splitlines(), ""]:
        if found := _LIST.match(line):
            lists[found[1]] = list(split_cell(found[2]))
        elif line.startswith("[") and line.endswith("]"):
            tag = line[1:-1]
        elif found := _FIELD.match(line):
            fields[found[1]] = fields.get(found[1], ()) + split_cell(found[2])
        elif not line.strip() and fields:
            yield Lesson(source, number, tag or f"{source} {number}", fields, lists)
            tag, fields, number = "", {}, number + 1


def load_lessons(folder: Path = LESSONS) -> list[Lesson]:
    """Read all lesson files in the order of their names."""
    return [
        lesson
        for path in sorted(folder.glob("*.txt"))
        if path.name != "roles.txt"
        for lesson in parse(path.read_text(encoding="utf-8"), path.stem)
    ]


def load_lesson_roles(folder: Path = LESSONS) -> list[Pair]:
    """Read roles.txt as pairs of role and topic."""
    path = folder / "roles.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [line.split(" | ") for line in lines if " | " in line and line[0] not in "#{"]
    return [(row[0].strip(), row[1].strip()) for row in rows]


class Values:
    """Draws values for the placeholders of lessons."""

    def __init__(self, creators: Creators) -> None:
        self.creators = creators
        lists = creators.values
        self.ready: dict[str, list[str]] = {
            name: lists[name] for name in ("city", "day", "month", "season", "colour")
        }
        self.ready |= {"relative": lists["family"], "country": lists["country"]}
        self.ready["hour"] = lists["hour"]

    def draw(self, lesson: Lesson, common: Mapping[str, str], rng: random.Random) -> dict[str, str]:
        """Return a value for every placeholder of a block; `common` has the creator's own."""
        found: dict[str, str] = {}
        for key in sorted(lesson.keys()):
            if key in common:
                found[key] = common[key]
                continue
            value = self._one(key, lesson.lists, rng)
            taken = {other.lower() for other in found.values()}
            for _ in range(MOST_TRIES):
                if value.lower() not in taken:
                    break
                value = self._one(key, lesson.lists, rng)
            found[key] = value
        return found

    def _one(self, key: str, lists: Lists, rng: random.Random) -> str:
        base = key if key in lists else key.rstrip("0123456789")
        if base in lists:
            value = rng.choice(lists[base])
            return self._odd(value, rng) if chance(rng, ODD_VALUE) else value
        makers: dict[str, Callable[[], str]] = {
            "coined": lambda: coined(rng),
            "number": lambda: str(rng.randrange(2, 41)),
            "year": lambda: str(rng.randrange(1958, 2026)),
            "title": lambda: self.creators.title(rng),
            "person": lambda: " ".join(self._name(part, rng) for part in ("first", "last")),
            "friend": lambda: self._name("first", rng),
            "first": lambda: self._name("first", rng),
        }
        if base in makers:
            return makers[base]()
        if base == "city" and chance(rng, 0.25):
            return coined(rng)
        return rng.choice(self.ready[base])

    def _name(self, part: str, rng: random.Random) -> str:
        return coined(rng) if chance(rng, 0.3) else rng.choice(self.creators.values[part])

    def _odd(self, value: str, rng: random.Random) -> str:
        """Put a rare word into a value, so that it must be copied and can't be guessed."""
        if any(sign.isdigit() for sign in value):
            return value
        article = next((one for one in _ARTICLES if value.startswith(one)), "")
        rest = value.removeprefix(article)
        odd = self.creators.word(rng)
        article = (
            {"a ": "an ", "an ": "a "}.get(article, article)
            if self._clash(article, odd)
            else article
        )
        return f"{article}{odd.capitalize() if rest[:1].isupper() else odd} {rest}"

    @staticmethod
    def _clash(article: str, word: str) -> bool:
        return article in {"a ", "an "} and (article == "an ") != (word[:1].lower() in "aeiou")
