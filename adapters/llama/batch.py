"""A `llama_batch` over numpy buffers: it is filled with a few array operations and never copied."""

import ctypes
from collections.abc import Iterator, Sequence
from itertools import chain

import llama_cpp as lib
import numpy as np

from bot.ports.runner import Feed

_INTS = ctypes.POINTER(ctypes.c_int32)


class Batch:
    """Room for one decode; owned by the model's thread."""

    def __init__(self, *, tokens: int, sequences: int) -> None:
        self._tokens = np.zeros(tokens, np.int32)
        self._positions = np.zeros(tokens, np.int32)
        self._counts = np.ones(tokens, np.int32)
        self._wanted = np.zeros(tokens, np.int8)
        self._numbers = np.arange(sequences, dtype=np.int32)
        # Each token's list of sequences is a pointer to one element of `_numbers`.
        self._lists = np.zeros(tokens, np.uint64)
        self._first = self._numbers.ctypes.data
        self._batch = lib.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(_INTS),
            embd=None,
            pos=self._positions.ctypes.data_as(_INTS),
            n_seq_id=self._counts.ctypes.data_as(_INTS),
            seq_id=self._lists.ctypes.data_as(ctypes.POINTER(_INTS)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, feeds: Sequence[Feed]) -> "lib.llama_batch":
        """Describe the feeds, one after the other."""
        counts = np.array([len(feed.tokens) for feed in feeds])
        ends = np.cumsum(counts)
        total = int(ends[-1])
        starts = np.array([feed.start for feed in feeds]) - (ends - counts)
        pointers = self._first + 4 * np.array([feed.sequence for feed in feeds], np.uint64)
        self._tokens[:total] = np.fromiter(
            chain.from_iterable(feed.tokens for feed in feeds), np.int32, total
        )
        self._positions[:total] = np.arange(total) + np.repeat(starts, counts)
        self._lists[:total] = np.repeat(pointers, counts)
        self._wanted[:total] = 0
        for feed, end in zip(feeds, ends.tolist(), strict=True):
            self._wanted[end - feed.rows : end] = 1
        self._batch.n_tokens = total
        return self._batch


def portions(feeds: Sequence[Feed], *, rows: int, alone: int) -> Iterator[list[Feed]]:
    """Divide feeds into what is decoded at once, in order; mostly that is all of them.

    Args:
        feeds: for one decode.
        rows: most rows of a portion.
        alone: up to so many feeds of one token are decoded by themselves.
    """
    singles = sum(len(feed.tokens) == 1 for feed in feeds)
    apart = len(feeds) > 1 and singles <= alone
    portion: list[Feed] = []
    for feed in feeds:
        for piece in _pieces(feed, rows):
            single = apart and 1 in (len(piece.tokens), len(portion[-1].tokens) if portion else 0)
            again = bool(portion) and portion[-1].sequence == piece.sequence
            full = sum(one.rows for one in portion) + piece.rows > rows
            if portion and (single or again or full):
                yield portion
                portion = []
            portion.append(piece)
    yield portion


def _pieces(feed: Feed, limit: int) -> Iterator[Feed]:
    while feed.rows > limit:
        cut = len(feed.tokens) - feed.rows + limit
        yield Feed(feed.sequence, feed.start, feed.tokens[:cut], limit)
        rest = feed.tokens[cut:]
        feed = Feed(feed.sequence, feed.start + cut, rest, feed.rows - limit)
    yield feed
