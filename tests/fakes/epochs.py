"""Epochs and a book of earnings in memory, which hold their callers to the ports' contracts."""

import hashlib
from dataclasses import dataclass, field, replace

from bot.domain.errors import InvariantError
from bot.domain.payment import Payer
from bot.domain.restored import LOST_FEES, Restored, TwinBook, lost_fees
from bot.domain.settlement import (
    CLOSED,
    NANO_PER_UNIT,
    ChainIdentity,
    Commitment,
    Earnings,
    EarningsSnapshot,
    Epoch,
    EpochSettlement,
    EpochState,
    Lease,
)
from bot.domain.statements import Outcome, SealStatement
from bot.domain.transactions import (
    REPLACEABLE,
    TRANSACTION_MOVES,
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.domain.twin_log import TwinEntry, TwinLog
from bot.ports.settlement import EarningsReader, EpochStore

LIVING = (TransactionState.SIGNED, TransactionState.SENT, TransactionState.MINED)


@dataclass(slots=True)
class MemoryEpochStore(EpochStore):
    """The epoch store in memory."""

    pin_of_chain: ChainIdentity | None = None
    epochs: dict[int, Epoch] = field(default_factory=dict)
    stored: list[StoredTransaction] = field(default_factory=list)
    lease: Lease | None = None

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
        found = [e for e in self.epochs.values() if e.state not in CLOSED]
        return found[0] if found else None

    async def last_final(self) -> Epoch | None:
        found = [e for e in self.epochs.values() if e.state in CLOSED]
        return found[-1] if found else None

    async def epoch(self, number: int) -> Epoch | None:
        return self.epochs.get(number)

    async def take_over(self, epoch: Epoch) -> None:
        done = [one.number for one in self.epochs.values() if one.state in CLOSED]
        if epoch.state is not EpochState.LOST or epoch.number <= max(done, default=0):
            raise InvariantError("not lost")
        for number, found in self.epochs.items():
            if found.state not in CLOSED:
                self.epochs[number] = replace(found, state=EpochState.LOST)
        self._bury_commits()
        self.epochs[epoch.number] = epoch

    async def veto(self, epoch: Epoch) -> bool:
        if epoch.state is not EpochState.VETOED:
            raise InvariantError("not vetoed")
        done = [one.number for one in self.epochs.values() if one.state in CLOSED]
        if epoch.number != max(done, default=0) + 1:
            return False
        self._bury_commits()
        self.epochs[epoch.number] = epoch
        return True

    def _bury_commits(self) -> None:
        self.stored = [
            StoredTransaction(one.newest, TransactionState.DEAD, others=one.attempts[:-1])
            if one.state in LIVING and one.signed.purpose is Purpose.COMMIT
            else one
            for one in self.stored
        ]

    def _may_come_back(self, signed: SignedTransaction) -> bool:
        living = [
            one.signed
            for one in self.stored
            if one.signed.purpose is signed.purpose and one.state is not TransactionState.DEAD
        ]
        taken = [
            one for one in living if one.epoch == signed.epoch or _nonce(one) == _nonce(signed)
        ]
        return self.epochs[signed.epoch].state is EpochState.PLANNED and not taken

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
            if same and is_living and (job or _nonce(other.signed) == _nonce(transaction)):
                return False
            if transaction.hash in {one.hash for one in other.attempts}:
                return False
        first = replace(transaction, attempt=self._next_attempt(transaction))
        self.stored.append(StoredTransaction(first, TransactionState.SIGNED))
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
        is_commit = transaction.signed.purpose is Purpose.COMMIT
        if transaction.state is TransactionState.DEAD:
            if not is_commit:
                raise InvariantError("only a commit comes back from the dead")
            if not self._may_come_back(transaction.signed):
                return False
        if (inclusion is not None) != (to is TransactionState.MINED):
            raise InvariantError("an inclusion belongs to mined")
        if inclusion is not None and inclusion.transaction not in _hashes(transaction):
            raise InvariantError("an inclusion of something else")
        for index, found in enumerate(self.stored):
            if _hashes(found) == _hashes(transaction) and found.state is transaction.state:
                self.stored[index] = _moved(found, to, inclusion)
                if found.signed.purpose is Purpose.COMMIT:
                    dead = to is TransactionState.DEAD
                    state = EpochState.PLANNED if dead else EpochState(to)
                    number = found.signed.epoch
                    self.epochs[number] = replace(self.epochs[number], state=state)
                return True
        return False

    async def replace(self, transaction: StoredTransaction, signed: SignedTransaction) -> bool:
        old = transaction.signed
        job = (old.purpose, old.epoch, old.chunk, _nonce(old))
        if job != (signed.purpose, signed.epoch, signed.chunk, _nonce(signed)):
            raise InvariantError("another job")
        if transaction.state not in REPLACEABLE:
            raise InvariantError("nothing can be added now")
        for index, found in enumerate(self.stored):
            if _hashes(found) != _hashes(transaction) or found.state is not transaction.state:
                continue
            if any(signed.hash in _hashes(one) for one in self.stored):
                return False
            new = replace(signed, attempt=self._next_attempt(signed))
            if found.state is TransactionState.FINAL:
                self.stored[index] = replace(found, others=(*found.others, new))
                return True
            self.stored[index] = StoredTransaction(
                new, TransactionState.SIGNED, others=found.attempts
            )
            if signed.purpose is Purpose.COMMIT:
                epoch = self.epochs[signed.epoch]
                self.epochs[signed.epoch] = replace(epoch, state=EpochState.SIGNED)
            return True
        return False

    def _next_attempt(self, signed: SignedTransaction) -> int:
        return sum(
            (one.purpose, _nonce(one)) == (signed.purpose, _nonce(signed))
            for stored in self.stored
            for one in stored.attempts
        )

    async def hold(self, owner: str, *, now: int, until: int) -> Lease:
        if self.lease is None or self.lease.owner == owner or self.lease.until <= now:
            self.lease = Lease(owner, until)
        return self.lease

    async def holder(self) -> Lease | None:
        return self.lease

    async def let_go(self, owner: str) -> None:
        if self.lease is not None and self.lease.owner == owner:
            self.lease = None

    async def in_flight(self, purpose: Purpose) -> StoredTransaction | None:
        found = [t for t in self.stored if t.signed.purpose is purpose and t.state in LIVING]
        return found[0] if found else None

    async def transactions(self, purpose: Purpose, epoch: int) -> tuple[StoredTransaction, ...]:
        wanted = (purpose, epoch)
        return tuple(t for t in self.stored if (t.signed.purpose, t.signed.epoch) == wanted)


def _nonce(signed: SignedTransaction) -> tuple[bytes, int]:
    return signed.sender, signed.nonce


def _hashes(transaction: StoredTransaction) -> set[bytes]:
    return {one.hash for one in transaction.attempts}


def _moved(
    found: StoredTransaction, to: TransactionState, inclusion: Inclusion | None
) -> StoredTransaction:
    if to is TransactionState.FINAL:
        return replace(found, state=to)
    attempts = list(found.attempts)
    if inclusion is None:
        return StoredTransaction(attempts[-1], to, others=tuple(attempts[:-1]))
    mined = next(one for one in attempts if one.hash == inclusion.transaction)
    attempts.remove(mined)
    block = (inclusion.block_number, inclusion.block_hash, inclusion.gas_used)
    return StoredTransaction(mined, to, *block, tuple(attempts))


@dataclass(slots=True)
class MemoryEarnings(EarningsReader):
    """A book in memory: `earn` adds a receipt with its fee, `settle` moves what is committed."""

    log: list[tuple[bytes, TwinEntry]] = field(default_factory=list)
    payouts: dict[bytes, bytes] = field(default_factory=dict)
    numbers: dict[bytes, int] = field(default_factory=dict)
    settled: dict[bytes, int] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    log_size: int = 0
    freezes: int = 0
    seals: tuple[SealStatement, ...] = ()
    indices: list[int] = field(default_factory=list)
    mature: set[bytes] = field(default_factory=set)
    carried: dict[bytes, int] = field(default_factory=dict)

    def earn(
        self,
        twin: bytes,
        nano: int,
        *,
        payout: bytes,
        payer: Payer = Payer.SPONSOR,
        outcome: Outcome = Outcome.DELIVERED,
    ) -> TwinEntry:
        """Append the outcome of one receipt of `nano` to the log."""
        self.payouts[twin] = payout
        seq = self.numbers[twin] = self.numbers.get(twin, 0) + 1
        tag = hashlib.sha256(twin + seq.to_bytes(8, "big")).digest()
        return self._append(twin, TwinEntry(seq, nano, payer, outcome, tag))

    def reverse(self, twin: bytes, entry: TwinEntry, outcome: Outcome) -> TwinEntry:
        """Append a later outcome of a receipt."""
        return self._append(twin, replace(entry, outcome=outcome))

    def _append(self, twin: bytes, entry: TwinEntry) -> TwinEntry:
        self.log.append((twin, entry))
        self.indices.append(self.log_size)
        self.log_size += 1
        return entry

    @property
    def earnings(self) -> dict[bytes, Earnings]:
        return {twin: self._book(twin, self.log_size).earnings for twin in self.payouts}

    def _entries(self, twin: bytes, size: int) -> TwinLog:
        found = zip(self.indices, self.log, strict=True)
        return TwinLog(one for index, (owner, one) in found if owner == twin and index < size)

    def _book(self, twin: bytes, size: int) -> TwinBook:
        log = self._entries(twin, size)
        stands = {one.receipt: one for one in log.entries if one.outcome is Outcome.DELIVERED}
        for one in log.entries:
            if one.outcome is Outcome.REFUNDED:
                stands.pop(one.receipt, None)
        held = sum(
            one.creator_nano
            for tag, one in stands.items()
            if one.payer is Payer.PAID and tag not in self.mature
        )
        carried = self.carried.get(twin, 0)
        earnings = Earnings(
            twin=twin,
            payout=self.payouts[twin],
            cumulative_nano=log.tally().earned_nano - held + carried,
            entries=len(log),
            twin_log_root=log.root(),
            held_nano=held,
            carried_nano=carried,
        )
        bought = log.tally().bought_nano - held
        return TwinBook(earnings, self.settled.get(twin, 0), bought)

    def _lost(self) -> tuple[Earnings, ...]:
        nano = self.settled.get(LOST_FEES, 0)
        return (lost_fees(nano),) if nano else ()

    async def freeze(self) -> EarningsSnapshot:
        self.freezes += 1
        root = hashlib.sha256(self.log_size.to_bytes(8, "big")).digest()
        return EarningsSnapshot(
            (*self.earnings.values(), *self._lost()),
            *(self.log_size, root, self.log_size, self.seals),
        )

    async def earned(self, twin: bytes) -> Earnings | None:
        return self.earnings.get(twin)

    async def twin_log(self, twin: bytes, log_size: int) -> TwinLog:
        return self._entries(twin, log_size)

    async def standing(self, log_size: int) -> tuple[TwinBook, ...]:
        books = [self._book(twin, log_size) for twin in self.payouts]
        return (*books, *(TwinBook(one, one.cumulative_nano) for one in self._lost()))

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
            earned = self.earnings[twin].cumulative_nano
            if nano <= 0 or nano % NANO_PER_UNIT or balance > earned:
                raise InvariantError("more is settled than was earned")
            self.settled[twin] = balance
        self.keys.append(settlement.key)
