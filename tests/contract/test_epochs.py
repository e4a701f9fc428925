"""What every epoch store must do, over the fake and over SQLite, also after a reopening."""

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.epochs import SCHEMA, SqliteEpochStore
from bot.domain.errors import InvariantError
from bot.domain.fees import Fees
from bot.domain.settlement import Commitment, Epoch, EpochState, Lease
from bot.domain.transactions import (
    Inclusion,
    Purpose,
    SignedTransaction,
    StoredTransaction,
    TransactionState,
)
from bot.ports.settlement import EpochStore
from tests.fakes.chain import IDENTITY
from tests.fakes.epochs import MemoryEpochStore
from tests.fakes.settlement_rig import earnings_of

HASH = b"commit 1 0 0".ljust(32, b".")
INCLUSION = Inclusion(5, b"b" * 32, True, 90_000, 1, HASH)  # noqa: FBT003


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EpochStore]:
    if request.param == "memory":
        yield MemoryEpochStore()
        return
    database = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    yield SqliteEpochStore(database)
    await database.close()


def epoch_of(number: int) -> Epoch:
    commitment = Commitment(number, b"f" * 32, 12, b"l" * 32, 34, b"d" * 32)
    return Epoch(commitment, (earnings_of(2, 7_000), earnings_of(1, 5_001)), cutoff=56)


def signed_of(
    epoch: int, *, purpose: Purpose = Purpose.COMMIT, chunk: int = 0, nonce: int = 0
) -> SignedTransaction:
    name = f"{purpose} {epoch} {chunk} {nonce}".encode()
    return SignedTransaction(purpose, epoch, chunk, nonce, name.ljust(32, b"."), b"raw " + name)


async def current(store: EpochStore, purpose: Purpose = Purpose.COMMIT) -> StoredTransaction:
    transaction = await store.in_flight(purpose)
    assert transaction is not None
    return transaction


async def take_to_final(store: EpochStore, number: int, *, nonce: int = 0) -> None:
    assert await store.plan(epoch_of(number))
    await finish(store, number, nonce=nonce)


async def finish(store: EpochStore, number: int, *, nonce: int) -> None:
    assert await store.record(signed_of(number, nonce=nonce))
    assert await store.move(await current(store), TransactionState.SENT)
    assert await mine(store)
    assert await store.move(await current(store), TransactionState.FINAL)


async def mine(store: EpochStore, attempt: int = 0) -> bool:
    found = await current(store)
    inclusion = replace(INCLUSION, transaction=found.attempts[attempt].hash)
    return await store.move(found, TransactionState.MINED, inclusion)


def dearer(old: SignedTransaction, wei: int) -> SignedTransaction:
    name = f"{old.nonce} at {wei}".encode()
    return replace(
        old,
        hash=name.ljust(32, b"."),
        raw=b"raw " + name,
        fees=Fees(wei, wei // 2),
        signed_at=wei,
    )


async def test_the_first_identity_is_kept(store: EpochStore) -> None:
    assert await store.pin(IDENTITY) == IDENTITY
    assert await store.pin(replace(IDENTITY, chain_id=8)) == IDENTITY


async def test_the_identity_can_be_read_without_pinning_one(store: EpochStore) -> None:
    assert await store.pinned() is None
    await store.pin(IDENTITY)

    assert await store.pinned() == IDENTITY


async def test_a_leaf_is_anchored_by_the_first_final_epoch_that_holds_it(
    store: EpochStore,
) -> None:
    await take_to_final(store, 1)
    assert await store.plan(grown(2, log_size=40))
    before = await store.anchoring(34)
    await finish(store, 2, nonce=1)

    found = [await store.anchoring(index) for index in (0, 33, 34, 39, 40)]

    assert before is None, "an epoch that is not final anchors nothing"
    assert [one and one.epoch for one in found] == [1, 1, 2, 2, None]
    assert found[2] == grown(2, log_size=40).commitment


def grown(number: int, *, log_size: int) -> Epoch:
    epoch = epoch_of(number)
    return replace(epoch, commitment=replace(epoch.commitment, log_size=log_size))


async def test_an_empty_store_has_nothing(store: EpochStore) -> None:
    assert await store.open_epoch() is None
    assert await store.last_final() is None
    assert await store.epoch(1) is None
    assert await store.in_flight(Purpose.COMMIT) is None
    assert await store.transactions(Purpose.CLAIM, 1) == ()


async def test_a_planned_epoch_is_read_back_whole(store: EpochStore) -> None:
    assert await store.plan(epoch_of(1))

    assert await store.open_epoch() == epoch_of(1)
    assert await store.epoch(1) == epoch_of(1)


async def test_epochs_have_no_holes_and_only_one_is_open(store: EpochStore) -> None:
    assert not await store.plan(epoch_of(2))
    assert await store.plan(epoch_of(1))
    assert not await store.plan(epoch_of(1))
    assert not await store.plan(epoch_of(2))


async def test_only_planned_epochs_can_be_added(store: EpochStore) -> None:
    with pytest.raises(InvariantError):
        await store.plan(replace(epoch_of(1), state=EpochState.FINAL))


async def test_a_commit_takes_its_epoch_along(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    states = []
    assert await store.record(signed_of(1))
    for to, inclusion in (
        (TransactionState.SENT, None),
        (TransactionState.MINED, INCLUSION),
        (TransactionState.SENT, None),
        (TransactionState.MINED, INCLUSION),
        (TransactionState.FINAL, None),
    ):
        states.append((await store.epoch(1), (await current(store)).state))
        assert await store.move(await current(store), to, inclusion)

    assert [(str(epoch and epoch.state), str(state)) for epoch, state in states] == [
        (state, state) for state in ("signed", "sent", "mined", "sent", "mined")
    ]
    final = await store.last_final()
    assert final == replace(epoch_of(1), state=EpochState.FINAL)
    assert await store.in_flight(Purpose.COMMIT) is None


async def test_a_stored_transaction_is_read_back_whole(store: EpochStore) -> None:
    await take_to_final(store, 1)

    assert await store.transactions(Purpose.COMMIT, 1) == (
        StoredTransaction(signed_of(1), TransactionState.FINAL, 5, b"b" * 32, 90_000),
    )


async def test_leaving_the_chain_forgets_the_block(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    await store.move(await current(store), TransactionState.SENT)
    await store.move(await current(store), TransactionState.MINED, INCLUSION)

    await store.move(await current(store), TransactionState.SENT)

    assert await current(store) == StoredTransaction(signed_of(1), TransactionState.SENT)


async def test_a_dead_commit_makes_room_for_another_one(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1, nonce=0))
    assert not await store.record(signed_of(1, nonce=1))

    await store.move(await current(store), TransactionState.DEAD)

    epoch = await store.open_epoch()
    assert epoch is not None
    assert epoch.state is EpochState.PLANNED
    assert await store.record(signed_of(1, nonce=1))
    assert len(await store.transactions(Purpose.COMMIT, 1)) == 2


async def test_a_move_from_a_state_that_has_passed_changes_nothing(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    stale = await current(store)
    await store.move(stale, TransactionState.SENT)

    assert not await store.move(stale, TransactionState.SENT)
    assert not await store.move(stale, TransactionState.DEAD)
    assert (await current(store)).state is TransactionState.SENT


@pytest.mark.parametrize(
    ("to", "inclusion"),
    [
        (TransactionState.MINED, INCLUSION),
        (TransactionState.FINAL, None),
        (TransactionState.SENT, INCLUSION),
    ],
)
async def test_impossible_moves_are_refused(
    store: EpochStore, to: TransactionState, inclusion: Inclusion | None
) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))

    with pytest.raises(InvariantError):
        await store.move(await current(store), to, inclusion)


async def test_a_commit_needs_its_epoch_planned(store: EpochStore) -> None:
    assert not await store.record(signed_of(1))


async def test_claims_need_a_final_epoch_and_leave_it_alone(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    assert not await store.record(signed_of(1, purpose=Purpose.CLAIM))
    await store.record(signed_of(1))
    await store.move(await current(store), TransactionState.SENT)
    await store.move(await current(store), TransactionState.MINED, INCLUSION)
    await store.move(await current(store), TransactionState.FINAL)

    assert await store.record(signed_of(1, purpose=Purpose.CLAIM))
    await store.move(await current(store, Purpose.CLAIM), TransactionState.DEAD)

    final = await store.last_final()
    assert final is not None
    assert final.number == 1


async def test_a_nonce_belongs_to_one_living_transaction_of_its_signer(store: EpochStore) -> None:
    await take_to_final(store, 1, nonce=4)

    assert await store.record(signed_of(1, purpose=Purpose.CLAIM, chunk=0, nonce=4))
    assert not await store.record(signed_of(1, purpose=Purpose.CLAIM, chunk=1, nonce=4))
    assert not await store.record(signed_of(1, purpose=Purpose.CLAIM, chunk=0, nonce=5))
    assert await store.record(signed_of(1, purpose=Purpose.CLAIM, chunk=1, nonce=5))


async def test_the_newest_final_epoch_is_found(store: EpochStore) -> None:
    await take_to_final(store, 1, nonce=0)
    await take_to_final(store, 2, nonce=1)
    await store.plan(epoch_of(3))

    final = await store.last_final()
    assert final is not None
    assert final.number == 2


async def test_everything_survives_a_reopening(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    await SqliteEpochStore(first).pin(IDENTITY)
    await take_to_final(SqliteEpochStore(first), 1)
    await first.close()

    second = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    store = SqliteEpochStore(second)
    assert await store.pin(replace(IDENTITY, chain_id=8)) == IDENTITY
    assert await store.last_final() == replace(epoch_of(1), state=EpochState.FINAL)
    await second.close()


def lost_of(number: int) -> Epoch:
    return replace(epoch_of(number), state=EpochState.LOST)


async def test_a_lost_epoch_is_the_newest_one_with_whatever_number(store: EpochStore) -> None:
    await take_to_final(store, 1)
    await store.take_over(lost_of(4))

    assert await store.last_final() == await store.epoch(4) == lost_of(4)
    assert (await store.epoch(2), await store.open_epoch()) == (None, None)
    assert not await store.plan(epoch_of(4))
    assert await store.plan(grown(5, log_size=40))


async def test_a_lost_epoch_anchors_nothing_and_relays_nothing(store: EpochStore) -> None:
    await store.take_over(lost_of(2))

    assert await store.anchoring(0) is None
    assert not await store.record(signed_of(2, purpose=Purpose.CLAIM))


@pytest.mark.parametrize("is_mined", [False, True])
async def test_an_open_epoch_is_lost_when_a_later_one_is_taken_over(
    store: EpochStore,
    is_mined: bool,  # noqa: FBT001
) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    if is_mined:
        assert await store.move(await current(store), TransactionState.SENT)
        assert await mine(store)
    await store.take_over(lost_of(3))

    first = await store.epoch(1)
    assert first == replace(epoch_of(1), state=EpochState.LOST)
    assert await store.in_flight(Purpose.COMMIT) is None
    (commit,) = await store.transactions(Purpose.COMMIT, 1)
    assert (commit.state, commit.block_number) == (TransactionState.DEAD, None)
    assert await store.anchoring(0) is None, "it may have been vetoed"


async def test_the_open_epoch_of_the_same_number_is_replaced(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    fewer = replace(lost_of(1), earnings=epoch_of(1).earnings[:1])
    await store.take_over(fewer)

    assert (await store.epoch(1), await store.open_epoch()) == (fewer, None)


async def test_the_open_epoch_of_the_same_number_is_replaced_with_all_its_contents(
    store: EpochStore,
) -> None:
    await store.plan(epoch_of(1))
    said = replace(
        lost_of(1).commitment,
        fee_total=0,
        fee_root=bytes([7]) * 32,
        log_root=bytes([8]) * 32,
        data_hash=bytes([9]) * 32,
    )
    other = replace(lost_of(1), commitment=said, earnings=())
    await store.take_over(other)

    assert (await store.last_final(), await store.open_epoch()) == (other, None)


async def test_only_a_lost_epoch_above_the_final_ones_is_taken_over(store: EpochStore) -> None:
    await take_to_final(store, 1)

    for wrong in (lost_of(1), epoch_of(2), replace(epoch_of(2), state=EpochState.FINAL)):
        with pytest.raises(InvariantError):
            await store.take_over(wrong)
    assert await store.epoch(2) is None


async def test_another_attempt_is_signed_again_and_any_of_them_may_be_mined(
    store: EpochStore,
) -> None:
    first = signed_of(1)
    await store.plan(epoch_of(1))
    await store.record(first)
    await store.move(await current(store), TransactionState.SENT)

    assert await store.replace(await current(store), dearer(first, 200))
    replaced, epoch = await current(store), await store.open_epoch()
    await store.move(replaced, TransactionState.SENT)
    assert await mine(store, attempt=0)
    mined = await current(store)

    second = replace(dearer(first, 200), attempt=1)
    assert epoch is not None
    assert (replaced.state, epoch.state) == (TransactionState.SIGNED, EpochState.SIGNED)
    assert (replaced.signed, replaced.attempts) == (second, (first, second))
    assert mined == StoredTransaction(
        first, TransactionState.MINED, 5, b"b" * 32, 90_000, others=(second,)
    )
    await store.move(mined, TransactionState.SENT)
    assert (await current(store)).signed == second, "back in no block, the newest counts"


async def test_an_attempt_is_added_only_to_what_was_read(store: EpochStore) -> None:
    first = signed_of(1)
    await store.plan(epoch_of(1))
    await store.record(first)
    stale = await current(store)

    assert await store.replace(stale, dearer(first, 200))

    assert not await store.replace(stale, dearer(first, 300)), "somebody else was faster"
    assert not await store.move(stale, TransactionState.DEAD), "its other attempt may be mined"
    assert not await store.replace(await current(store), dearer(first, 200)), "known bytes"
    assert [one.attempt for one in (await current(store)).attempts] == [0, 1]


@pytest.mark.parametrize(
    "other",
    [signed_of(1, nonce=1), signed_of(2), signed_of(1, purpose=Purpose.CLAIM)],
    ids=["nonce", "epoch", "purpose"],
)
async def test_another_job_is_no_attempt(store: EpochStore, other: SignedTransaction) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))

    with pytest.raises(InvariantError):
        await store.replace(await current(store), other)


async def test_what_a_block_holds_gets_no_attempt_until_it_is_final_and_lost(
    store: EpochStore,
) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    await store.move(await current(store), TransactionState.SENT)
    await mine(store)
    with pytest.raises(InvariantError):
        await store.replace(await current(store), dearer(signed_of(1), 200))
    await store.move(await current(store), TransactionState.FINAL)
    (final,) = await store.transactions(Purpose.COMMIT, 1)

    assert await store.replace(final, dearer(signed_of(1), 200))

    (after,) = await store.transactions(Purpose.COMMIT, 1)
    assert (after.state, after.signed) == (TransactionState.FINAL, signed_of(1))
    assert [one.attempt for one in after.attempts] == [0, 1]
    assert after.newest.fees == Fees(200, 100)
    epoch = await store.last_final()
    assert epoch is not None
    assert epoch.state is EpochState.FINAL


async def test_an_inclusion_of_something_else_is_refused(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    await store.move(await current(store), TransactionState.SENT)

    with pytest.raises(InvariantError):
        await store.move(
            await current(store),
            TransactionState.MINED,
            replace(INCLUSION, transaction=b"x" * 32),
        )


async def test_a_nonce_that_a_chain_gives_back_counts_its_attempts_on(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    await store.move(await current(store), TransactionState.DEAD)

    assert await store.record(dearer(signed_of(1), 300))

    assert (await current(store)).signed.attempt == 1


async def test_one_owner_has_the_lease_until_it_runs_out_or_is_given_back(
    store: EpochStore,
) -> None:
    assert await store.holder() is None
    assert await store.hold("a", now=100, until=160) == Lease("a", 160)
    assert await store.hold("b", now=159, until=219) == Lease("a", 160)
    assert await store.hold("a", now=159, until=219) == Lease("a", 219)
    assert await store.hold("b", now=219, until=279) == Lease("b", 279)
    await store.let_go("a")
    assert await store.holder() == Lease("b", 279)
    await store.let_go("b")
    assert await store.hold("a", now=220, until=280) == Lease("a", 280)


async def test_attempts_can_neither_be_changed_nor_deleted(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA])
    store = SqliteEpochStore(database)
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    for statement in ("UPDATE chain_attempts SET raw = x''", "DELETE FROM chain_attempts"):
        with pytest.raises(sqlite3.IntegrityError, match="attempts are never"):
            async with database.transaction() as connection:
                await connection.execute(statement)
    await database.close()


def vetoed(number: int) -> Epoch:
    epoch = epoch_of(number)
    stands = replace(epoch.commitment, fee_total=9, fee_root=b"o" * 32)
    return replace(epoch, commitment=stands, state=EpochState.VETOED, cutoff=50, begun_at=1_234)


@pytest.mark.parametrize("reached", ["nothing", "planned", "signed", "sent", "mined"])
async def test_a_vetoed_epoch_takes_the_place_of_the_open_one_and_its_commit_is_dead(
    store: EpochStore, reached: str
) -> None:
    await take_to_final(store, 1)
    if reached != "nothing":
        assert await store.plan(epoch_of(2))
    if reached in {"signed", "sent", "mined"}:
        assert await store.record(signed_of(2, nonce=1))
    if reached in {"sent", "mined"}:
        assert await store.move(await current(store), TransactionState.SENT)
    if reached == "mined":
        assert await mine(store)

    assert await store.veto(vetoed(2))

    assert await store.open_epoch() is None
    assert await store.last_final() == await store.epoch(2) == vetoed(2)
    assert await store.in_flight(Purpose.COMMIT) is None
    commits = await store.transactions(Purpose.COMMIT, 2)
    assert {one.state for one in commits} <= {TransactionState.DEAD}
    assert [one.block_number for one in commits] == [None] * len(commits)
    assert len(commits) == (reached in {"signed", "sent", "mined"})
    assert await store.plan(epoch_of(3))
    assert await store.record(signed_of(3, nonce=1))


async def test_a_vetoed_epoch_is_the_next_one_and_noted_once(store: EpochStore) -> None:
    await take_to_final(store, 1)

    assert not await store.veto(vetoed(1))
    assert not await store.veto(vetoed(3))
    assert await store.veto(vetoed(2))
    assert not await store.veto(vetoed(2))
    assert await store.veto(vetoed(3))
    with pytest.raises(InvariantError):
        await store.veto(epoch_of(4))
    first = await store.epoch(1)
    assert first is not None
    assert first.state is EpochState.FINAL


async def test_a_vetoed_epoch_anchors_nothing_and_relays_nothing(store: EpochStore) -> None:
    assert await store.veto(vetoed(1))

    assert await store.anchoring(0) is None
    assert not await store.record(signed_of(1, purpose=Purpose.CLAIM))


async def test_a_takeover_leaves_vetoed_epochs_as_they_are(store: EpochStore) -> None:
    assert await store.veto(vetoed(1))
    await store.take_over(replace(epoch_of(2), state=EpochState.LOST))

    first = await store.epoch(1)
    assert first is not None
    assert first.state is EpochState.VETOED


async def test_a_dead_commit_comes_back_while_its_epoch_waits_for_one(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    assert await store.move(await current(store), TransactionState.DEAD)
    (dead,) = await store.transactions(Purpose.COMMIT, 1)

    assert await store.record(signed_of(1, nonce=1))
    assert not await store.move(dead, TransactionState.SENT), "another one is on its way"
    assert await store.move(await current(store), TransactionState.DEAD)
    assert await store.move(dead, TransactionState.SENT)

    epoch = await store.open_epoch()
    assert epoch is not None
    assert epoch.state is EpochState.SENT
    assert (await current(store)).signed.hash == dead.signed.hash


async def test_a_dead_commit_stays_dead_once_its_epoch_is_over(store: EpochStore) -> None:
    await store.plan(epoch_of(1))
    await store.record(signed_of(1))
    assert await store.veto(vetoed(1))
    (dead,) = await store.transactions(Purpose.COMMIT, 1)

    assert not await store.move(dead, TransactionState.SENT)


async def test_dead_claims_stay_dead(store: EpochStore) -> None:
    await take_to_final(store, 1)
    await store.record(signed_of(1, purpose=Purpose.CLAIM))
    assert await store.move(await current(store, Purpose.CLAIM), TransactionState.DEAD)
    (dead,) = await store.transactions(Purpose.CLAIM, 1)

    with pytest.raises(InvariantError):
        await store.move(dead, TransactionState.SENT)


async def test_each_account_counts_its_own_nonces(store: EpochStore) -> None:
    await take_to_final(store, 1)
    await store.plan(epoch_of(2))
    same = signed_of(2, nonce=0)

    assert not await store.record(same)
    assert await store.record(replace(same, sender=b"n" * 20))
    assert (await current(store)).signed.sender == b"n" * 20


@pytest.mark.parametrize("how", ["lost", "vetoed"])
async def test_an_epoch_that_somebody_else_replaced_is_read_anew(tmp_path: Path, how: str) -> None:
    first, second = [
        SqliteEpochStore(await Database.open(tmp_path / "book.sqlite", schema=[SCHEMA]))
        for _ in range(2)
    ]
    assert await first.plan(epoch_of(1))
    before = [await store.epoch(1) for store in (first, first, second)]
    # Whatever else its row says stays the same.
    other = replace(epoch_of(1), earnings=(earnings_of(3, 9_000),), state=EpochState(how))
    if how == "lost":
        await second.take_over(other)
    else:
        assert await second.veto(other)

    found = [await store.last_final() for store in (first, second)]
    for store in (first, second):
        await store._database.close()

    assert before == [epoch_of(1)] * 3
    assert found == [other, other]
