"""Verdicts of auditors: what is kept of them, and the door through which they come in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """An auditor's signed statement that stands in the log.

    Attributes:
        log_index: of the leaf that cites it.
        receipt: tag of the receipt that it is about.
        auditor: Ed25519 public key, 32 bytes.
        envelope: DSSE envelope bytes.
    """

    log_index: int
    receipt: bytes
    auditor: bytes
    envelope: bytes


class VerdictRecords(Protocol):
    """The auditors' part of a transaction (`bot.ports.stores`)."""

    async def add_verdict(self, verdict: StoredVerdict) -> None:
        """Keep a verdict for ever; its leaf must be there, and it the auditor's first of a reply.

        Raises:
            InvariantError: it is not.
        """
        ...

    async def verdicts_of(self, receipt: bytes) -> Sequence[StoredVerdict]:
        """Return the verdicts on a receipt, in the order of the log."""
        ...


@dataclass(frozen=True, slots=True)
class TakenVerdict:
    """A verdict that stands in the log: where, and whether it was put there just now."""

    log_index: int
    is_new: bool


class VerdictDesk(Protocol):
    """Takes verdicts in and gives them out. Inbound: the web surface calls it."""

    async def submit(self, statement: bytes) -> TakenVerdict:
        """Log an auditor's signed statement; a second time changes nothing.

        Raises:
            UserError: it is not one that this log takes; the sentence says why.
        """
        ...

    async def verdicts(self, receipt_id: str) -> bytes | None:
        """Return a receipt's verdicts with their proofs; None where there is no such receipt."""
        ...
