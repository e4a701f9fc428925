"""The audit passes over an honest book and names what was tampered with; one test a column."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.crypto.dsse import encode_envelope, parse_envelope, sign_envelope
from bot.domain.errors import EngineCrashedError
from bot.domain.leaf import RatesLeaf, VoidLeaf, parse_leaf
from bot.domain.ledger import EQUITY, SPONSOR, LedgerTransaction, Posting, creator_account
from bot.domain.payment import Payer, Payment, RegistryBlock
from bot.domain.rates import RATES_TYPE, STAR, RateTable
from bot.domain.statements import OUTCOME_TYPE, Outcome
from bot.ports.book import StoredRates
from bot.ports.stores import Intent, StoredManifest, StoredReply
from bot.receipts.rates import publish_rates
from tests.fakes.store import MemoryStore, Tables
from tests.stage import LOG_KEY, MIRA, RECEIPTS_KEY, THEO, Stage, memory_stage

Tamper = Callable[[Tables], object]


@pytest.fixture(scope="module")
def tables() -> Tables:
    """One of everything: outcomes of all kinds, a void, heads, versions."""
    return asyncio.run(_make_book())


@pytest.fixture
def book(tables: Tables) -> Stage:
    """A service over a copy of the book."""
    store = MemoryStore(tables=tables.copy())
    return memory_stage(store=store, reader=store)


async def _make_book() -> Tables:
    stage = memory_stage()
    await stage.open((MIRA, THEO))
    for number, outcome in enumerate([*Outcome, None]):
        reply = await stage.say(f"hello {number}", number=f"m{number}")
        if outcome is not None:
            await stage.delivery.record(reply.receipt_id, outcome)
        await stage.signer.publish(stage.store)
    stage.engine.crashes = [0, 0]
    with pytest.raises(EngineCrashedError):
        await stage.say(number="crash")
    await stage.publisher.publish(replace(MIRA, price_nano=3))
    await stage.delivery.record((await stage.say(number="new")).receipt_id, Outcome.DELIVERED)
    for star in (13_000_000, 12_000_000):
        async with stage.store.transaction() as tx:
            await publish_rates(
                tx,
                RECEIPTS_KEY,
                token="tUSD",  # noqa: S106 - a currency
                held_hours=504,
                rates={STAR: star},
            )
    assert isinstance(stage.store, MemoryStore)
    return stage.store.tables


def _flip(data: bytes, at: int = -1) -> bytes:
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def _reply(change: Callable[[StoredReply], dict[str, object]], number: int = 0) -> Tamper:
    def tamper(tables: Tables) -> None:
        key = list(tables.replies)[number]
        old = tables.replies[key]
        tables.replies[key] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _intent(change: Callable[[Intent], dict[str, object]], number: int = 0) -> Tamper:
    def tamper(tables: Tables) -> None:
        key = list(tables.intents)[number]
        old = tables.intents[key]
        tables.intents[key] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _manifest(change: Callable[[StoredManifest], dict[str, object]]) -> Tamper:
    def tamper(tables: Tables) -> None:
        old = tables.manifests[0]
        tables.manifests[0] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _rates(number: int, change: Callable[[StoredRates], dict[str, object]]) -> Tamper:
    def tamper(tables: Tables) -> None:
        old = tables.rates[number]
        tables.rates[number] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _resign_rates(key: bytes, kind: str, **changes: object) -> Tamper:
    """Sign the first rate table anew, and cite it by its name."""

    def tamper(tables: Tables) -> None:
        table = RateTable.parse(parse_envelope(tables.rates[0].envelope).payload)
        changed = replace(table, **changes).encode()  # type: ignore[arg-type]
        envelope = sign_envelope(kind, changed, key)
        index = tables.rates[0].log_index
        tables.rates[0] = StoredRates(index, envelope.digest, encode_envelope(envelope))
        tables.leaves[index] = RatesLeaf(envelope.digest).encode()

    return tamper


def _pay_by(payment: Payment) -> Tamper:
    return _intent(lambda _: {"payment": payment})


def _swap_seq(tables: Tables) -> None:
    first, second = list(tables.replies.values())[:2]
    tables.replies[first.receipt_hash] = replace(first, seq=second.seq)
    tables.replies[second.receipt_hash] = replace(second, seq=first.seq)


def _swap_leaves(tables: Tables) -> None:
    tables.leaves[2], tables.leaves[3] = tables.leaves[3], tables.leaves[2]


def _posting(nano: int, *, with_balance: bool) -> Tamper:
    def tamper(tables: Tables) -> None:
        at = next(n for n, t in enumerate(tables.ledger) if t.kind == "capture")
        old = tables.ledger[at]
        moved = [replace(p, nano=p.nano) for p in old.postings]
        moved[1] = replace(moved[1], nano=moved[1].nano + nano)
        moved[2] = replace(moved[2], nano=moved[2].nano - nano)
        tables.ledger[at] = replace(old, postings=tuple(moved))
        if with_balance:
            tables.balances[moved[1].account] += nano
            tables.balances[moved[2].account] -= nano

    return tamper


def _stray(key: str, kind: str, source: str) -> Tamper:
    def tamper(tables: Tables) -> None:
        account = creator_account(next(iter(tables.replies.values())).twin)
        extra = LedgerTransaction(key, kind, (Posting(source, -9), Posting(account, 9)))
        tables.ledger.append(extra)
        for posting in extra.postings:
            tables.balances[posting.account] = (
                tables.balances.get(posting.account, 0) + posting.nano
            )

    return tamper


def _drop_ledger(kind: str) -> Tamper:
    def tamper(tables: Tables) -> None:
        at = next(n for n, t in enumerate(tables.ledger) if t.kind == kind)
        for posting in tables.ledger.pop(at).postings:
            tables.balances[posting.account] -= posting.nano

    return tamper


def _drop_reply_with_its_intent(tables: Tables) -> None:
    last = list(tables.replies.values())[-1]
    del tables.replies[last.receipt_hash]
    del tables.intents[last.intent]


def _drop_head(tables: Tables) -> None:
    tables.checkpoints[0] = replace(tables.checkpoints[0], root=bytes(32))


def _forge_head_size(tables: Tables) -> None:
    tables.checkpoints[-1] = replace(tables.checkpoints[-1], size=len(tables.leaves) + 1)


def _void_leaf_index(tables: Tables) -> int:
    return next(n for n, leaf in enumerate(tables.leaves) if isinstance(parse_leaf(leaf), VoidLeaf))


def _break_void(tables: Tables) -> None:
    index = _void_leaf_index(tables)
    tables.leaves[index] = _flip(tables.leaves[index])


def _unknown_leaf_kind(tables: Tables) -> None:
    index = _void_leaf_index(tables)
    tables.leaves[index] = b"\x09" + tables.leaves[index][1:]


TAMPERS: dict[str, Tamper] = {
    "envelope byte": _reply(lambda r: {"envelope": _flip(r.envelope, 40)}),
    "envelope cut": _reply(lambda r: {"envelope": r.envelope[:-1]}),
    "envelope of another": _reply(lambda _: {"envelope": b"{}"}),
    "sealed byte": _reply(lambda r: {"sealed": _flip(r.sealed)}),
    "opening key": _reply(lambda r: {"opening_key": _flip(r.opening_key)}),
    "receipt hash": _reply(lambda r: {"receipt_hash": _flip(r.receipt_hash)}),
    "receipt id": _reply(lambda _: {"receipt_id": "A" * 22}),
    "seq": _reply(lambda _: {"seq": 77}),
    "seq order": _swap_seq,
    "turn": _reply(lambda _: {"turn": 77}),
    "conversation": _reply(lambda r: {"conversation": _flip(r.conversation)}),
    "reply text": _reply(lambda r: {"text": r.text + "!"}),
    "fan text": _reply(lambda r: {"fan_text": r.fan_text + "!"}),
    "finish": _reply(lambda _: {"finish": "stop"}),
    "output tokens": _reply(lambda r: {"output_tokens": r.output_tokens[1:]}),
    "fan tokens": _reply(lambda r: {"fan_tokens": r.fan_tokens[1:]}),
    "price": _reply(lambda r: {"price_nano": r.price_nano + 1}),
    "creator's part": _reply(lambda r: {"creator_nano": r.creator_nano + 1}),
    "leaf index": _reply(lambda r: {"log_index": r.log_index + 1}),
    "leaf index from the end": _reply(lambda r: {"log_index": r.log_index - 10_000}),
    "leaf index beyond": _reply(lambda _: {"log_index": 10_000}),
    "outcome": _reply(lambda _: {"outcome": "refunded"}),
    "outcome word": _reply(lambda _: {"outcome": "lost"}),
    "outcome taken back": _reply(
        lambda _: {"outcome": None, "outcome_statement": None, "outcome_index": None}
    ),
    "half an outcome": _reply(lambda _: {"outcome_statement": None}),
    "outcome statement": _reply(
        lambda r: {"outcome_statement": _flip(r.outcome_statement or b"", 40)}
    ),
    "outcome index": _reply(lambda r: {"outcome_index": r.log_index}),
    "undecided is refunded": _reply(lambda _: {"outcome": "refunded"}, 4),
    "receipt's twin": _reply(lambda r: {"twin": _flip(r.twin)}),
    "reply deleted": lambda t: t.replies.popitem(),
    "reply and intent deleted": _drop_reply_with_its_intent,
    "intent deleted": lambda t: t.intents.pop(next(iter(t.intents))),
    "intent state": _intent(lambda _: {"state": "void"}),
    "intent reopened": _intent(lambda _: {"state": "open"}),
    "intent slot": _intent(lambda i: {"slot_tag": _flip(i.slot_tag)}),
    "intent attempt": _intent(lambda _: {"attempt": 1}),
    "intent manifest": _intent(lambda i: {"manifest": _flip(i.manifest)}),
    "intent price": _intent(lambda i: {"price_nano": i.price_nano + 1}),
    "void statement byte": _intent(
        lambda i: {"void_statement": _flip(i.void_statement or b"?", 60)}, number=5
    ),
    "void statement lost": _intent(lambda _: {"void_statement": None}, number=5),
    "intent seed": _intent(lambda i: {"seed": _flip(i.seed)}),
    "intent proof": _intent(lambda i: {"vrf_proof": _flip(i.vrf_proof)}),
    "intent opening key": _intent(lambda i: {"opening_key": _flip(i.opening_key)}),
    "intent context": _intent(lambda i: {"context": i.context[1:]}),
    "intent spans": _intent(lambda i: {"spans": i.spans[:1]}),
    "intent conversation": _intent(lambda i: {"conversation": _flip(i.conversation)}),
    "intent message": _intent(lambda i: {"message": replace(i.message, text="other")}),
    "intent message id": _intent(lambda i: {"message": replace(i.message, message_id="other")}),
    "manifest body": _manifest(lambda m: {"body": m.body.replace(b"2000001", b"2000002")}),
    "manifest byte": _manifest(lambda m: {"body": _flip(m.body)}),
    "manifest hash": _manifest(lambda m: {"manifest_hash": _flip(m.manifest_hash)}),
    "manifest signature": _manifest(lambda _: {"signature": "0x" + "11" * 65}),
    "manifest persona": _manifest(lambda m: {"persona": m.persona.replace(b"cook", b"king")}),
    "manifest twin": _manifest(lambda m: {"twin": _flip(m.twin)}),
    "manifest index": _manifest(lambda m: {"log_index": m.log_index + 1}),
    "manifest deleted": lambda t: t.manifests.pop(1),
    "leaf byte": lambda t: t.leaves.__setitem__(3, _flip(t.leaves[3], 5)),
    "leaf kind": _unknown_leaf_kind,
    "leaf deleted": lambda t: t.leaves.pop(4),
    "last leaf deleted": lambda t: t.leaves.pop(),
    "leaves swapped": _swap_leaves,
    "leaf added": lambda t: t.leaves.append(t.leaves[0]),
    "void leaf": _break_void,
    "node deleted": lambda t: t.nodes.pop((1, 0)),
    "node byte": lambda t: t.nodes.__setitem__((1, 0), _flip(t.nodes[1, 0])),
    "node added": lambda t: t.nodes.__setitem__((9, 9), bytes(32)),
    "head's root": _drop_head,
    "head's size": _forge_head_size,
    "head's note": lambda t: t.checkpoints.__setitem__(
        0, replace(t.checkpoints[0], note=t.checkpoints[1].note)
    ),
    "head's signature": lambda t: t.checkpoints.__setitem__(
        0, replace(t.checkpoints[0], note=t.checkpoints[0].note[:-8] + "AAAAAA=\n")
    ),
    "balance": lambda t: t.balances.__setitem__(SPONSOR, t.balances[SPONSOR] + 1),
    "balance added": lambda t: t.balances.__setitem__("creator:x", 1),
    "posting": _posting(1, with_balance=False),
    "posting and balance": _posting(1, with_balance=True),
    "money from the budget": _stray("gift:1", "capture", SPONSOR),
    "money from nowhere": _stray("fund:1", "fund", EQUITY),
    "rate table byte": _rates(0, lambda r: {"envelope": _flip(r.envelope, 40)}),
    "rate table of another": _rates(0, lambda _: {"envelope": b"{}"}),
    "rate table's name": _rates(0, lambda r: {"name": _flip(r.name)}),
    "rate table's leaf": _rates(0, lambda r: {"log_index": r.log_index + 1}),
    "rate table deleted": lambda t: t.rates.pop(),
    "first rate table deleted": lambda t: t.rates.pop(0),
    "rate tables swapped": lambda t: t.rates.reverse(),
    "payer": _pay_by(Payment(Payer.PROMOTIONAL)),
    "registry block": _pay_by(Payment(Payer.SPONSOR, registry=RegistryBlock(1, 2, bytes(32)))),
    "rate table unknown": _pay_by(Payment(Payer.PAID, bytes(32))),
    "hold deleted": _drop_ledger("hold"),
    "capture deleted": _drop_ledger("capture"),
    "release deleted": _drop_ledger("release"),
}


async def test_honest_book_passes_and_everything_is_counted(book: Stage, tables: Tables) -> None:
    findings = await book.audit()

    assert findings.wrong == []
    assert findings.checked == {
        "log leaves": len(tables.leaves),
        "signed heads": 5,
        "manifests": 3,
        "receipts": 6,
        "outcomes": 5,
        "intents": 7,
        "proofs": 5,
        "ledger transactions": len(tables.ledger),
        "entries of twins' logs": 5,
        "rate tables": 2,
    }


RESIGNED: dict[str, tuple[Tamper, str]] = {
    "number": (_resign_rates(RECEIPTS_KEY, RATES_TYPE, number=7), "says that it is number 7"),
    "operator": (
        _resign_rates(RECEIPTS_KEY, RATES_TYPE, operator=bytes(32)),
        "names another operator",
    ),
    "type": (_resign_rates(RECEIPTS_KEY, OUTCOME_TYPE), "rate table 1: "),
    "key": (_resign_rates(LOG_KEY, RATES_TYPE), "rate table 1: "),
}


@pytest.mark.parametrize("what", RESIGNED)
async def test_a_rate_table_that_is_signed_and_false_is_named(book: Stage, what: str) -> None:
    assert isinstance(book.store, MemoryStore)
    tamper, words = RESIGNED[what]

    tamper(book.store.tables)

    assert any(words in sentence for sentence in (await book.audit()).wrong)


async def test_a_rate_table_that_nobody_keeps_is_missed(book: Stage) -> None:
    assert isinstance(book.store, MemoryStore)
    _pay_by(Payment(Payer.PAID, bytes(32)))(book.store.tables)

    wrong = (await book.audit()).wrong

    assert any("was paid by a rate table that is not there" in sentence for sentence in wrong)


@pytest.mark.parametrize("what", TAMPERS)
async def test_tampered_book_is_named_and_never_crashes_the_audit(book: Stage, what: str) -> None:
    assert isinstance(book.store, MemoryStore)

    TAMPERS[what](book.store.tables)

    findings = await book.audit()
    assert findings.wrong
    assert all(len(sentence) < 300 for sentence in findings.wrong)
