"""A book that was put back from an old copy, and a chain that knows more: what a seal allows."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import VerifierKey
from bot.domain.errors import InvariantError
from bot.domain.payment import Payer
from bot.domain.restored import LOST_FEES, TwinBook
from bot.domain.settlement import Commitment, Epoch, EpochState
from bot.domain.statements import SealStatement
from bot.domain.transactions import BlockTag, Purpose, TransactionState
from bot.settlement.publish import PublisherState
from bot.settlement.restored import plan_restored
from bot.settlement.second import SecondOpinion
from bot.settlement.takeover import Takeover
from tests.fakes.chain import MemoryChain
from tests.fakes.settlement_house import House, settle
from tests.fakes.settlement_rig import earnings_of, payout_of, twin_id

OLD, NEW = (VerifierKey(f"{n}.example/log", public_key_of(bytes([n]) * 32)) for n in (1, 2))
FEE, UNITS = 5_000_000, 5_000


async def _lose(*, lost: int = 3, relays: bool = True) -> House:
    """Settle, copy the book, answer on for two twins and settle, and put the copy back."""
    house = House(relays=relays)
    house.earn(FEE)
    await settle(house)
    house.earn(FEE)
    old = copy.deepcopy((house.store, house.book))
    for _ in range(lost):
        house.earn(FEE, FEE)
    await settle(house)
    house.store, house.book = old
    return house


async def _sealed(*, lost: int = 3, relays: bool = True) -> House:
    """Let the log of the copy be sealed, and another one go on."""
    house = await _lose(lost=lost, relays=relays)
    committed = (await house.chain.contract()).commitment
    kept = house.book.log_size
    seal = SealStatement(OLD, committed.log_size, committed.log_root, kept, NEW)
    house.book.seals = (seal,)
    house.book.log_size += 1  # the seal's leaf
    return house


async def _grow(house: House) -> None:
    """Let the new log get larger than the sealed one was, with replies of the first twin."""
    size = (await house.chain.contract()).commitment.log_size
    while house.book.log_size <= size:
        house.earn(FEE)


async def test_a_log_that_is_shorter_than_the_chain_knows_defers_and_says_why() -> None:
    house = await _sealed()
    sent = len(house.chain.sends)

    status = await house.publisher().tick()
    final = await house.publisher().settle_now(timeout_s=5)

    assert status.state is PublisherState.DEFERRED
    assert status.reason.startswith(
        "Epoch 2 on the chain names 8 leaves of the log that was sealed, and the log that "
        "continues it has 3: fees are committed again when it has more."
    )
    assert final is not None
    assert final.number == 1
    assert len(house.chain.sends) == sent


async def test_a_log_that_has_grown_goes_on_and_every_reply_is_paid_once() -> None:
    house = await _sealed()
    before = await house.chain.balance(payout_of(0))
    replies_here = 2
    await _grow(house)
    new = house.book.earnings[twin_id(0)].entries - replies_here

    status = await house.publisher().tick()

    lost, epoch = house.store.epochs[2], house.store.epochs[3]
    assert status.state is PublisherState.IDLE
    assert (lost.state, epoch.state) == (EpochState.LOST, EpochState.FINAL)
    assert lost.commitment.fee_total == sum(one.cumulative_units for one in lost.earnings)
    # Paid for lost replies: what came after is paid beside it, and is not swallowed by it.
    assert await house.chain.balance(payout_of(0)) == before + new * UNITS
    assert house.book.carried == {twin_id(0): 3 * FEE}
    # The second twin is in no book any more; what it was paid stays in the totals.
    assert house.book.settled[LOST_FEES] == 3 * FEE
    assert epoch.commitment.fee_total == lost.commitment.fee_total + new * UNITS
    assert (await house.chain.contract()).commitment == epoch.commitment


async def test_what_was_committed_and_not_claimed_stays_in_the_totals() -> None:
    house = await _sealed(relays=False)
    total = (await house.chain.contract()).commitment.fee_total
    await _grow(house)

    status = await house.publisher().tick()

    assert status.state is PublisherState.IDLE
    lost = {one.twin: one.cumulative_units for one in house.store.epochs[2].earnings}
    assert lost == {twin_id(0): 2 * UNITS, LOST_FEES: total - 2 * UNITS}
    assert house.store.epochs[3].commitment.fee_total > total


async def test_the_next_epoch_after_it_is_an_ordinary_one() -> None:
    house = await _sealed()
    await _grow(house)
    await house.publisher().tick()
    house.earn(FEE, FEE)

    status = await house.publisher().tick()

    assert status.state is PublisherState.IDLE
    assert house.store.epochs[4].state is EpochState.FINAL
    assert await house.chain.balance(payout_of(1)) == 3 * UNITS  # of replies that are lost


async def test_a_twin_that_is_back_is_paid_beside_what_it_was_paid_before() -> None:
    house = await _sealed()
    house.earn(FEE, FEE)  # its creator signed again
    await _grow(house)

    await house.publisher().tick()

    assert house.book.carried[twin_id(1)] == 3 * FEE
    assert await house.chain.balance(payout_of(1)) == 4 * UNITS
    assert LOST_FEES not in house.book.settled


async def test_without_a_seal_it_halts() -> None:
    house = await _lose()
    await _grow(house)

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert "restored from a backup" in status.reason
    assert list(house.store.epochs) == [1]


async def test_an_epoch_that_no_seal_explains_halts() -> None:
    house = await _sealed()
    (seal,) = house.book.seals
    smaller = SealStatement(OLD, seal.size - 1, seal.root, seal.kept, NEW)
    house.book.seals = (smaller,)
    await _grow(house)

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert list(house.store.epochs) == [1]


async def test_what_can_still_be_vetoed_is_not_taken_over() -> None:
    house = await _sealed()
    await _grow(house)
    house.chain.may_be_vetoed = True

    status = await house.publisher().tick()

    assert (status.state, status.reason) == (
        PublisherState.WAITING,
        "epoch 2 can still be vetoed",
    )
    assert list(house.store.epochs) == [1]


async def test_a_commit_that_was_under_way_in_the_copy_is_over() -> None:
    house = House()
    house.earn(FEE)
    house.chain.refuse_signing = "later"
    await house.publisher().tick()
    old = copy.deepcopy((house.store, house.book))
    house.chain.refuse_signing = ""
    await settle(house)
    house.earn(FEE)
    await settle(house)
    house.store, house.book = old
    committed = (await house.chain.contract()).commitment
    house.book.seals = (
        SealStatement(OLD, committed.log_size, committed.log_root, house.book.log_size, NEW),
    )
    house.book.log_size += 1
    await _grow(house)

    status = await house.publisher().tick()

    states = [house.store.epochs[number].state for number in (1, 2, 3)]
    assert status.state is PublisherState.IDLE
    assert states == [EpochState.LOST, EpochState.LOST, EpochState.FINAL]


async def test_killed_before_the_epoch_is_taken_over_nothing_is_carried_twice() -> None:
    house = await _sealed()
    await _grow(house)
    other = copy.deepcopy(house)
    await house.publisher().tick()
    wanted = dict(house.book.settled)
    seal = other.book.seals[0]
    there = (await other.chain.contract()).commitment
    books = await other.book.standing(seal.kept)
    twins = [book.earnings.twin for book in books]
    claimed = dict(zip(twins, await other.chain.claimed(twins), strict=True))
    await other.book.restore(plan_restored(books, claimed, there))

    status = await other.publisher().tick()

    assert status.state is PublisherState.IDLE
    assert other.book.settled == wanted
    assert other.store.epochs[2] == house.store.epochs[2]


def test_a_chain_that_committed_less_than_the_book_knows_is_refused() -> None:
    books = [TwinBook(earnings_of(0, 9_000), 0)]

    with pytest.raises(InvariantError, match="committed less than this book knows"):
        plan_restored(books, {}, Commitment(2, bytes(32), 8, bytes(32), 9, bytes(32)))


async def test_commits_of_the_copy_do_not_come_back() -> None:
    house = await _sealed()
    await _grow(house)

    await house.publisher().tick()

    assert await house.store.in_flight(Purpose.COMMIT) is None
    commits = [one for one in house.store.stored if one.signed.purpose is Purpose.COMMIT]
    assert {one.state for one in commits} == {TransactionState.FINAL}
    assert isinstance(house.store.epochs[3], Epoch)


async def _sealed_with_bought(*, matured_before: bool) -> House:
    """Settle a sponsored fee, sell one, lose the book that let it mature and paid it."""
    house = House()
    house.earn(FEE)
    await settle(house)
    bought = house.book.earn(twin_id(0), FEE, payout=payout_of(0), payer=Payer.PAID)
    old = copy.deepcopy((house.store, house.book))
    if matured_before:
        house.book.mature.add(bought.receipt)
    house.earn(FEE)
    await settle(house)
    house.store, house.book = old
    committed = (await house.chain.contract()).commitment
    kept = house.book.log_size
    house.book.seals = (SealStatement(OLD, committed.log_size, committed.log_root, kept, NEW),)
    house.book.log_size += 1
    return house


async def test_fees_that_the_chain_paid_and_the_copy_holds_are_waited_for() -> None:
    house = await _sealed_with_bought(matured_before=True)
    await _grow(house)
    paid = await house.chain.balance(payout_of(0))

    early = await house.publisher().tick()
    held = {entry.receipt for _, entry in house.book.log if entry.payer is Payer.PAID}
    house.book.mature |= held
    status = await house.publisher().tick()

    assert early.state is PublisherState.DEFERRED
    assert "still holds" in early.reason
    assert status.state is PublisherState.IDLE
    # Only the reply that was lost is carried: the bought one is in the book, and counts once.
    assert house.book.carried == {twin_id(0): FEE}
    new = house.book.earnings[twin_id(0)].entries - 2
    assert paid == 3 * UNITS
    assert await house.chain.balance(payout_of(0)) == paid + new * UNITS


async def test_fees_that_matured_after_the_lost_epoch_do_not_stop_it() -> None:
    house = await _sealed_with_bought(matured_before=False)
    paid = await house.chain.balance(payout_of(0))
    house.book.mature |= {entry.receipt for _, entry in house.book.log}
    await _grow(house)

    status = await house.publisher().tick()

    assert status.state is PublisherState.IDLE, status.reason
    assert paid == 2 * UNITS
    earnings = house.book.earnings[twin_id(0)]
    assert await house.chain.balance(payout_of(0)) == earnings.cumulative_units
    assert (await house.chain.contract()).commitment.fee_total >= earnings.cumulative_units


def test_what_may_have_been_held_counts_only_as_far_as_it_was_paid() -> None:
    books = [TwinBook(earnings_of(0, 9_000), 0, bought_nano=4_000)]

    plan = plan_restored(books, {}, Commitment(2, bytes(32), 6, bytes(32), 9, bytes(32)))
    paid = plan_restored(
        books, {twin_id(0): 6}, Commitment(2, bytes(32), 6, bytes(32), 9, bytes(32))
    )

    assert plan.moves == ((twin_id(0), 5_000),)
    assert plan.carried == ((LOST_FEES, 1_000),)
    assert (paid.moves, paid.carried) == (((twin_id(0), 6_000),), ())


async def test_nothing_is_taken_over_that_is_not_final() -> None:
    house = await _sealed()
    await _grow(house)
    house.finality = BlockTag.FINALIZED
    publisher = house.publisher()

    early = await publisher.tick()
    kept = list(house.store.epochs)
    house.chain.mine(empty=4)
    await publisher.tick(begin=False)

    assert (early.state, early.reason) == (
        PublisherState.WAITING,
        "epoch 2 on the chain is not final yet",
    )
    assert kept == [1]
    assert house.store.epochs[2].state is EpochState.LOST


async def test_claims_that_are_not_final_yet_are_waited_for() -> None:
    house = await _sealed()
    await _grow(house)
    # The commit is final, its claims are in the newest block.
    house.finality = 2
    newest, final = await house.chain.contract(), await house.chain.contract(finality=2)
    assert (newest.commitment, newest.claimed_total) == (final.commitment, 8 * UNITS)
    assert final.claimed_total < newest.claimed_total
    publisher = house.publisher()

    early = await publisher.tick()
    house.chain.mine(empty=1)
    await publisher.tick(begin=False)

    assert early.reason == "claims of the epochs that were lost are not final yet"
    assert house.store.epochs[2].state is EpochState.LOST


async def test_one_node_alone_takes_nothing_over() -> None:
    house = await _sealed()
    await _grow(house)
    blocks = house.chain.blocks
    second = MemoryChain(blocks=list(blocks[:-2]))
    house.second = second

    behind = await house.publisher().tick()
    second.blocks = list(blocks)
    second.available = False
    silent = await house.publisher().tick()
    second.available = True
    kept = list(house.store.epochs)
    agreed = await house.publisher().tick()

    assert behind.state is silent.state is PublisherState.WAITING
    assert behind.reason == "the second RPC does not call epoch 2 final yet"
    assert "gives no answer that counts" in silent.reason
    assert kept == [1]
    assert house.store.epochs[2].state is EpochState.LOST
    assert "the second RPC" in agreed.reason  # for the commit that comes next


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (
            lambda one: replace(one, fee_total=10**9),
            "shows other contents of the contract: epoch 2",
        ),
        (
            lambda one: replace(one, data_hash=b"z" * 32),
            "shows other contents of the contract: epoch 2",
        ),
        (lambda one: replace(one, epoch=3), "shows other contents of the contract: epoch 3"),
        (None, "shows other payouts than the first one"),
    ],
    ids=["total", "publication", "number", "payouts"],
)
async def test_two_nodes_that_contradict_each_other_halt_a_takeover(
    lie: Callable[[Commitment], Commitment] | None, words: str
) -> None:
    house = await _sealed()
    await _grow(house)
    world = house.chain.blocks[-1][2].copy()
    if lie is not None:
        world.commitment = lie(world.commitment)
    else:
        world.claimed[twin_id(0)] += UNITS
        world.claimed[twin_id(1)] -= UNITS
    house.second = MemoryChain(blocks=[*house.chain.blocks[:-1], (b"x" * 32, None, world)])

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert words in status.reason
    assert "epoch 2 is not taken over on the word of one node" in status.reason
    assert list(house.store.epochs) == [1]
    assert house.book.carried == {}


async def test_a_second_node_of_another_chain_halts_a_takeover() -> None:
    house = await _sealed()
    await _grow(house)
    identity = replace(house.chain.chain_identity, genesis_hash=b"x" * 32)
    house.second = MemoryChain(blocks=house.chain.blocks, chain_identity=identity)

    status = await house.publisher().tick()

    assert status.state is PublisherState.HALTED
    assert "serves another chain or contract: correct second_rpc_url" in status.reason
    assert list(house.store.epochs) == [1]


async def test_what_an_operator_adopts_must_be_final_and_confirmed_too() -> None:
    house = await _lose()
    await _grow(house)
    there = (await house.chain.contract()).commitment
    await house.store.pin(await house.chain.identity())
    second = MemoryChain(blocks=list(house.chain.blocks))
    opinion = SecondOpinion(chain=second, store=house.store, finality=2)
    takeover = Takeover(
        chain=house.chain, store=house.store, earnings=house.book, finality=2, second=opinion
    )
    house.chain.reorganise(1)  # the claims
    early = await takeover.adopt(there)
    house.chain.mine(empty=1)
    second.blocks[-1][2].commitment = replace(there, fee_total=7)
    second.mine(empty=1)
    with pytest.raises(InvariantError, match="not taken over on the word of one node"):
        await takeover.adopt(there)
    second.blocks = list(house.chain.blocks)

    assert early is not None
    assert early.reason == "epoch 2 on the chain is not final yet"
    assert await takeover.adopt(there) is None
    assert house.store.epochs[2].commitment == there
