"""Epochs and a book of earnings in memory, which hold their callers to the ports' contracts."""

import hashlib
from dataclasses import dataclass, field, replace

from bot.domain.errors import InvariantError
from bot.domain.restored import LOST_FEES, Restored, TwinBook, lost_fees
from bot.domain.settlement import (
    NANO_PER_UNIT,
    TRANSACTION_MOVES,
    ChainIdentity,
    Commitment,
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
from bot.domain.statements import SealStatement
from bot.ports.settlement import EarningsReader, EpochStore

DONE = (EpochState.FINAL, EpochState.LOST)
LIVING = (TransactionState.SIGNED, TransactionState.SENT, TransactionState.MINED)


@dataclass(slots=True)
class MemoryEpochStore(EpochStore):
    """The epoch store in memory."""

    pin_of_chain: ChainIdentity | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    stored: list[StoredTransaction] = field(default_factory=list)

    async def pin(self, identity: ChainIdentity) -> ChainIdentity:
        self.pin_of_chain = self.pin_of_chain or identity
        return self.pin_of_chain

    async def pinned(self) -> ChainIdentity | None:
        return self.pin_of_chain

    async def anchoring(self, leaf_index: int) -> Commitment | None:
        found = [e.commitment for e in self.epochs.values() if e.state is EpochState.FINAL]
        return next((one for one in found if one.log_size > leaf_index), None)

    async def plan(self, epoch: Epoch) -> bool:
        if epoch.state is not EpochState.PLANNED:
            raise InvariantError("not planned")
        if await self.open_epoch() or epoch.number != max(self.epochs, default=0) + 1:
            return False
        self.epochs[epoch.number] = epoch
        return True

    async def open_epoch(self) -> Epoch | None:
        found = [e for e in self.epochs.values() if e.state not in DONE]
        return found[0] if found else None

    async def last_final(self) -> Epoch | None:
        found = [e for e in self.epochs.values() if e.state in DONE]
        return found[-1] if found else None

    async def epoch(self, number: int) -> Epoch | None:
        return self.epochs.get(number)

    async def take_over(self, epoch: Epoch) -> None:
        done = [one.number for one in self.epochs.values() if one.state in DONE]
        if epoch.state is not EpochState.LOST or epoch.number <= max(done, default=0):
            raise InvariantError("not lost")
        for number, found in self.epochs.items():
            if found.state not in DONE:
                self.epochs[number] = replace(found, state=EpochState.FINAL)
        self.stored = [
            replace(one, state=TransactionState.FINAL)
            if one.state in LIVING and one.signed.purpose is Purpose.COMMIT
            else one
            for one in self.stored
        ]
        self.epochs[epoch.number] = epoch

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
    seals: tuple[SealStatement, ...] = ()
    history: list[tuple[int, Earnings]] = field(default_factory=list)
    carried: dict[bytes, int] = field(default_factory=dict)

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
        self.history.append((self.log_size, self.earnings[twin]))

    def _with_carried(self, earnings: Earnings) -> Earnings:
        nano = earnings.cumulative_nano + self.carried.get(earnings.twin, 0)
        return replace(earnings, cumulative_nano=nano)

    def _lost(self) -> tuple[Earnings, ...]:
        nano = self.settled.get(LOST_FEES, 0)
        return (lost_fees(nano),) if nano else ()

    async def freeze(self) -> EarningsSnapshot:
        self.freezes += 1
        root = hashlib.sha256(self.log_size.to_bytes(8, "big")).digest()
        return EarningsSnapshot(
            (*map(self._with_carried, self.earnings.values()), *self._lost()),
            *(self.log_size, root, self.log_size, self.seals),
        )

    async def earned(self, twin: bytes) -> Earnings | None:
        earnings = self.earnings.get(twin)
        return None if earnings is None else self._with_carried(earnings)

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        found = {twin: replace(one, cumulative_nano=0) for twin, one in self.earnings.items()}
        found.update((one.twin, one) for size, one in self.history if size <= log_size)
        known = (*map(self._with_carried, found.values()), *self._lost())
        return tuple(TwinBook(one, self.settled.get(one.twin, 0)) for one in known)

    async def restore(self, restored: Restored) -> None:
        if restored.key in self.keys:
            return
        for twin, nano in (*restored.moves, *restored.carried):
            self.settled[twin] = self.settled.get(twin, 0) + nano
        for twin, nano in restored.carried:
            if twin != LOST_FEES:
                self.carried[twin] = self.carried.get(twin, 0) + nano
        self.keys.append(restored.key)

    async def settle(self, settlement: EpochSettlement) -> None:
        if settlement.key in self.keys:
            return
        for twin, nano in settlement.moves:
            balance = self.settled.get(twin, 0) + nano
            earned = self._with_carried(self.earnings[twin]).cumulative_nano
            if nano <= 0 or nano % NANO_PER_UNIT or balance > earned:
                raise InvariantError("more is settled than was earned")
            self.settled[twin] = balance
        self.keys.append(settlement.key)
