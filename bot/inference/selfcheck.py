"""Does the exact profile hold for this model on this machine? Asked at start, answered bit for bit.

A receipt promises that a reply made in a busy batch is replayed alone, elsewhere, to the bit. Here
the same few tokens are evaluated in every way in which the engine treats a sequence, and the rows
of logits compared as bytes; a digest of them is compared with what the same build gave elsewhere.
Costs about 250 tokens in some 25 decodes, whatever the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from bot.ports.runner import Feed, ModelRunner

LENGTH = 80  # more than 64: from there on the library has another way for f16 caches
ROWS = 16
PIECE = 24
CUT = 6


@dataclass(frozen=True, slots=True)
class Findings:
    """What the check saw.

    Attributes:
        failed: in which ways of evaluating the logits differed, in plain words.
        answer: SHA-256 of the logits after one prefill.
    """

    failed: tuple[str, ...]
    answer: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the exact profile holds, and one sentence for the operator."""

    exact: bool
    remark: str


def settle(found: Findings, known: bytes | None) -> Verdict:
    """Judge what a check saw.

    Args:
        found: of a model under the portable build.
        known: what the same model under the same build gave before; None if that is not on record.
    """
    if found.failed:
        return Verdict(
            exact=False, remark=f"replies are tolerant: {', '.join(found.failed)} differ"
        )
    if known is not None and known != found.answer:
        remark = "replies are tolerant: the model gives other logits here than on record"
        return Verdict(exact=False, remark=remark)
    return Verdict(exact=True, remark="the exact profile holds")


def check_profile(model: ModelRunner) -> Findings:
    """Evaluate the same tokens in every way and compare; all sequences are empty afterwards.

    Raises:
        EngineCrashedError: the library refused.
    """
    return _Check(model).run()


class _Check:
    """One check: sequence 1 between busy neighbours 0 and 2, the last one as a persona's."""

    def __init__(self, model: ModelRunner) -> None:
        room = model.capacity
        self._model = model
        self._vocabulary = model.info().vocabulary
        size = min(LENGTH, room.cells, room.batch)
        self._tokens = self._list(size, 7919, 13)
        self._rows = min(ROWS, size // 2)
        self._start = size - self._rows
        self._last = room.sequences - 1

    def run(self) -> Findings:
        """Evaluate, compare, clean up."""
        alone = self._feed(0, 0, self._tokens, self._rows)
        self._model.trim(0, 0)
        found = {
            "one by one and in a batch": b"".join(self._stepwise()),
            "a copied persona": self._copied(),
            "a cut and moved conversation": self._churned(),
        }
        failed = [name for name, rows in found.items() if rows != alone]
        restored = self._restored()
        if restored is None or restored != alone[-len(restored) :]:
            failed.append("a saved and restored conversation")
        for sequence in (0, 1, 2, self._last):
            self._model.trim(sequence, 0)
        return Findings(tuple(failed), sha256(alone).digest())

    def _list(self, size: int, step: int, first: int) -> tuple[int, ...]:
        return tuple((step * number + first) % self._vocabulary for number in range(size))

    def _feed(self, sequence: int, start: int, tokens: tuple[int, ...], rows: int = 0) -> bytes:
        return self._model.decode([Feed(sequence, start, tokens, rows)]).tobytes()

    def _stepwise(self) -> Iterator[bytes]:
        """Fill in pieces, keep a copy as a persona's, then go on alone, then among others."""
        for start in range(0, self._start, PIECE):
            self._feed(1, start, self._tokens[start : min(start + PIECE, self._start)])
        self._model.copy(1, self._last)
        half = self._start + self._rows // 2
        for position in range(self._start, half):
            yield self._feed(1, position, self._tokens[position : position + 1], 1)
        left, right = self._list(4 * self._rows, 31, 5), self._list(4 * self._rows, 17, 9)
        for step, position in enumerate(range(half, len(self._tokens))):
            feeds = [
                Feed(0, step, left[step : step + 1], 1),
                Feed(1, position, self._tokens[position : position + 1], 1),
                Feed(2, 3 * step, right[3 * step : 3 * step + 3], 2),
            ]
            yield self._model.decode(feeds)[1].tobytes()

    def _copied(self) -> bytes:
        self._model.copy(self._last, 0)
        return self._feed(0, self._start, self._tokens[self._start :], self._rows)

    def _churned(self) -> bytes:
        """Cut, fill with something else, cut again, move elsewhere, fill."""
        cut = self._start - CUT // 2
        self._model.trim(0, cut)
        self._feed(0, cut, self._list(CUT, 5, 1))
        self._model.trim(0, cut - 1)
        self._model.copy(0, 2)
        self._model.trim(0, 0)
        rest = self._tokens[cut - 1 :]
        return self._feed(2, cut - 1, rest, len(rest))[-self._row_bytes * self._rows :]

    @property
    def _row_bytes(self) -> int:
        return 4 * self._vocabulary

    def _restored(self) -> bytes | None:
        """Save, load in another place, cut, and fill again; None if the state was refused."""
        size, rest = len(self._tokens), min(CUT, self._rows)
        state = self._model.save(2)
        self._model.trim(2, 0)
        if not self._model.restore(1, size, state):
            return None
        self._model.trim(1, size - rest)
        return self._feed(1, size - rest, self._tokens[size - rest :], rest)
