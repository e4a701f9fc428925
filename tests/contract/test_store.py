"""The store's contract, over the fake and over SQLite."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.crypto import merkle
from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError, StoreBusyError
from bot.domain.fields import Choice, LeftOut
from bot.domain.ids import receipt_tag_of
from bot.domain.ledger import LedgerTransaction, Posting
from bot.domain.payment import NOBODY, Payer, Payment, RegistryBlock
from bot.ports.replies import StoredOutcome
from bot.ports.stores import (
    Store,
    StoredCheckpoint,
    StoredManifest,
    StoredOrder,
    StoreTransaction,
)
from bot.receipts.log import append_leaf, prove_inclusion, tree_root
from tests.fakes.clock import START
from tests.fakes.store import ContractBreach, MemoryStore, ProcessKilled, WriteFault
from tests.stored_values import (
    CONVERSATION,
    MANIFEST,
    OTHER_TWIN,
    SURFACE,
    TWIN,
    make_again,
    make_intent,
    make_reply,
)

MISSING = sha256(b"missing")


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    yield SqliteStore(database)
    await database.close()


@pytest.fixture
async def stocked(store: Store) -> Store:
    """A store with a manifest, an open intent and a committed reply."""
    done, still_open = make_intent(1), make_intent(2)
    async with store.transaction() as tx:
        await tx.add_manifest(MANIFEST)
        await tx.add_intent(done)
        await tx.add_intent(still_open)
        await tx.add_reply(make_reply(done, seq=1, turn=1))
        await tx.close_intent(done.key, "done")
    return store


def _move(key: str, nano: int = 5) -> LedgerTransaction:
    return LedgerTransaction(key, "fund", (Posting("equity:x", -nano), Posting("b:y", nano)))


async def test_everything_written_reads_back_equal(stocked: Store) -> None:
    intent, reply = make_intent(2), make_reply(make_intent(1), seq=1, turn=1)

    async with stocked.reading() as tx:
        assert await tx.find_manifest(MANIFEST.manifest_hash) == MANIFEST
        assert await tx.find_intent(intent.key) == intent
        assert await tx.open_intents() == [intent]
        assert await tx.find_reply(reply.receipt_id) == reply
        assert await tx.find_tagged(receipt_tag_of(reply.receipt_hash)) == reply
        assert await tx.find_tagged(reply.receipt_hash) is None
        assert await tx.reply_of(reply.intent) == reply
        assert await tx.conversation(CONVERSATION) == [reply]


BLOCK = RegistryBlock(2**53 - 1, 0, sha256(b"block"))
TABLE = sha256(b"rates")


@pytest.mark.parametrize("registry", [None, BLOCK])
@pytest.mark.parametrize("payer", Payer)
async def test_who_pays_and_where_the_registry_was_asked_are_kept(
    stocked: Store, payer: Payer, registry: RegistryBlock | None
) -> None:
    table = TABLE if payer is Payer.PAID else None
    price = 0 if payer is Payer.FREE else 5
    intent = make_intent(3, payment=Payment(payer, table, registry), price_nano=price)

    async with stocked.transaction() as tx:
        await tx.add_intent(intent)

    async with stocked.reading() as tx:
        assert await tx.find_intent(intent.key) == intent


@pytest.mark.parametrize(
    ("payment", "price"),
    [
        (Payment(Payer.FREE), 1),
        (Payment(Payer.SPONSOR), 0),
        (Payment(Payer.PROMOTIONAL), 0),
        (Payment(Payer.PAID, TABLE), 0),
        (Payment(Payer.PAID), 1),
        (Payment(Payer.SPONSOR, TABLE), 1),
        (Payment(Payer.PROMOTIONAL, TABLE), 1),
        (Payment(Payer.FREE, TABLE), 0),
    ],
)
async def test_a_payer_that_price_or_table_contradict_is_refused(
    stocked: Store, payment: Payment, price: int
) -> None:
    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.add_intent(make_intent(3, payment=payment, price_nano=price))

    async with stocked.reading() as tx:
        assert await tx.find_intent(make_intent(3).key) is None


async def test_what_is_missing_is_none_or_empty(stocked: Store) -> None:
    async with stocked.reading() as tx:
        assert await tx.find_manifest(MISSING) is None
        assert await tx.latest_manifest(MISSING) is None
        assert await tx.find_intent("nothing") is None
        assert await tx.find_reply("nothing") is None
        assert await tx.find_tagged(MISSING) is None
        assert await tx.reply_of("nothing") is None
        assert await tx.conversation(MISSING) == []
        assert await tx.latest_checkpoint() is None
        assert await tx.balance("nobody:x") == 0
        assert await tx.log_size() == 0


async def test_error_in_the_block_undoes_all_of_it(store: Store) -> None:
    with pytest.raises(RuntimeError):
        await _write_and_fail(store)

    async with store.reading() as tx:
        assert await tx.find_manifest(MANIFEST.manifest_hash) is None
        assert await tx.log_size() == 0
        assert await tx.balance("b:y") == 0


async def _write_and_fail(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.add_manifest(MANIFEST)
        await append_leaf(tx, b"leaf")
        await tx.post(_move("one"))
        raise RuntimeError


async def test_transactions_do_not_interleave(store: Store) -> None:
    async def append(leaf: bytes) -> int:
        async with store.transaction() as tx:
            return await append_leaf(tx, leaf)

    indices = await asyncio.gather(*(append(bytes([n])) for n in range(8)))

    assert sorted(indices) == list(range(8))
    async with store.reading() as tx:
        leaves = [await tx.log_leaf(index) for index in range(8)]
        root = await tree_root(tx, 8)
    assert [leaves[index] for index in indices] == [bytes([n]) for n in range(8)]
    assert root == merkle.root_of([merkle.leaf_hash(leaf) for leaf in leaves])


@pytest.mark.parametrize("ticks", range(14))
async def test_cancelled_transaction_leaves_the_store_usable_and_whole(
    store: Store, ticks: int
) -> None:
    async def write() -> None:
        async with store.transaction() as tx:
            await append_leaf(tx, b"first")
            await tx.post(_move("one"))

    task = asyncio.create_task(write())
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    async with store.transaction() as tx:
        size, funded = await tx.log_size(), await tx.balance("b:y")
        await append_leaf(tx, b"next")
    assert (size, funded) in {(0, 0), (1, 5)}


async def test_known_manifest_intent_and_reply_are_refused(stocked: Store) -> None:
    intent = make_intent(1)
    same_intent = make_reply(intent, seq=2, turn=2, receipt_hash=MISSING, receipt_id="x")
    same_seq = make_reply(make_intent(2), seq=1, turn=2, log_index=9)
    same_turn = make_reply(make_intent(2), seq=2, turn=1)

    writes: tuple[Callable[[StoreTransaction], Awaitable[None]], ...] = (
        lambda tx: tx.add_manifest(MANIFEST),
        lambda tx: tx.add_intent(intent),
        lambda tx: tx.add_intent(make_intent(3, manifest=MISSING)),
        lambda tx: tx.add_reply(same_intent),
        lambda tx: tx.add_reply(same_seq),
        lambda tx: tx.add_reply(same_turn),
        lambda tx: tx.add_reply(make_reply(make_intent(7), seq=2, turn=2)),
    )
    for write in writes:
        with pytest.raises(InvariantError):
            async with stocked.transaction() as tx:
                await write(tx)


@pytest.mark.parametrize("state", ["done", "void"])
async def test_intent_closes_once(stocked: Store, state: str) -> None:
    key = make_intent(2).key
    statement = b"signed" if state == "void" else None
    async with stocked.transaction() as tx:
        await tx.close_intent(key, state, void_statement=statement)

    for again, word in (("done", None), ("void", b"signed")):
        with pytest.raises(InvariantError):
            async with stocked.transaction() as tx:
                await tx.close_intent(key, again, void_statement=word)
    async with stocked.reading() as tx:
        found = await tx.find_intent(key)
        assert found is not None
        assert (found.state, found.void_statement) == (state, statement)
        assert await tx.open_intents() == []


@pytest.mark.parametrize(("state", "statement"), [("void", None), ("done", b"signed")])
async def test_void_and_nothing_else_has_a_statement(
    stocked: Store, state: str, statement: bytes | None
) -> None:
    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.close_intent(make_intent(2).key, state, void_statement=statement)


async def test_outcome_is_decided_once(stocked: Store) -> None:
    reply = make_reply(make_intent(1), seq=1, turn=1)
    async with stocked.reading() as tx:
        undecided = await tx.undelivered_replies()
    async with stocked.transaction() as tx:
        await tx.set_outcome(reply.receipt_hash, outcome="delivered", statement=b"s", log_index=4)

    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.set_outcome(
                reply.receipt_hash, outcome="refunded", statement=b"t", log_index=5
            )
    async with stocked.reading() as tx:
        found = await tx.find_reply(reply.receipt_id)
        assert await tx.undelivered_replies() == []
    assert [(i.key, r.receipt_id) for i, r in undecided] == [(reply.intent, reply.receipt_id)]
    assert found is not None
    assert (found.outcome, found.outcome_statement, found.outcome_index) == ("delivered", b"s", 4)


async def test_outcome_of_an_unknown_receipt_is_refused(stocked: Store) -> None:
    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.set_outcome(MISSING, outcome="delivered", statement=b"", log_index=1)


async def test_latest_manifest_is_the_twins_newest(store: Store) -> None:
    async with store.transaction() as tx:
        for index, (twin, body) in enumerate([(TWIN, b"1"), (TWIN, b"2"), (OTHER_TWIN, b"3")]):
            await tx.add_manifest(StoredManifest(sha256(body), twin, body, "0x", b"", index))
        latest = await tx.latest_manifest(TWIN)

    assert latest is not None
    assert latest.body == b"2"


async def test_sequence_has_no_holes_and_is_the_twins_own(stocked: Store) -> None:
    async with stocked.transaction() as tx:
        await tx.add_reply(make_reply(make_intent(2), seq=2, turn=2))
        assert await tx.next_sequence(TWIN) == 3
        assert await tx.next_sequence(OTHER_TWIN) == 1


async def test_intents_are_counted_by_platform_fan_and_time(stocked: Store) -> None:
    late = START + timedelta(hours=2, microseconds=1)
    async with stocked.transaction() as tx:
        await tx.add_intent(make_intent(3, created_at=late))
        await tx.add_intent(make_intent(4, fan="bo"))
        await tx.add_intent(replace(make_again(3), rejected=1, created_at=late))  # drawn again
        counts = [
            await tx.count_intents("terminal", "ana", START),
            await tx.count_intents("terminal", "ana", START + timedelta(seconds=1)),
            await tx.count_intents("terminal", "ana", late),
            await tx.count_intents("terminal", "bo", START),
            await tx.count_intents("web", "ana", START),
        ]

    assert counts == [3, 1, 1, 1, 0]


async def test_leaf_only_follows_the_last_one(store: Store) -> None:
    for index in (1, -1):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.append_leaf(index, b"leaf", [])


async def test_missing_leaf_or_node_is_a_broken_invariant(store: Store) -> None:
    async with store.reading() as tx:
        with pytest.raises(InvariantError):
            await tx.log_leaf(0)
        with pytest.raises(InvariantError):
            await tx.log_nodes([(0, 0)])


async def test_stored_nodes_prove_every_leaf(store: Store) -> None:
    leaves = [bytes([n]) for n in range(7)]
    async with store.transaction() as tx:
        for leaf in leaves:
            await append_leaf(tx, leaf)
        root = await tree_root(tx, 7)
        proofs = [await prove_inclusion(tx, index=n, size=7) for n in range(7)]

    for index, (leaf, proof) in enumerate(zip(leaves, proofs, strict=True)):
        merkle.verify_inclusion(
            leaf=merkle.leaf_hash(leaf), index=index, size=7, proof=proof, root=root
        )


async def test_heads_only_grow(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.add_checkpoint(StoredCheckpoint(3, b"r" * 32, "note 3"))

    for size in (3, 2):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.add_checkpoint(StoredCheckpoint(size, b"s" * 32, "again"))
    async with store.reading() as tx:
        assert await tx.latest_checkpoint() == StoredCheckpoint(3, b"r" * 32, "note 3")


async def test_ledger_key_is_posted_once(store: Store) -> None:
    async with store.transaction() as tx:
        assert await tx.post(_move("one"))
        assert not await tx.post(_move("one", nano=7))
        assert await tx.post(_move("two"))

    async with store.reading() as tx:
        assert (await tx.balance("equity:x"), await tx.balance("b:y")) == (-10, 10)


async def test_account_twice_in_one_ledger_transaction_is_refused(store: Store) -> None:
    twice = LedgerTransaction("k", "fund", (Posting("equity:x", -1), Posting("equity:x", 1)))

    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.post(twice)


async def test_intent_is_found_by_each_of_its_parts_and_the_place(stocked: Store) -> None:
    elsewhere = replace(SURFACE, chat="another")
    again = make_again(1)
    async with stocked.transaction() as tx:
        await tx.add_intent(again)
        found = [
            [intent.key for intent in await tx.intents_of_message(surface, number)]
            for surface, number in (
                *((SURFACE, "m1"), (SURFACE, "m1 next"), (SURFACE, "m2")),
                *((SURFACE, "m3"), (elsewhere, "m1")),
            )
        ]

    mine = [make_intent(1).key, again.key]
    assert found == [mine, mine, [make_intent(2).key], [], []]


async def test_attempts_are_in_order_and_of_one_slot(stocked: Store) -> None:
    second, first = make_again(1, attempt=2), make_again(1)
    async with stocked.transaction() as tx:
        await tx.add_intent(second)
        await tx.add_intent(first)
        attempts = await tx.attempts_of(first.slot_tag)
        assert await tx.attempts_of(MISSING[:16]) == []

    assert [intent.attempt for intent in attempts] == [0, 1, 2]
    assert attempts[1] == first


async def test_attempt_is_new_and_names_what_it_replaces(stocked: Store) -> None:
    again = make_again(1)
    for wrong in (replace(again, replaces=None), replace(make_intent(1), key="another key")):
        with pytest.raises(InvariantError):
            async with stocked.transaction() as tx:
                await tx.add_intent(wrong)


async def test_open_intents_are_found_by_conversation(stocked: Store) -> None:
    other = make_intent(3, conversation=MISSING)
    async with stocked.transaction() as tx:
        await tx.add_intent(other)
        assert await tx.open_intents_of(MISSING) == [other]
        assert await tx.open_intents_of(CONVERSATION) == [make_intent(2)]
        await tx.close_intent(other.key, "done")
        assert await tx.open_intents_of(MISSING) == []


async def _add_turns(tx: StoreTransaction, count: int) -> None:
    for number in range(1, count + 1):
        intent = make_intent(100 + number)
        await tx.add_intent(intent)
        await tx.add_reply(make_reply(intent, seq=100 + number, turn=1 + number))


async def test_last_attempt_stands_for_its_turn(stocked: Store) -> None:
    again = make_again(1)
    reply = make_reply(again, seq=2, turn=1, attempt=1, halt="press", finish="stopped")
    async with stocked.transaction() as tx:
        await tx.add_intent(again)
        await tx.add_reply(reply)
        await _add_turns(tx, 1)
        turns = [(r.turn, r.attempt) for r in await tx.conversation(CONVERSATION)]
        recent = await tx.recent_turns(CONVERSATION, tokens=100)
        assert await tx.find_reply(reply.receipt_id) == reply

    assert turns == [(1, 1), (2, 0)]
    assert [turn.receipt_hash for turn in recent][1:] == [reply.receipt_hash]


@pytest.mark.parametrize("tokens", [0, 1, 3, 4, 5, 1000])
@pytest.mark.parametrize("before", [None, 60, 2, 1])
async def test_recent_turns_reach_back_as_far_as_is_asked(
    stocked: Store, tokens: int, before: int | None
) -> None:
    async with stocked.transaction() as tx:
        await _add_turns(tx, 70)
        found = await tx.recent_turns(CONVERSATION, before=before, tokens=tokens)

    turns = [turn.turn for turn in found]
    there = 71 if before is None else before - 1
    assert turns == list(range(there, there - len(turns), -1))
    assert len(turns) >= min(there, 1 + tokens // 4)  # each has four tokens
    assert not any(turn.withdrawn for turn in found)


async def test_chain_starts_after_the_latest_withdrawn_or_fixed_turn(stocked: Store) -> None:
    async with stocked.transaction() as tx:
        assert await tx.chain_start(MISSING) == 1
        assert await tx.chain_start(CONVERSATION) == 1
        await _add_turns(tx, 2)
        first, second, third = await tx.conversation(CONVERSATION)
        generated = make_intent(200, price_nano=0, payment=NOBODY)
        fixed = replace(generated, rule="crisis/1", spans=(), context=())
        await tx.add_intent(fixed)
        await tx.add_reply(make_reply(fixed, seq=200, turn=4, finish="fixed", output_tokens=()))
        starts = [await tx.chain_start(CONVERSATION, before=before) for before in (None, 5, 4)]
        for reply, index in ((first, 900), (third, 901)):
            await tx.set_outcome(
                reply.receipt_hash, outcome="withdrawn", statement=b"s", log_index=index
            )
        after = [await tx.chain_start(CONVERSATION, before=before) for before in (5, 4, 3, 2, 1)]
        recent = await tx.recent_turns(CONVERSATION, tokens=100)
        assert await tx.find_intent(fixed.key) == fixed

    assert starts == [5, 5, 1]
    assert after == [5, 4, 2, 2, 1]
    assert [turn.fixed for turn in recent] == [True, False, False, False]
    assert second.turn == 2


async def test_last_attempt_alone_says_whether_a_turn_ends_the_chain(stocked: Store) -> None:
    again = make_again(1)
    async with stocked.transaction() as tx:
        (first,) = await tx.conversation(CONVERSATION)
        await tx.set_outcome(first.receipt_hash, outcome="withdrawn", statement=b"s", log_index=900)
        assert await tx.chain_start(CONVERSATION) == 2
        await tx.add_intent(again)
        await tx.add_reply(make_reply(again, seq=2, turn=1, attempt=1))
        assert await tx.chain_start(CONVERSATION) == 1


async def test_choice_of_turns_and_rejected_attempts_read_back_equal(stocked: Store) -> None:
    left = Choice(3, LeftOut(MISSING, 70))
    chosen = make_intent(7, choice=left, rejected=2, log_size=12)
    async with stocked.transaction() as tx:
        await tx.add_intent(chosen)
        assert await tx.find_intent(chosen.key) == chosen


async def test_recent_turns_say_which_were_withdrawn(stocked: Store) -> None:
    async with stocked.transaction() as tx:
        await _add_turns(tx, 2)
        first, second, third = await tx.conversation(CONVERSATION)
        await tx.set_outcome(first.receipt_hash, outcome="withdrawn", statement=b"s", log_index=900)
        await tx.set_outcome(
            second.receipt_hash, outcome="delivered", statement=b"s", log_index=901
        )
        await tx.set_reversal(
            second.receipt_hash, outcome="withdrawn", statement=b"t", log_index=902
        )
        recent = await tx.recent_turns(CONVERSATION, tokens=100)

    assert [turn.withdrawn for turn in recent] == [False, True, True]
    assert recent[0].receipt_hash == third.receipt_hash


async def test_delivered_reply_is_reversed_once_and_nothing_else_is(stocked: Store) -> None:
    reply = make_reply(make_intent(1), seq=1, turn=1)

    async def reverse() -> None:
        async with stocked.transaction() as tx:
            await tx.set_reversal(
                reply.receipt_hash, outcome="withdrawn", statement=b"t", log_index=5
            )

    with pytest.raises(InvariantError):
        await reverse()
    async with stocked.transaction() as tx:
        await tx.set_outcome(reply.receipt_hash, outcome="delivered", statement=b"s", log_index=4)
    await reverse()
    with pytest.raises(InvariantError):
        await reverse()

    async with stocked.reading() as tx:
        found = await tx.find_reply(reply.receipt_id)
    assert found is not None
    assert (found.outcome, found.outcome_index) == ("delivered", 4)
    assert (found.reversal, found.reversal_statement) == ("withdrawn", b"t")
    assert found.reversal_index == 5


async def test_withdrawn_reply_is_refunded_once_and_nothing_is_said_anew(stocked: Store) -> None:
    reply = make_reply(make_intent(1), seq=1, turn=1)
    digest = reply.receipt_hash

    async def refund(log_index: int) -> None:
        async with stocked.transaction() as tx:
            await tx.set_refund(digest, statement=b"u", log_index=log_index)

    with pytest.raises(InvariantError):
        await refund(6)
    async with stocked.transaction() as tx:
        await tx.set_outcome(digest, outcome="delivered", statement=b"s", log_index=4)
    with pytest.raises(InvariantError):
        await refund(6)
    async with stocked.transaction() as tx:
        await tx.set_reversal(digest, outcome="withdrawn", statement=b"t", log_index=5)
    await refund(6)
    with pytest.raises(InvariantError):
        await refund(7)
    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.set_reversal(digest, outcome="refunded", statement=b"v", log_index=7)

    async with stocked.reading() as tx:
        found = await tx.find_reply(reply.receipt_id)
    assert found is not None
    assert found.outcomes == (
        StoredOutcome("delivered", b"s", 4),
        StoredOutcome("withdrawn", b"t", 5),
        StoredOutcome("refunded", b"u", 6),
    )
    assert (found.withdrawn, found.taken_back) == (True, True)


async def test_refunded_reply_is_neither_withdrawn_nor_refunded_again(stocked: Store) -> None:
    digest = make_reply(make_intent(1), seq=1, turn=1).receipt_hash
    async with stocked.transaction() as tx:
        await tx.set_outcome(digest, outcome="delivered", statement=b"s", log_index=4)
        await tx.set_reversal(digest, outcome="refunded", statement=b"t", log_index=5)

    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.set_refund(digest, statement=b"u", log_index=6)
    with pytest.raises(InvariantError):
        async with stocked.transaction() as tx:
            await tx.set_reversal(digest, outcome="withdrawn", statement=b"u", log_index=6)


async def test_manifests_and_twins_are_in_the_order_of_publication(store: Store) -> None:
    def manifest(index: int, twin: bytes) -> StoredManifest:
        body = b"%d" % index
        return StoredManifest(sha256(body), twin, body, "0x", b"", index)

    async with store.transaction() as tx:
        assert await tx.published_twins() == []
        for index, twin in enumerate([OTHER_TWIN, TWIN, OTHER_TWIN]):
            await tx.add_manifest(manifest(index, twin))
        assert await tx.published_twins() == [OTHER_TWIN, TWIN]
        assert await tx.manifests_of(OTHER_TWIN) == [
            manifest(0, OTHER_TWIN),
            manifest(2, OTHER_TWIN),
        ]
        assert await tx.manifests_of(MISSING) == []


async def test_orders_follow_each_other_without_a_hole(store: Store) -> None:
    def order(number: int, twin: bytes = TWIN, index: int = 0) -> StoredOrder:
        body = b"%d" % number + twin
        return StoredOrder(sha256(body), twin, number, body, "0x", index)

    async with store.transaction() as tx:
        await tx.add_order(order(1, index=1))
        await tx.add_order(order(2, index=2))
        await tx.add_order(order(1, OTHER_TWIN, index=3))
    for wrong in (order(2, index=4), order(4, index=5), order(0, index=6), order(3, index=2)):
        with pytest.raises(InvariantError):
            async with store.transaction() as tx:
                await tx.add_order(wrong)

    async with store.reading() as tx:
        assert await tx.orders_of(TWIN) == [order(1, index=1), order(2, index=2)]
        assert await tx.orders_of(MISSING) == []


# What the fake alone can do: police its caller and fail on demand.


async def test_closed_transaction_of_the_fake_fails_the_test() -> None:
    store = MemoryStore()
    async with store.transaction() as tx:
        pass

    with pytest.raises(ContractBreach):
        await tx.log_size()


async def test_writing_in_a_reading_transaction_of_the_fake_fails_the_test() -> None:
    async with MemoryStore().reading() as tx:
        with pytest.raises(ContractBreach):
            await tx.add_manifest(MANIFEST)


async def test_nested_transaction_of_the_fake_fails_the_test() -> None:
    store = MemoryStore()

    async with store.transaction():
        with pytest.raises(ContractBreach):
            async with store.reading():
                pass


@pytest.mark.parametrize(
    ("fault", "error", "stored"),
    [
        (WriteFault.LOST, StoreBusyError, 0),
        (WriteFault.APPLIED, StoreBusyError, 1),
        (WriteFault.KILLED_BEFORE, ProcessKilled, 0),
        (WriteFault.KILLED_AFTER, ProcessKilled, 1),
    ],
)
async def test_fake_fails_a_chosen_commit(
    fault: WriteFault, error: type[BaseException], stored: int
) -> None:
    store = MemoryStore(faults={1: fault})

    with pytest.raises(error):
        async with store.transaction() as tx:
            await append_leaf(tx, b"leaf")
    async with store.reopened().reading() as tx:
        assert await tx.log_size() == stored


async def test_transactions_that_wait_for_each_other_fail_alone(store: Store) -> None:
    async def post(number: int) -> None:
        async with store.transaction() as tx:
            assert await tx.balance("b:y") == 5 * number - (5 if number > 2 else 0)
            await tx.post(_move(f"move {number}"))
            if number == 2:
                raise ValueError("no")

    done = await asyncio.gather(*(post(number) for number in range(5)), return_exceptions=True)

    assert [type(one) for one in done] == [type(None)] * 2 + [ValueError] + [type(None)] * 2
    async with store.reading() as tx:
        assert await tx.balance("b:y") == 20


async def test_reader_never_sees_what_may_still_be_lost(store: Store) -> None:
    seen = []
    ended = 0

    async def post(number: int) -> None:
        nonlocal ended
        async with store.transaction() as tx:
            await tx.post(_move(f"move {number}"))
        ended += 1

    async def read() -> None:
        async with store.reading() as tx:
            seen.append(await tx.balance("b:y"))

    work = [one(number) for number in range(6) for one in (post, lambda _: read())]
    await asyncio.gather(*work)

    assert ended == 6
    assert all(balance in {0, 5, 30} for balance in seen)  # none, the first alone, or all


@pytest.mark.parametrize("which", range(4))
async def test_cancelled_before_or_in_its_block_undoes_nobody_else(
    store: Store, which: int
) -> None:
    async def post(number: int) -> None:
        async with store.transaction() as tx:
            await tx.post(_move(f"move {number}"))
            await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(post(number)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[which].cancel()
    await asyncio.wait(tasks)

    assert [task.cancelled() for task in tasks] == [at == which for at in range(4)]
    async with store.reading() as tx:
        assert await tx.balance("b:y") == 15
