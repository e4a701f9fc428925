"""Retrieval `words/1`: the implementation against the specification's words, and the vectors."""

import json
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.generation.retrieval import Chunk, retrieve, split_terms, weight
from scripts.make_retrieval_vectors import FILE, render

WORDS = st.sampled_from(["rye", "bread", "oven", "Rye", "é", "a", "40", "päon", "—", "?"])
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)


def _terms(text: str) -> list[str]:
    """Terms, character by character, as section 6.1 has it."""
    found, run = [], ""
    for one in [*text, " "]:
        code = ord(one)
        parts = (
            (code < 0x80 and not (one.isascii() and one.isalnum()))
            or code == 0xA0
            or 0x2000 <= code <= 0x206F
            or 0x3000 <= code <= 0x303F
        )
        if not parts:
            run += chr(code + 32) if "A" <= one <= "Z" else one
            continue
        if len(run) > 1:
            found.append(run)
        run = ""
    return found


def _weight(chunks: int, holding: int) -> int:
    """The largest m with 2^m <= x^1024, counted up."""
    power = Fraction(chunks + 1, holding) ** 1024
    m = 0
    while 2 ** (m + 1) <= power:
        m += 1
    return m


def _expected(chunks: list[Chunk], message: str, count: int) -> list[tuple[int, int, int]]:
    scores = []
    for chunk in chunks:
        score = 0
        for term in set(_terms(message)):
            f = _terms(chunk.text).count(term)
            if f:
                holding = sum(term in _terms(other.text) for other in chunks)
                score += int(_weight(len(chunks), holding) * Fraction(f, f + 1))
        if score:
            scores.append((-score, chunk.document, chunk.number))
    return [(document, number, -score) for score, document, number in sorted(scores)[:count]]


@given(st.lists(TEXTS, max_size=5), TEXTS, st.integers(0, 5))
def test_scores_are_what_the_specification_says(texts: list[str], message: str, count: int) -> None:
    chunks = [Chunk(n // 2, n % 2, text) for n, text in enumerate(texts)]

    hits = retrieve(chunks, message, count)

    found = [(hit.chunk.document, hit.chunk.number, hit.score) for hit in hits]
    assert found == _expected(chunks, message, count)


@given(st.text(max_size=40))
def test_terms_are_found_in_any_text(text: str) -> None:
    assert split_terms(text) == _terms(text)


@pytest.mark.parametrize(("chunks", "holding"), [(1, 1), (2, 1), (3, 3), (9, 2), (40, 7)])
def test_a_term_weighs_the_binary_logarithm(chunks: int, holding: int) -> None:
    assert weight(chunks, holding) == _weight(chunks, holding)


def test_the_order_of_the_chunks_given_does_not_matter() -> None:
    chunks = [Chunk(0, n, text) for n, text in enumerate(["rye", "rye", "oven rye"])]

    assert retrieve(chunks[::-1], "rye oven", 3) == retrieve(chunks, "rye oven", 3)


def test_the_vectors_are_what_the_script_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == render()


def test_the_vectors_hold() -> None:
    cases = json.loads(FILE.read_text(encoding="utf-8"))
    read: Callable[[dict[str, object]], Chunk] = lambda one: Chunk(  # noqa: E731
        int(str(one["document"])), int(str(one["chunk"])), str(one["text"])
    )
    for case in cases:
        chunks = [read(one) for one in case["chunks"]]
        found = [list(one) for one in _expected(chunks, case["message"], case["count"])]
        assert found == case["scores"], case["name"]
    assert any(case["scores"] for case in cases)
