"""Epochs and a book of earnings in memory, which hold their callers to the ports' contracts."""

import hashlib
from dataclasses import dataclass, field, replace

from bot.domain.errors import InvariantError
from bot.domain.settlement import (
    NANO_PER_UNIT,
    TRANSACTION_MOVES,
    ChainIdentity,
    Earnings,
    EarningsSnapshot,
    Epoch,
    EpochSettlement,
    EpochState,
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.ports.settlement import EarningsReader, EpochStore

LIVING = (TransactionState.SIGNED, TransactionState.SENT, TransactionState.MINED)


@dataclass(slots=True)
class MemoryEpochStore(EpochStore):
    """The epoch store in memory."""

    pinned: ChainIdentity | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    stored: list[StoredTransaction] = field(default_factory=list)

    async def pin(self, identity: ChainIdentity) -> ChainIdentity:
        self.pinned = self.pinned or identity
        return self.pinned

    async def plan(self, epoch: Epoch) -> bool:
        if epoch.state is not EpochState.PLANNED:
            raise InvariantError("not planned")
        if await self.open_epoch() or epoch.number != len(self.epochs) + 1:
            return False
        self.epochs[epoch.number] = epoch
        return True

    async def open_epoch(self) -> Epoch | None:
        found = [e for e in self.epochs.values() if e.state is not EpochState.FINAL]
        return found[0] if found else None

    async def last_final(self) -> Epoch | None:
        found = [e for e in self.epochs.values() if e.state is EpochState.FINAL]
        return found[-1] if found else None

    async def epoch(self, number: int) -> Epoch | None:
        return self.epochs.get(number)

    async def record(self, transaction: SignedTransaction) -> bool:
        epoch = self.epochs.get(transaction.epoch)
        is_commit = transaction.purpose is Purpose.COMMIT
        needed = EpochState.PLANNED if is_commit else EpochState.FINAL
        if epoch is None or epoch.state is not needed:
            return False
        for other in self.stored:
            same = other.signed.purpose is transaction.purpose
            job = (other.signed.epoch, other.signed.chunk) == (transaction.epoch, transaction.chunk)
            is_living = other.state is not TransactionState.DEAD
            if same and is_living and (job or other.signed.nonce == transaction.nonce):
                return False
            if other.signed.hash == transaction.hash:
                return False
        self.stored.append(StoredTransaction(transaction, TransactionState.SIGNED))
        if is_commit:
            self.epochs[epoch.number] = replace(epoch, state=EpochState.SIGNED)
        return True

    async def move(
        self,
        transaction: StoredTransaction,
        to: TransactionState,
        inclusion: Inclusion | None = None,
    ) -> bool:
        if to not in TRANSACTION_MOVES[transaction.state]:
            raise InvariantError("no such move")
        if (inclusion is not None) != (to is TransactionState.MINED):
            raise InvariantError("an inclusion belongs to mined")
        for index, found in enumerate(self.stored):
            if found.signed.hash == transaction.signed.hash and found.state is transaction.state:
                self.stored[index] = _moved(found, to, inclusion)
                if found.signed.purpose is Purpose.COMMIT:
                    dead = to is TransactionState.DEAD
                    state = EpochState.PLANNED if dead else EpochState(to)
                    number = found.signed.epoch
                    self.epochs[number] = replace(self.epochs[number], state=state)
                return True
        return False

    async def in_flight(self, purpose: Purpose) -> StoredTransaction | None:
        found = [t for t in self.stored if t.signed.purpose is purpose and t.state in LIVING]
        return found[0] if found else None

    async def transactions(self, purpose: Purpose, epoch: int) -> tuple[StoredTransaction, ...]:
        wanted = (purpose, epoch)
        return tuple(t for t in self.stored if (t.signed.purpose, t.signed.epoch) == wanted)


def _moved(
    found: StoredTransaction, to: TransactionState, inclusion: Inclusion | None
) -> StoredTransaction:
    if inclusion is not None:
        return StoredTransaction(
            found.signed, to, inclusion.block_number, inclusion.block_hash, inclusion.gas_used
        )
    if to is TransactionState.FINAL:
        return replace(found, state=to)
    return StoredTransaction(found.signed, to)


@dataclass(slots=True)
class MemoryEarnings(EarningsReader):
    """A book in memory: `earn` adds a receipt with its fee, `settle` moves what is committed."""

    earnings: dict[bytes, Earnings] = field(default_factory=dict)
    settled: dict[bytes, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    log_size: int = 0
    freezes: int = 0

    def earn(self, twin: bytes, nano: int, *, payout: bytes) -> None:
        """Append one receipt of `nano` to the log and to the twin's account."""
        old = self.earnings.get(twin)
        count = (old.receipt_count if old else 0) + 1
        self.log_size += 1
        self.earnings[twin] = Earnings(
            twin=twin,
            payout=payout,
            cumulative_nano=(old.cumulative_nano if old else 0) + nano,
            receipt_count=count,
            twin_log_root=hashlib.sha256(twin + bytes([count % 256])).digest(),
        )

    async def freeze(self) -> EarningsSnapshot:
        self.freezes += 1
        root = hashlib.sha256(self.log_size.to_bytes(8, "big")).digest()
        return EarningsSnapshot(
            tuple(self.earnings.values()), self.log_size, root, cutoff=self.log_size
        )

    async def earned(self, twin: bytes) -> Earnings | None:
        return self.earnings.get(twin)

    async def settle(self, settlement: EpochSettlement) -> None:
        if settlement.key in self.keys:
            return
        for twin, nano in settlement.moves:
            balance = self.settled.get(twin, 0) + nano
            if nano <= 0 or nano % NANO_PER_UNIT or balance > self.earnings[twin].cumulative_nano:
                raise InvariantError("more is settled than was earned")
            self.settled[twin] = balance
        self.keys.append(settlement.key)
