"""Write docs/spec/retrieval.json: cases of `words/1`, for whoever writes it a second time.

Run as `python -m scripts.make_retrieval_vectors`; the same bytes every time. The tests compute
every score once more with rational numbers, word by word as the specification has it.
"""

import json
from pathlib import Path
from typing import Any

from bot.generation.retrieval import Chunk, retrieve

FILE = Path(__file__).resolve().parents[1] / "docs" / "spec" / "retrieval.json"
BAKERY = (
    Chunk(0, 0, "The bakery opens at 6 on weekdays and at 8 on Sunday. Rye bread is ready at 7."),
    Chunk(0, 1, "Rye, rye and rye again: the sourdough is fed twice a day, at noon and at night."),
    Chunk(1, 0, "Bread courses are held in the back room. A course takes four hours."),
    Chunk(1, 1, "Bring an apron. The course costs 40 euro, flour included."),
)
ABROAD = (
    Chunk(0, 0, "Die Bäckerei öffnet um sechs. Äpfel gibt es im Herbst."),
    Chunk(0, 1, "パン　教室 は 土曜日"),
    Chunk(0, 2, "ÄPFEL in capitals is another term than Äpfel: only A to Z are made small."),
)
CASES: tuple[tuple[str, tuple[Chunk, ...], str, int], ...] = (
    ("a rare word weighs more than a common one", BAKERY, "When is the rye bread ready?", 2),
    ("a word that comes often counts at most twice as much", BAKERY, "rye", 4),
    ("ties go to the earlier document and chunk", BAKERY, "course", 4),
    ("repeated words of the message count once", BAKERY, "course course COURSE apron", 4),
    ("nothing fits", BAKERY, "Do you like football?", 4),
    ("one character is no term", BAKERY, "a 6 8", 4),
    ("digits are terms", BAKERY, "Is it 40 euro?", 1),
    ("letters outside ASCII", ABROAD, "Gibt es Äpfel?", 3),
    ("an ideographic space separates", ABROAD, "教室", 3),
    ("no chunks", (), "rye", 3),
    ("none asked for", BAKERY, "rye", 0),
)


def make_cases() -> list[dict[str, Any]]:
    """Return all cases with what comes of them."""
    return [
        {
            "name": name,
            "chunks": [
                {"document": one.document, "chunk": one.number, "text": one.text} for one in chunks
            ],
            "message": message,
            "count": count,
            "scores": [
                [hit.chunk.document, hit.chunk.number, hit.score]
                for hit in retrieve(chunks, message, count)
            ],
        }
        for name, chunks, message, count in CASES
    ]


def render() -> str:
    """Return the file's text."""
    return json.dumps(make_cases(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
