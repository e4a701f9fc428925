"""Which lessons are about the same matter, so that "I don't know" is not taught where one knows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from personas.starter.lessons import Lesson
from personas.starter.persona import FOLDER

ALIKE = 0.22
_WORD = re.compile(r"[a-z][a-z']+")
_COMMON = frozenset((FOLDER / "plain.txt").read_text(encoding="utf-8").split())


def stems(text: str) -> list[str]:
    """Return the words of a text that carry meaning, cut to five letters."""
    return [word[:5] for word in _WORD.findall(text.lower()) if word not in _COMMON]


def _texts(lesson: Lesson) -> str:
    letters = "FKEQQ"
    texts = [text for letter in letters for text in lesson.texts(letter)]
    return " ".join(re.sub(r"\{\w+\}", " ", text) for text in texts)


class Kinship:
    """Similarity of lessons by their words; the same tag counts as the same matter."""

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self.number = {id(lesson): at for at, lesson in enumerate(lessons)}
        counts = [Counter(stems(_texts(lesson))) for lesson in lessons]
        seen = Counter(word for count in counts for word in count)
        order = {word: at for at, word in enumerate(seen)}
        table = np.zeros((len(lessons), len(order)), np.float32)
        for at, count in enumerate(counts):
            for word, times in count.items():
                table[at, order[word]] = np.log1p(times) * np.log(len(lessons) / seen[word])
        table /= np.linalg.norm(table, axis=1, keepdims=True) + 1e-9
        tags = np.array([lesson.tag for lesson in lessons])
        self.alike = (table @ table.T > ALIKE) | (tags[:, None] == tags[None, :])
        self.words = [
            {
                *stems(_texts(lesson)),
                *(
                    stem
                    for key in sorted(lesson.keys())
                    for value in lesson.lists.get(key, ())
                    for stem in stems(value)
                ),
            }
            for lesson in lessons
        ]

    def related(self, one: Lesson, others: Sequence[Lesson]) -> bool:
        """Return whether a lesson is about the same matter as one of the others."""
        row = self.alike[self.number[id(one)]]
        return any(row[self.number[id(other)]] for other in others)

    def touches(self, lesson: Lesson, text: str) -> bool:
        """Return whether a text shares words with what a lesson is about."""
        return not self.words[self.number[id(lesson)]].isdisjoint(stems(text))


def answered_elsewhere(question: str, others: Sequence[Lesson]) -> bool:
    """Return whether another lesson has nearly this question."""
    asked = set(stems(question))
    for lesson in others:
        for text in lesson.texts("Q"):
            mine = set(stems(text))
            if mine and asked and len(mine & asked) == min(len(mine), len(asked)):
                return True
    return False
