"""A twin's own log: one entry for each outcome of its replies, from which its pay is recounted.

Formats.md section 14. It says no time, no length and nothing that a link could be found by.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.errors import FormatError
from bot.crypto.merkle import leaf_hash, root_from_nodes, tree_nodes
from bot.domain.outcomes import may_follow
from bot.domain.payment import Payer
from bot.domain.statements import Outcome

ENTRY_BYTES = 50
MAX_ENTRIES = 2_000_000
"""More are refused: 100 MB; at a thousand replies a day they last for more than five years."""
_ENTRY = struct.Struct(">QQBB32s")
_UNPAID = frozenset({Payer.FREE, Payer.PROMOTIONAL})


@dataclass(frozen=True, slots=True)
class TwinEntry:
    """One outcome of one reply.

    Attributes:
        seq: the receipt's number among the twin's.
        creator_nano: the creator's part of its price, whatever the outcome.
        receipt: the receipt's tag, 32 bytes.
    """

    seq: int
    creator_nano: int
    payer: Payer
    outcome: Outcome
    receipt: bytes

    def encode(self) -> bytes:
        """Encode as 50 bytes.

        Raises:
            FormatError: a number is out of range.
        """
        if not 0 <= self.seq <= MAX_INTEGER or not 0 <= self.creator_nano <= MAX_INTEGER:
            raise FormatError("a number is out of range")
        return _ENTRY.pack(
            *(self.seq, self.creator_nano, self.payer.value, self.outcome.value, self.receipt)
        )

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse exactly one entry.

        Raises:
            FormatError: another length, an unknown code, a number out of range, or a fee of what
                nobody paid for.
        """
        if len(data) != ENTRY_BYTES:
            raise FormatError(f"an entry has {ENTRY_BYTES} bytes, not {len(data)}")
        seq, creator_nano, payer, outcome, receipt = _ENTRY.unpack(data)
        if not 1 <= seq <= MAX_INTEGER or creator_nano > MAX_INTEGER:
            raise FormatError("a number is out of range")
        try:
            entry = cls(seq, creator_nano, Payer(payer), Outcome(outcome), receipt)
        except ValueError as error:
            raise FormatError(f"an unknown code: {error}") from error
        if entry.payer in _UNPAID and entry.creator_nano:
            raise FormatError(f"a fee, and the payer is {entry.payer.word}")
        return entry


@dataclass(frozen=True, slots=True)
class Tally:
    """What entries amount to, in nano.

    Attributes:
        earned_nano: of all of them.
        bought_nano: of those that were paid with bought credit and stand: so much can be held.
    """

    earned_nano: int
    bought_nano: int


class TwinLog:
    """A twin's entries in the order of the outcome leaves; immutable."""

    def __init__(self, entries: Iterable[TwinEntry]) -> None:
        self.entries = tuple(entries)
        self._nodes = tree_nodes([leaf_hash(entry.encode()) for entry in self.entries])
        self._tallies: list[Tally] = []

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse what is served, and check that outcomes follow each other as they may.

        Raises:
            FormatError: not whole entries, too many, or a history that can't be.
        """
        if len(data) > MAX_ENTRIES * ENTRY_BYTES:
            raise FormatError(f"more than {MAX_ENTRIES} entries")
        entries = []
        for start in range(0, len(data), ENTRY_BYTES):
            try:
                entries.append(TwinEntry.parse(data[start : start + ENTRY_BYTES]))
            except FormatError as error:
                raise FormatError(f"entry {start // ENTRY_BYTES}: {error}") from error
        check_history(entries)
        return cls(entries)

    def __len__(self) -> int:
        return len(self.entries)

    def encode(self, size: int | None = None) -> bytes:
        """Encode the first `size` entries; all of them without it."""
        return b"".join(entry.encode() for entry in self.entries[:size])

    def root(self, size: int | None = None) -> bytes:
        """Return the RFC 6962 root over the first `size` entries; over all without it."""
        return root_from_nodes(len(self.entries) if size is None else size, self._nodes)

    def tally(self, size: int | None = None) -> Tally:
        """Count the first `size` entries; all of them without it."""
        if not self._tallies:
            self._tallies = list(_tallies(self.entries))
        return self._tallies[len(self.entries) if size is None else size]


def _tallies(entries: Iterable[TwinEntry]) -> Iterator[Tally]:
    """Count entries: what none has earned, the first one, the first two, …."""
    earned = bought = 0
    delivered: set[bytes] = set()
    yield Tally(0, 0)
    for entry in entries:
        nano = 0
        if entry.outcome is Outcome.DELIVERED:
            delivered.add(entry.receipt)
            nano = entry.creator_nano
        elif entry.outcome is Outcome.REFUNDED and entry.receipt in delivered:
            nano = -entry.creator_nano
        earned += nano
        bought += nano if entry.payer is Payer.PAID else 0
        yield Tally(earned, bought)


def check_history(entries: Sequence[TwinEntry]) -> None:
    """Check that each receipt has one number and the outcomes that it may have, in their order.

    Raises:
        FormatError: names the first entry that can't be.
    """
    known: dict[bytes, list[TwinEntry]] = {}
    numbers: dict[int, bytes] = {}
    for index, entry in enumerate(entries):
        if numbers.setdefault(entry.seq, entry.receipt) != entry.receipt:
            raise FormatError(f"entry {index}: a second receipt of number {entry.seq}")
        before = known.setdefault(entry.receipt, [])
        if before:
            same = (before[0].seq, before[0].creator_nano, before[0].payer)
            if same != (entry.seq, entry.creator_nano, entry.payer):
                raise FormatError(f"entry {index}: contradicts an earlier entry of its receipt")
            said = [one.outcome for one in before]
            if not may_follow(said, entry.outcome, entry.payer):
                words = f"{entry.outcome.word} after {said[-1].word}"
                if may_follow(said, entry.outcome):
                    words += f", and the payer is {entry.payer.word}"
                raise FormatError(f"entry {index}: {words}")
        before.append(entry)


def missing_numbers(entries: Sequence[TwinEntry]) -> list[tuple[int, int]]:
    """Return the numbers that have no entry, as runs (first, last) below the highest one.

    They are of replies whose outcome was not decided yet.
    """
    known = [0, *sorted({entry.seq for entry in entries})]
    return [(a + 1, b - 1) for a, b in pairwise(known) if b - a > 1]
