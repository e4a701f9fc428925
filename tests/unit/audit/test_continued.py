"""A log that was sealed and goes on in another one: the audit knows both, and what was kept."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.audit.findings import Findings
from bot.audit.run import Audit
from bot.crypto.dsse import Envelope, encode_envelope, parse_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.eip712 import parse_address
from bot.crypto.signed_note import Checkpoint, VerifierKey, sign_note
from bot.domain.leaf import SealLeaf
from bot.domain.ledger import RESTORED, LedgerTransaction, Posting, creator_account, settled_account
from bot.domain.restored import LOST_FEES, lost_fees
from bot.domain.settlement import (
    NANO_PER_UNIT,
    Commitment,
    Earnings,
    Epoch,
    EpochState,
    to_units,
)
from bot.domain.statements import SEAL_TYPE, Outcome, SealStatement
from bot.receipts.log import CheckpointSigner, append_leaf
from scripts import vector_parts as parts
from scripts.vector_events import ORDER
from scripts.vector_log import fixed_key
from tests.fakes.epochs import MemoryEpochStore
from tests.fakes.store import MemoryStore, Tables
from tests.unit.audit.scribe import MANIFEST, Scribe

Tamper = Callable[[Tables], None]
NEW_KEY = fixed_key("log 2")
NEW = VerifierKey("continued.example/log", public_key_of(NEW_KEY))
LOST = Checkpoint(parts.LOG.name, 9, b"l" * 32)
SIGNER = CheckpointSigner(NEW.name, NEW_KEY)


def _seal(*, key: bytes = parts.LOG_KEY, **changes: object) -> Envelope:
    statement = SealStatement(parts.LOG, LOST.size, LOST.root, 3, NEW)
    statement = replace(statement, **changes)  # type: ignore[arg-type]
    return sign_envelope(SEAL_TYPE, statement.encode(), key)


async def _add(scribe: Scribe, seal: Envelope) -> None:
    async with scribe.store.transaction() as tx:
        index = await append_leaf(tx, SealLeaf(seal.digest).encode())
        await tx.add_seal(index, encode_envelope(seal))


async def _make() -> Tables:
    scribe = Scribe()
    await scribe.open()
    first = await scribe.reply(await scribe.ask("m1"))
    await scribe.decide(first, Outcome.DELIVERED)
    await scribe.publish()
    await _add(scribe, _seal())
    await scribe.order(replace(ORDER, log=NEW.name))
    second = await scribe.reply(await scribe.ask("m2", quoted=[first]), after=first)
    await scribe.decide(second, Outcome.REFUNDED)
    await SIGNER.publish(scribe.store)
    return scribe.store.tables


@pytest.fixture(scope="module")
def tables() -> Tables:
    return asyncio.run(_make())


async def _audit(
    tables: Tables,
    *,
    log: VerifierKey = NEW,
    seen: tuple[Checkpoint, ...] = (),
    epochs: MemoryEpochStore | None = None,
) -> Findings:
    return await Audit(
        reader=MemoryStore(tables=tables),
        epochs=epochs or MemoryEpochStore(),
        chain=None,
        log=log,
        signing_key=MANIFEST.signing_key,
        seen=seen,
    ).run()


async def test_a_continued_log_passes_with_the_replies_of_both(tables: Tables) -> None:
    old, new = tables.checkpoints
    seen = (
        Checkpoint(parts.LOG.name, old.size, old.root),
        LOST,
        replace(LOST, size=7, root=b"7" * 32),  # given out, and lost since
        Checkpoint(NEW.name, new.size, new.root),
    )

    found = await _audit(tables.copy(), seen=seen)

    assert found.wrong == []
    assert (found.checked["seals of earlier logs"], found.checked["proofs"]) == (1, 2)
    assert (found.checked["orders"], found.checked["signed heads"]) == (1, 2)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        (replace(LOST, size=10), "never had one: the largest was 9"),
        (replace(LOST, root=bytes(32)), "never had one"),
        (Checkpoint(parts.LOG.name, 3, bytes(32)), "not of this log"),
        (Checkpoint(NEW.name, 5, bytes(32)), "not of this log"),
    ],
    ids=["above the seal", "beside the seal", "below what was kept", "of the new log"],
)
async def test_a_head_that_neither_log_had_is_named(
    tables: Tables, head: Checkpoint, sentence: str
) -> None:
    found = await _audit(tables.copy(), seen=(head,))

    assert [sentence in one for one in found.wrong] == [True]


def _other_seal(*, key: bytes = parts.LOG_KEY, **changes: object) -> Tamper:
    def tamper(tables: Tables) -> None:
        tables.seals[3] = encode_envelope(_seal(key=key, **changes))

    return tamper


def _edit_seal(tables: Tables) -> None:
    envelope = parse_envelope(tables.seals[3])
    payload = envelope.payload.replace(b'"kept":3', b'"kept":4')
    tables.seals[3] = encode_envelope(replace(envelope, payload=payload))


def _break_seal(tables: Tables) -> None:
    tables.seals[3] = b"{}"


def _forget_seal(tables: Tables) -> None:
    tables.seals.clear()


def _change_kept_leaf(tables: Tables) -> None:
    tables.leaves[1] = tables.leaves[1][:-1] + b"x"


def _sign_again(at: int, origin: str, key: bytes) -> Tamper:
    def tamper(tables: Tables) -> None:
        head = tables.checkpoints[at]
        text = Checkpoint(origin, head.size, head.root).encode()
        tables.checkpoints[at] = replace(head, note=sign_note(text, origin, key))

    return tamper


def _change_new_head(tables: Tables) -> None:
    tables.checkpoints[1] = replace(tables.checkpoints[1], root=bytes(32))


ELSEWHERE = VerifierKey("other.example/log", NEW.public_key)
TAMPERS: dict[str, tuple[Tamper, str]] = {
    "seal edited": (_edit_seal, "seals: "),
    "seal broken": (_break_seal, "seals: "),
    "sealed by the new log": (_other_seal(key=NEW_KEY), "seals: "),
    "another seal": (_other_seal(size=8), "leaf 3 cites another statement"),
    "less kept": (_other_seal(kept=2), "stands at leaf 3, and says that 2 leaves were kept"),
    "another successor": (
        _other_seal(successor=ELSEWHERE),
        "they lead to the log other.example/log, and the key is continued.example/log's",
    ),
    "seal gone": (_forget_seal, "leaf 3: is of 0 stored things"),
    "kept leaf": (_change_kept_leaf, "head of size 3: another root"),
    "new head": (_change_new_head, "head of size 7: another root"),
    "old key signs on": (_sign_again(1, parts.LOG.name, parts.LOG_KEY), "head of size 7: "),
    "new key signs back": (_sign_again(0, NEW.name, NEW_KEY), "head of size 3: "),
}


@pytest.mark.parametrize("name", TAMPERS)
async def test_what_was_tampered_with_is_named(tables: Tables, name: str) -> None:
    tamper, sentence = TAMPERS[name]
    changed = tables.copy()
    tamper(changed)

    found = await _audit(changed)

    assert any(sentence in one for one in found.wrong), found.wrong


async def test_an_order_for_the_sealed_log_is_named_after_the_seal(tables: Tables) -> None:
    scribe = Scribe(MemoryStore(tables=tables.copy()))
    await scribe.order(replace(ORDER, number=2))

    found = await _audit(scribe.store.tables)

    assert [one.endswith(": is for another log") for one in found.wrong] == [True]


async def _take_over(store: MemoryStore, **changes: object) -> MemoryEpochStore:
    """Take over an epoch of the lost book: what the first reply earned, and 7 units of others."""
    twin, nano = MANIFEST.twin, next(iter(store.tables.replies.values())).creator_nano
    units = to_units(nano)
    postings = (
        Posting(creator_account(twin), -units * NANO_PER_UNIT),
        Posting(settled_account(twin), units * NANO_PER_UNIT),
        Posting(RESTORED, -7 * NANO_PER_UNIT),
        Posting(settled_account(LOST_FEES), 7 * NANO_PER_UNIT),
    )
    async with store.transaction() as tx:
        await tx.post(LedgerTransaction("restore:epoch:2", "restore", postings))
    said = Commitment(2, b"f" * 32, units + 7, LOST.root, LOST.size, b"d" * 32)
    said = replace(said, **changes)  # type: ignore[arg-type]
    payout = parse_address(MANIFEST.payout)
    own = Earnings(twin, payout, units * NANO_PER_UNIT, 1, bytes(32))
    epoch = Epoch(said, (own, lost_fees(7 * NANO_PER_UNIT)), 0, EpochState.LOST)
    return MemoryEpochStore(epochs={2: epoch})


async def test_an_epoch_of_the_lost_book_passes(tables: Tables) -> None:
    store = MemoryStore(tables=tables.copy())

    epochs = await _take_over(store)
    found = await _audit(store.tables, epochs=epochs)

    assert found.wrong == []
    assert found.checked["epochs of a lost book"] == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"log_size": 10},
            "epoch 2: is said to be lost, and neither a seal nor the log explains it",
        ),
        (
            {"log_root": bytes(32)},
            "epoch 2: is said to be lost, and neither a seal nor the log explains it",
        ),
        ({"log_size": 3}, "epoch 2: its log root does not follow from the log"),
        ({"fee_total": 8}, "epoch 2: another fee total"),
    ],
    ids=["another size", "another root", "of what was kept", "another total"],
)
async def test_an_epoch_that_was_never_lost_is_named(
    tables: Tables, changes: dict[str, object], sentence: str
) -> None:
    store = MemoryStore(tables=tables.copy())

    epochs = await _take_over(store, **changes)
    found = await _audit(store.tables, epochs=epochs)

    assert sentence in found.wrong


async def test_more_than_was_committed_is_not_taken_over(tables: Tables) -> None:
    store = MemoryStore(tables=tables.copy())
    epochs = await _take_over(store)
    more = (Posting(RESTORED, -1000), Posting(settled_account(MANIFEST.twin), 1000))
    async with store.transaction() as tx:
        await tx.post(LedgerTransaction("restore:epoch:1", "restore", more))

    found = await _audit(store.tables, epochs=epochs)

    assert "epoch 1: is not lost, and the ledger took it over" in found.wrong
    assert any("settled" in sentence for sentence in found.wrong)
