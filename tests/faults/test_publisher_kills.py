"""Every durable write and broadcast of an epoch, lost, applied but errored, or killed around.

After each fault the process is gone or goes on, with the same stores. Invariant: each epoch is
committed once, the contract's total is the book's, and every claim is paid once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import pytest

from bot.domain.errors import OutcomeUnknownError, StoreBusyError
from bot.domain.settlement import Commitment
from bot.domain.transactions import Purpose, TransactionState
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.publish import EpochPublisher, PublisherState
from tests.fakes.chain import MemoryChain
from tests.fakes.epochs import MemoryEarnings, MemoryEpochStore
from tests.fakes.settlement_rig import Opener, Rig, payout_of, twin_id

WRITES = frozenset({"pin", "plan", "record", "move", "send", "settle", "veto"})
# What one epoch writes, in order: its commit, the book, one chunk of claims. A test below holds
# this list against a clean run.
STEPS = (
    "pin",
    "plan",
    "record",  # the commit's bytes
    "send",
    "move",  # to sent
    "move",  # to mined
    "settle",
    "move",  # to final
    "record",  # the claims' bytes
    "send",
    "move",
    "move",
    "move",
)


class Kind(StrEnum):
    """How a step goes wrong."""

    LOST = "lost"
    ERRORED = "applied but errored"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Trap:
    """Counts the writes and makes one of them fail."""

    at: int = -1
    kind: Kind = Kind.LOST
    seen: list[str] = field(default_factory=list)

    async def write(self, name: str, apply: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        position = len(self.seen)
        self.seen.append(name)
        if position != self.at:
            return await apply()
        if self.kind is Kind.KILLED_BEFORE:
            raise Killed
        if self.kind is Kind.LOST:
            raise OutcomeUnknownError("lost") if name == "send" else StoreBusyError("lost")
        await apply()
        if self.kind is Kind.KILLED_AFTER:
            raise Killed
        raise OutcomeUnknownError("the answer was lost")


class Watched:
    """A port whose writes go through a trap."""

    def __init__(self, inner: object, trap: Trap) -> None:
        self._inner = inner
        self._trap = trap

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method of the port
        method = getattr(self._inner, name)
        if name not in WRITES:
            return method

        async def watched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            return await self._trap.write(name, lambda: method(*arguments, **options))

        return watched


@pytest.fixture
async def open_rig() -> AsyncIterator[Opener]:
    async with Rig.opener() as opener:
        yield opener


def publisher_over(
    chain: SettlementChain, store: EpochStore, book: EarningsReader, trap: Trap
) -> EpochPublisher:
    return EpochPublisher(
        chain=cast("SettlementChain", Watched(chain, trap)),
        store=cast("EpochStore", Watched(store, trap)),
        earnings=cast("EarningsReader", Watched(book, trap)),
    )


def earn(book: MemoryEarnings, nano: int) -> None:
    for number in range(3):
        book.earn(twin_id(number), nano + number * 777, payout=payout_of(number))


async def assert_settled(
    chain: SettlementChain, store: EpochStore, book: MemoryEarnings, *, epochs: int
) -> None:
    total = sum(item.cumulative_units for item in book.earnings.values())
    state = await chain.contract()
    assert state.commitment.epoch == epochs
    assert state.commitment.fee_total == total
    assert state.claimed_total == total
    for item in book.earnings.values():
        assert await chain.balance(item.payout) == item.cumulative_units
        assert book.settled[item.twin] == item.cumulative_units * 1_000
    assert book.keys == [f"settle:epoch:{number}" for number in range(1, epochs + 1)]
    nonces = []
    for number in range(1, epochs + 1):
        commits = await store.transactions(Purpose.COMMIT, number)
        assert [commit.state for commit in commits] == [TransactionState.FINAL]
        nonces.append(commits[0].signed.nonce)
    assert nonces == list(range(epochs))


async def test_the_table_names_every_write_of_an_epoch() -> None:
    trap = Trap()
    book = MemoryEarnings()
    earn(book, 5_000_000)

    await publisher_over(MemoryChain(), MemoryEpochStore(), book, trap).tick()

    assert tuple(trap.seen) == STEPS


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("at", range(len(STEPS)), ids=lambda at: f"{at} {STEPS[at]}")
@pytest.mark.parametrize("epoch", [1, 2])
async def test_a_fault_anywhere_costs_nothing(epoch: int, at: int, kind: Kind) -> None:
    chain, store, book = MemoryChain(), MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_000)
    for _ in range(epoch - 1):
        await publisher_over(chain, store, book, Trap()).settle_now()
        earn(book, 1_000_001)
    publisher = publisher_over(chain, store, book, Trap(at, kind))

    try:
        status = await publisher.tick()
        assert status.state is PublisherState.WAITING
    except Killed:
        publisher = publisher_over(chain, store, book, Trap())
    # Fees that arrive meanwhile belong to this epoch or to the next one, never to both.
    earn(book, 2_000_002)
    await publisher.settle_now(timeout_s=5)
    earn(book, 3_000_003)
    await publisher.settle_now(timeout_s=5)

    final = await store.last_final()
    assert final is not None
    await assert_settled(chain, store, book, epochs=final.number)


# What a tick writes that meets two vetoes in a row, and the tick after it that begins an epoch.
VETO_STEPS = ("pin", "veto", "veto", "pin", *STEPS[1:])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("at", range(len(VETO_STEPS)), ids=lambda at: f"{at} {VETO_STEPS[at]}")
async def test_a_fault_around_a_veto_costs_nothing(at: int, kind: Kind) -> None:
    chain, store, book = MemoryChain(), MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_000)
    await publisher_over(chain, store, book, Trap()).settle_now()
    earn(book, 1_000_001)
    chain.may_be_vetoed = True
    await publisher_over(chain, store, book, Trap()).tick()
    chain.veto()
    chain.commit(Commitment(3, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
    chain.veto()
    trap = Trap(at, kind)
    publisher = publisher_over(chain, store, book, trap)

    try:
        for _ in range(2):
            await publisher.tick()
    except Killed:
        publisher = publisher_over(chain, store, book, Trap())
    seen = tuple(trap.seen)
    while (status := await publisher.tick()).state is not PublisherState.IDLE:
        assert status.state is not PublisherState.HALTED, status.reason

    assert seen[: at + 1] == VETO_STEPS[: at + 1]
    states = [store.epochs[number].state for number in range(1, 5)]
    assert states == ["final", "vetoed", "vetoed", "final"]
    assert book.keys == ["settle:epoch:1", "settle:epoch:4"]
    for item in book.earnings.values():
        assert await chain.balance(item.payout) == item.cumulative_units
        assert book.settled[item.twin] == item.cumulative_units * 1_000
    (vetoed,) = await store.transactions(Purpose.COMMIT, 2)
    assert vetoed.state is TransactionState.DEAD


# What a tick writes that finds its own epoch below a vetoed one, and the tick after it.
BELOW_STEPS = ("pin", "settle", "move", "veto", "pin", *STEPS[1:])


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("at", range(len(BELOW_STEPS)), ids=lambda at: f"{at} {BELOW_STEPS[at]}")
async def test_a_fault_around_a_veto_above_our_epoch_costs_nothing(at: int, kind: Kind) -> None:
    chain, store, book = MemoryChain(), MemoryEpochStore(), MemoryEarnings()
    earn(book, 5_000_000)
    chain.may_be_vetoed = True
    await publisher_over(chain, store, book, Trap()).tick()
    chain.commit(Commitment(2, b"f" * 32, 10**9, b"l" * 32, 10**6, b"d" * 32))
    chain.veto()
    earn(book, 1_000_001)
    trap = Trap(at, kind)
    publisher = publisher_over(chain, store, book, trap)

    try:
        for _ in range(2):
            await publisher.tick()
    except Killed:
        publisher = publisher_over(chain, store, book, Trap())
    seen = tuple(trap.seen)
    while (status := await publisher.tick()).state is not PublisherState.IDLE:
        assert status.state is not PublisherState.HALTED, status.reason

    assert seen[: at + 1] == BELOW_STEPS[: at + 1]
    assert [store.epochs[number].state for number in (1, 2, 3)] == ["final", "vetoed", "final"]
    assert book.keys == ["settle:epoch:1", "settle:epoch:3"]
    for item in book.earnings.values():
        assert await chain.balance(item.payout) == item.cumulative_units
        assert book.settled[item.twin] == item.cumulative_units * 1_000


@pytest.mark.parametrize("kind", [Kind.KILLED_BEFORE, Kind.KILLED_AFTER])
@pytest.mark.parametrize("at", range(len(STEPS)), ids=lambda at: f"{at} {STEPS[at]}")
async def test_a_restart_from_the_files_goes_on(
    tmp_path: Path, open_rig: Opener, at: int, kind: Kind
) -> None:
    book = MemoryEarnings()
    earn(book, 5_000_000)
    rig = await open_rig(tmp_path)
    with pytest.raises(Killed):
        await publisher_over(rig.chain, rig.store, book, Trap(at, kind)).tick()
    await rig.close()

    rig = await open_rig(tmp_path)
    publisher = publisher_over(rig.chain, rig.store, book, Trap())
    await publisher.settle_now()
    earn(book, 3_000_003)
    await publisher.settle_now()

    await assert_settled(rig.chain, rig.store, book, epochs=2)
