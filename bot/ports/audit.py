"""Everything that is stored, as the audit reads it: whole, in order, from one snapshot."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.ledger import LedgerTransaction
from bot.ports.book import StoredRates
from bot.ports.credit_book import FanAccount, HeldFee, StoredPurchase, StoredRefund
from bot.ports.disputes import StoredDispute
from bot.ports.stores import (
    Intent,
    NodeAddress,
    StoredCheckpoint,
    StoredManifest,
    StoredOrder,
    StoredReply,
)
from bot.ports.verdicts import StoredVerdict


@dataclass(frozen=True, slots=True)
class StoredSeal:
    """The seal of a log that this one continues, and the index of the leaf that cites it."""

    log_index: int
    envelope: bytes


@dataclass(frozen=True, slots=True)
class StoredRecords:
    """A snapshot of the store.

    Attributes:
        leaves: the log's leaves by index.
        nodes: stored hashes of complete subtrees.
        checkpoints: signed heads, smallest first.
        replies: ordered by twin and seq.
        ledger: transactions in the order of posting.
        balances: the cached balance of each account, nano-units.
        orders: in the order of the log.
        verdicts: of auditors, in the order of the log.
        seals: in the order of the log.
        rates: the operator's tables, in the order of the log.
        purchases: what fans have bought, and what became of it.
        held: fees that a platform may still take back, in the order in which they were paid.
        disputes: what fans have said of replies, and what was found.
        accounts: of fans whose person is known.
        ledger_ids: numbers of the transactions in `ledger`; empty where the store has none.
    """

    leaves: tuple[bytes, ...]
    nodes: dict[NodeAddress, bytes]
    checkpoints: tuple[StoredCheckpoint, ...]
    manifests: tuple[StoredManifest, ...]
    intents: tuple[Intent, ...]
    replies: tuple[StoredReply, ...]
    ledger: tuple[LedgerTransaction, ...]
    balances: dict[str, int]
    orders: tuple[StoredOrder, ...]
    verdicts: tuple[StoredVerdict, ...] = ()
    seals: tuple[StoredSeal, ...] = ()
    rates: tuple[StoredRates, ...] = ()
    purchases: tuple[tuple[StoredPurchase, StoredRefund | None], ...] = ()
    held: tuple[HeldFee, ...] = ()
    disputes: tuple[StoredDispute, ...] = ()
    accounts: tuple[FanAccount, ...] = ()
    ledger_ids: tuple[int, ...] = ()


class AuditReader(Protocol):
    """Reads the whole store."""

    async def read_all(self) -> StoredRecords:
        """Return everything, from one consistent snapshot.

        Raises:
            UnbalancedTransactionError: a stored transaction does not sum to zero.
        """
        ...
