"""Retrieval `words/1`: which chunks of a creator's documents fit a message (formats.md 6.1).

Specified and not used yet. All arithmetic is of integers, so that every verifier retrieves the
same chunks: no library's ranking, no floating point, no version of Unicode.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

SCALE = 1024
_TERM = re.compile("[^\u0000-/:-@\\[-`{-\u007f\u00a0\u2000-\u206f\u3000-\u303f]{2,}")
_CAPITALS = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document; `document` and `number` count from 0."""

    document: int
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A retrieved chunk and its score."""

    chunk: Chunk
    score: int


def split_terms(text: str) -> list[str]:
    """Return a text's terms: runs of letters and digits of two or more characters."""
    return _TERM.findall(text.translate(_CAPITALS))


@lru_cache(maxsize=4096)
def weight(chunks: int, holding: int) -> int:
    """Return floor(1024 log2((chunks + 1) / holding)) of a term that `holding` chunks hold.

    Found by bisection over integers: 2^m <= ((chunks + 1) / holding)^1024.
    """
    above, below = (chunks + 1) ** SCALE, holding**SCALE
    low, high = 0, SCALE * (chunks + 1).bit_length()
    while low < high:
        middle = (low + high + 1) // 2
        if (below << middle) <= above:
            low = middle
        else:
            high = middle - 1
    return low


def retrieve(chunks: Sequence[Chunk], message: str, count: int) -> list[Hit]:
    """Return the chunks that fit a message best.

    Args:
        chunks: all chunks of the twin's documents, in any order.
        message: the message text.
        count: how many at most.
    """
    held = [Counter(split_terms(chunk.text)) for chunk in chunks]
    wanted = set(split_terms(message))
    holding = Counter(term for terms in held for term in terms.keys() & wanted)
    hits = []
    for chunk, terms in zip(chunks, held, strict=True):
        found = terms.keys() & wanted
        score = sum(
            weight(len(chunks), holding[term]) * terms[term] // (terms[term] + 1) for term in found
        )
        if score > 0:
            hits.append(Hit(chunk, score))
    hits.sort(key=lambda hit: (-hit.score, hit.chunk.document, hit.chunk.number))
    return hits[:count]
