"""A publisher with all its fakes, and what must hold when it has come to rest."""

from dataclasses import dataclass, field

from bot.domain.settlement import Epoch, to_units
from bot.domain.transactions import Finality, Purpose, TransactionState
from bot.ports.clock import Clock
from bot.settlement.lease import PublisherLease
from bot.settlement.publish import EpochPublisher
from tests.fakes.chain import MemoryChain
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_rig import payout_of, twin_id


@dataclass
class House:
    """A publisher with its fakes."""

    chain: MemoryChain = field(default_factory=MemoryChain)
    store: MemoryEpochStore = field(default_factory=MemoryEpochStore)
    book: MemoryEarnings = field(default_factory=MemoryEarnings)
    finality: Finality = 1
    relays: bool = True
    second: MemoryChain | None = None
    lease: PublisherLease | None = None
    patience_s: int = 120
    clock: Clock | None = None

    def publisher(self) -> EpochPublisher:
        return EpochPublisher(
            chain=self.chain,
            store=self.store,
            earnings=self.book,
            finality=self.finality,
            relays=self.relays,
            second=self.second,
            lease=self.lease,
            patience_s=self.patience_s,
            clock=self.clock,
        )

    def earn(self, *nano: int) -> None:
        for number, amount in enumerate(nano):
            self.book.earn(twin_id(number), amount, payout=payout_of(number))

    async def assert_settled(self) -> None:
        """Book, contract and pay-out balances agree, and nothing was done twice."""
        total = sum(to_units(item.cumulative_nano) for item in self.book.earnings.values())
        state = await self.chain.contract()
        final = await self.store.last_final()
        assert final is not None
        assert state.commitment == final.commitment
        assert state.commitment.fee_total == total
        assert state.claimed_total == total
        for item in self.book.earnings.values():
            assert await self.chain.balance(item.payout) == item.cumulative_units
            assert self.book.settled.get(item.twin, 0) == item.cumulative_units * 1_000
        finals = [t for t in self.store.stored if t.state is TransactionState.FINAL]
        commits = [t.signed.epoch for t in finals if t.signed.purpose is Purpose.COMMIT]
        vetoed = {one.number for one in self.store.epochs.values() if one.state == "vetoed"}
        assert commits == [n for n in range(1, final.number + 1) if n not in vetoed]


async def settle(house: House) -> Epoch:
    epoch = await house.publisher().settle_now(timeout_s=5)
    assert epoch is not None
    return epoch
