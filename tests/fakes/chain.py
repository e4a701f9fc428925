"""A settlement chain in memory: accounts with nonces, blocks that can go away, failures on demand.

It executes commits and claims by the contract's rules, so that a publisher which breaks one of them
sees a revert and not a pass.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from bot.domain.errors import ChainUnavailableError, InvariantError, OutcomeUnknownError
from bot.domain.fees import Fees, Market, offer, raised
from bot.domain.settlement import NO_PAYOUT, ChainIdentity, ClaimChunk, Commitment, ContractState
from bot.domain.transactions import (
    BlockTag,
    Finality,
    Inclusion,
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
)
from bot.ports.chain import Broadcast, SettlementChain
from bot.settlement.claims import fold_chunk

NOTHING = Commitment(0, bytes(32), 0, bytes(32), 0, bytes(32))
START, BLOCK_S = 1_800_000_000, 12
SETTLER, RELAYER = b"S" * 20, b"R" * 20
IDENTITY = ChainIdentity(7, b"g" * 32, b"s" * 20, b"t" * 20, b"c" * 32)


class SendFault(StrEnum):
    """How the next broadcast fails."""

    LOST = "lost"
    APPLIED = "applied but errored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction in a block; reverted ones take a nonce and nothing else."""

    hash: bytes
    sender: bytes
    nonce: int
    succeeded: bool


@dataclass(slots=True)
class World:
    """What a block leaves behind."""

    commitment: Commitment = NOTHING
    before: Commitment = NOTHING
    claimed: dict[bytes, int] = field(default_factory=dict)
    balances: dict[bytes, int] = field(default_factory=dict)
    settler: bytes = SETTLER

    def copy(self) -> "World":
        return World(
            self.commitment, self.before, dict(self.claimed), dict(self.balances), self.settler
        )


@dataclass(slots=True)
class MemoryChain(SettlementChain):
    """The chain in memory.

    Attributes:
        automine: each accepted transaction gets a block at once; otherwise `mine()` does it.
        available: False makes every question fail.
        refuse_signing: a reason why every rehearsal fails.
        may_be_vetoed: whether the newest commitment waits for its delay.
        max_fee_wei: nothing is signed above it.
        tags: how deep a block is that the chain calls so.
        faults: how the next broadcasts fail, in order.
        accounts: who signs now; another one has nonces of its own.
        drained: accounts that can't pay for gas.
        sends: hashes in the order in which they were broadcast, repetitions included.
    """

    chain_identity: ChainIdentity = IDENTITY
    automine: bool = True
    available: bool = True
    refuse_signing: str = ""
    may_be_vetoed: bool = False
    delay_s: int = 0
    base_fee_wei: int = 10**9
    tip_wei: int = 10**9
    max_fee_wei: int | None = None
    tags: dict[BlockTag, int] = field(
        default_factory=lambda: {BlockTag.SAFE: 2, BlockTag.FINALIZED: 4}
    )
    faults: list[SendFault] = field(default_factory=list)
    accounts: dict[Signer, bytes] = field(
        default_factory=lambda: {Signer.SETTLER: SETTLER, Signer.RELAYER: RELAYER}
    )
    drained: set[bytes] = field(default_factory=set)
    sends: list[bytes] = field(default_factory=list)
    pool: list[SignedTransaction] = field(default_factory=list)
    blocks: list[tuple[bytes, Mined | None, World]] = field(default_factory=list)
    _calls: dict[bytes, Commitment | ClaimChunk] = field(default_factory=dict)
    _forks: int = 0

    def mine(self, *, empty: int = 0) -> None:
        """Mine the whole pool, one transaction a block, then some empty blocks."""
        while ready := [
            t
            for t in self.pool
            if t.nonce == self._next(t.sender) and t.fees.max_fee_wei >= self.base_fee_wei
        ]:
            transaction = ready[0]
            self.pool = [t for t in self.pool if not _same_nonce(t, transaction)]
            world = self._world().copy()
            succeeded = self._apply(world, transaction)
            world = world if succeeded else self._world()
            mined = Mined(transaction.hash, transaction.sender, transaction.nonce, succeeded)
            self._append(mined, world)
        for _ in range(empty):
            self._append(None, self._world())

    def reorganise(self, depth: int, *, keep_pool: bool = True) -> None:
        """Drop the newest blocks; their transactions go back to the pool, or are forgotten."""
        self._forks += 1
        if not keep_pool:
            self.pool.clear()
        del self.blocks[-depth:]

    def spend_nonce(self, signer: Signer) -> None:
        """Mine a transaction of that account which this book knows nothing of."""
        sender = self.accounts[signer]
        foreign = f"foreign {len(self.blocks)}".encode()
        self._append(Mined(foreign, sender, self._next(sender), succeeded=True), self._world())

    def name_settler(self, account: bytes) -> None:
        """Mine the owner's choice of another settler; zero lets nobody commit."""
        world = self._world().copy()
        world.settler = account
        self._append(None, world)

    def commit(self, commitment: Commitment) -> None:
        """Mine a commit of somebody else who has the settler's key."""
        world = self._world().copy()
        if not _commit(world, commitment):
            raise InvariantError("the contract takes no such commit")
        self._append(Mined(repr(commitment).encode(), world.settler, -1, succeeded=True), world)

    def veto(self) -> None:
        """Mine the guardian's veto of the newest commit."""
        world = self._world().copy()
        world.commitment = replace(world.before, epoch=world.commitment.epoch)
        self.may_be_vetoed = False
        self._append(None, world)

    async def identity(self) -> ChainIdentity:
        self._ask()
        return self.chain_identity

    async def contract(self, *, finality: Finality = 1) -> ContractState:
        self._ask()
        world = self._world_at(finality)
        paid = sum(world.claimed.values())
        root = bytes(32) if self.may_be_vetoed else world.commitment.fee_root
        # What an earlier number said is said again: only a veto does that (a commit's hash of its
        # publication holds its number).
        said = replace(world.commitment, epoch=0)
        earlier = [NOTHING, *(one.commitment for _, _, one in self.blocks)]
        vetoed = world.commitment.epoch > 0 and any(
            replace(one, epoch=0) == said and one.epoch < world.commitment.epoch for one in earlier
        )
        return ContractState(world.commitment, paid, root, self.may_be_vetoed, vetoed)

    async def veto_delay_s(self) -> int:
        self._ask()
        return self.delay_s

    async def account(self, signer: Signer) -> bytes:
        return self.accounts[signer]

    async def settler(self, *, finality: Finality = 1) -> bytes:
        self._ask()
        return self._world_at(finality).settler

    async def nonce(self, account: Signer | bytes, *, finality: Finality = 1) -> int:
        self._ask()
        sender = self.accounts[account] if isinstance(account, Signer) else account
        deep = self.blocks[: self._line(finality)]
        return sum(mined is not None and mined.sender == sender for _, mined, _ in deep)

    async def height(self, tag: BlockTag) -> int:
        self._ask()
        return self._line(tag)

    async def market(self) -> Market:
        self._ask()
        return Market(self.base_fee_wei, self.tip_wei, START + BLOCK_S * len(self.blocks))

    async def sign_commit(
        self, commitment: Commitment, *, nonce: int
    ) -> SignedTransaction | Refusal:
        return self._sign(Purpose.COMMIT, commitment.epoch, 0, nonce, commitment)

    async def sign_claims(self, chunk: ClaimChunk, *, nonce: int) -> SignedTransaction | Refusal:
        return self._sign(Purpose.CLAIM, chunk.epoch, chunk.index, nonce, chunk)

    async def raise_fees(self, transaction: SignedTransaction) -> SignedTransaction | Refusal:
        if transaction.sender != self.accounts[transaction.purpose.signer]:
            return Refusal("its account has no key here")
        call = self._calls[transaction.hash]
        job = (transaction.purpose, transaction.epoch, transaction.chunk, transaction.nonce)
        return self._sign(*job, call, over=transaction.fees)

    async def send(self, transaction: SignedTransaction) -> Broadcast | Refusal:
        self._ask()
        fault = self.faults.pop(0) if self.faults else None
        if fault is SendFault.LOST:
            raise OutcomeUnknownError("lost")
        if fault is SendFault.REFUSED:
            return Refusal("insufficient funds")
        if transaction.hash not in self._calls:
            raise InvariantError("these bytes were never signed here")
        self.sends.append(transaction.hash)
        if transaction.nonce < self._next(transaction.sender):
            return Broadcast.NONCE_USED
        if transaction.sender in self.drained:
            return Refusal("insufficient funds")
        if transaction not in self.pool:
            refusal = self._too_cheap(transaction)
            if refusal is not None:
                return refusal
            self.pool = [t for t in self.pool if not _same_nonce(t, transaction)]
            self.pool.append(transaction)
        if self.automine:
            self.mine()
        if fault is SendFault.APPLIED:
            raise OutcomeUnknownError("the answer was lost")
        return Broadcast.ACCEPTED

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        self._ask()
        for index, (block_hash, mined, _) in enumerate(self.blocks):
            if mined is not None and mined.hash == transaction_hash:
                depth = len(self.blocks) - index
                block = (index + 1, block_hash, mined.succeeded, 21_000, depth)
                return Inclusion(*block, transaction_hash)
        return None

    async def claimed(self, twins: Sequence[bytes], *, finality: Finality = 1) -> tuple[int, ...]:
        self._ask()
        return tuple(self._world_at(finality).claimed.get(twin, 0) for twin in twins)

    async def balance(self, address: bytes) -> int:
        self._ask()
        return self._world().balances.get(address, 0)

    def _ask(self) -> None:
        if not self.available:
            raise ChainUnavailableError("the node is down")

    def _world(self) -> World:
        return self.blocks[-1][2] if self.blocks else World()

    def _world_at(self, finality: Finality) -> World:
        line = self._line(finality)
        if line == len(self.blocks):
            return self._world()
        return self.blocks[line - 1][2] if line else World()

    def _next(self, sender: bytes) -> int:
        return sum(mined is not None and mined.sender == sender for _, mined, _ in self.blocks)

    def _append(self, mined: Mined | None, world: World) -> None:
        seed = f"{self._forks} {len(self.blocks)} {mined}".encode()
        self.blocks.append((hashlib.sha256(seed).digest(), mined, world))

    def _line(self, finality: Finality) -> int:
        """Return the newest block's number that is so deep."""
        deep = self.tags[finality] if isinstance(finality, BlockTag) else finality
        return max(0, len(self.blocks) - deep + 1)

    def _too_cheap(self, new: SignedTransaction) -> Refusal | None:
        if new.fees.max_fee_wei < self.base_fee_wei:
            return Refusal("max fee per gas less than block base fee", too_cheap=True)
        for old in self.pool:
            fields = (
                (old.fees.max_fee_wei, new.fees.max_fee_wei),
                (old.fees.tip_wei, new.fees.tip_wei),
            )
            if _same_nonce(old, new) and any(1_125 * a > 1_000 * b for a, b in fields):
                return Refusal("replacement transaction underpriced", too_cheap=True)
        return None

    def _sign(
        self,
        purpose: Purpose,
        epoch: int,
        chunk: int,
        nonce: int,
        call: Commitment | ClaimChunk,
        *,
        over: Fees | None = None,
    ) -> SignedTransaction | Refusal:
        self._ask()
        market = Market(self.base_fee_wei, self.tip_wei, START + BLOCK_S * len(self.blocks))
        limit = self.max_fee_wei
        fees = offer(market, limit) if over is None else raised(over, market, limit)
        if fees is None:
            return Refusal("gas costs more than the limit")
        sender = self.accounts[purpose.signer]
        raw = f"{purpose} {epoch} {chunk} {sender.hex()} {nonce} {call} {fees}".encode()
        job = (purpose, epoch, chunk, nonce, hashlib.sha256(raw).digest(), raw)
        signed = SignedTransaction(*job, fees=fees, signed_at=market.time, sender=sender)
        self._calls[signed.hash] = call
        if self.refuse_signing:
            return Refusal(self.refuse_signing)
        if not self._apply(self._world().copy(), signed):
            return Refusal("execution reverted")
        return signed

    def _apply(self, world: World, transaction: SignedTransaction) -> bool:
        call = self._calls[transaction.hash]
        if isinstance(call, ClaimChunk):
            return _claim(world, call)
        return transaction.sender == world.settler and _commit(world, call)


def _same_nonce(a: SignedTransaction, b: SignedTransaction) -> bool:
    return (a.sender, a.nonce) == (b.sender, b.nonce)


def _commit(world: World, new: Commitment) -> bool:
    old = world.commitment
    grows = new.fee_total >= old.fee_total and new.log_size >= old.log_size
    same_log = new.log_size == old.log_size and new.epoch > 1
    if new.epoch != old.epoch + 1 or not grows or (same_log and new.log_root != old.log_root):
        return False
    # A vetoed number leaves the account that stood before as the older one.
    world.before = old
    world.commitment = replace(new)
    return True


def _claim(world: World, chunk: ClaimChunk) -> bool:
    if fold_chunk(chunk) != world.commitment.fee_root:
        return False
    for leaf in chunk.leaves:
        gain = leaf.cumulative_units - world.claimed.get(leaf.twin, 0)
        if gain > 0 and leaf.payout != NO_PAYOUT:
            world.claimed[leaf.twin] = leaf.cumulative_units
            world.balances[leaf.payout] = world.balances.get(leaf.payout, 0) + gain
    return True
