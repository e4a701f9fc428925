"""Attempts, halts, merged messages, orders, withdrawals, the forgotten: honest, then tampered."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.crypto import eip712
from bot.domain.order import TwinOrder, order_data
from bot.ports.stores import Intent, StoredOrder
from scripts.vector_events import ORDER
from scripts.vector_parts import CREATOR_KEY, OTHER_CREATOR_KEY
from tests.fakes.store import Tables
from tests.unit.audit.conftest import RESUME
from tests.unit.audit.scribe import MANIFEST, Scribe

Tamper = Callable[[Tables], object]


async def test_honest_day_passes_and_everything_is_counted(scribe: Scribe, day: Tables) -> None:
    findings = await scribe.audit()

    assert findings.wrong == []
    assert findings.checked == {
        "log leaves": len(day.leaves),
        "signed heads": 2,
        "manifests": 1,
        "orders": 3,
        "receipts": 6,
        "outcomes": 8,
        "intents": 7,
        "proofs": 6,
        "ledger transactions": len(day.ledger),
        "entries of twins' logs": 8,
    }


def _reply(number: int, **changes: object) -> Tamper:
    def tamper(tables: Tables) -> None:
        key = list(tables.replies)[number]
        tables.replies[key] = replace(tables.replies[key], **changes)  # type: ignore[arg-type]

    return tamper


def _intent(number: int, change: Callable[[Intent], dict[str, object]]) -> Tamper:
    def tamper(tables: Tables) -> None:
        key = list(tables.intents)[number]
        old = tables.intents[key]
        tables.intents[key] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _order(number: int, change: Callable[[StoredOrder], dict[str, object]]) -> Tamper:
    def tamper(tables: Tables) -> None:
        old = tables.orders[number]
        tables.orders[number] = replace(old, **change(old))  # type: ignore[arg-type]

    return tamper


def _swap_outcomes(tables: Tables) -> None:
    old = list(tables.replies.values())[3]
    tables.replies[old.receipt_hash] = replace(
        old,
        outcome="withdrawn",
        outcome_statement=old.reversal_statement,
        outcome_index=old.reversal_index,
        reversal="delivered",
        reversal_statement=old.outcome_statement,
        reversal_index=old.outcome_index,
    )


def _drop_attempt(tables: Tables) -> None:
    del tables.intents[list(tables.intents)[2]]


def _drop_outcome_leaf(tables: Tables) -> None:
    reversed_ = list(tables.replies.values())[3]
    assert reversed_.reversal_index is not None
    tables.leaves.pop(reversed_.reversal_index)


_MERGED, _VOID, _AGAIN, _CUT, _FORGOTTEN = 1, 2, 3, 5, 6
TAMPERS: dict[str, tuple[Tamper, str]] = {
    "reply's attempt": (_reply(2, attempt=1), "another place"),
    "halt": (_reply(2, halt="stop 2"), "openings"),
    "halt taken away": (_reply(2, halt=None), "openings"),
    "cut by an unknown order": (_reply(4, halt="ab" * 32), "an order that is not stored"),
    "order not stored": (lambda t: t.orders.clear(), "an order that is not stored"),
    "cut and paid": (_reply(4, outcome="delivered"), "not refunded"),
    "reversal": (_reply(3, reversal="refunded"), "stayed paid"),
    "reversal's word": (_reply(3, reversal="undelivered"), "can't follow"),
    "half a reversal": (_reply(3, reversal_statement=None), "half an outcome"),
    "reversal taken back": (
        _reply(3, reversal=None, reversal_statement=None, reversal_index=None),
        "is of 0 stored things",
    ),
    "reversal of another": (_reply(3, reversal_statement=b"{}"), "receipt"),
    "reversal's leaf": (_drop_outcome_leaf, "not in the log"),
    "outcomes in the other order": (_swap_outcomes, "delivered can't follow withdrawn"),
    "part's text": (
        _intent(_MERGED, lambda i: {"parts": (replace(i.parts[0], text="?"), *i.parts[1:])}),
        "its message is not that of its parts",
    ),
    "part's id": (
        _intent(_MERGED, lambda i: {"parts": (*i.parts[:2], replace(i.parts[2], id="m9"))}),
        "another message or context",
    ),
    "part left out": (
        _intent(_MERGED, lambda i: {"parts": i.parts[:2]}),
        "its message is not that of its parts",
    ),
    "no parts": (_intent(_MERGED, lambda _: {"parts": ()}), "not that of its parts"),
    "wish": (_intent(_AGAIN, lambda _: {"regenerate": "wish 3"}), "another event"),
    "wish taken away": (
        _intent(_AGAIN, lambda _: {"regenerate": None, "replaces": None}),
        "asked for again False",
    ),
    "replaces another": (
        _intent(_AGAIN, lambda _: {"replaces": bytes(32)}),
        "replaces another reply",
    ),
    "void replaces another": (
        _intent(_VOID, lambda _: {"replaces": bytes(32)}),
        "replaces another reply",
    ),
    "attempt of another turn": (_reply(2, turn=3), "another turn"),
    "attempt of another conversation": (
        _intent(_AGAIN, lambda _: {"conversation": bytes(32)}),
        "another message than the first attempt",
    ),
    "attempt left out": (_drop_attempt, "without holes"),
    "attempt still open": (_intent(_VOID, lambda _: {"state": "open"}), "an attempt is open"),
    "key of another attempt": (_intent(_AGAIN, lambda i: {"key": i.key[:-1] + "1"}), "its key"),
    "order's signature": (
        _order(0, lambda _: {"signature": _signed(ORDER, OTHER_CREATOR_KEY)}),
        "not signed by the twin's creator",
    ),
    "order signed under another name": (
        _order(0, lambda _: {"signature": _signed(ORDER, name="Somebody")}),
        "not signed by the twin's creator",
    ),
    "order's signature is none": (_order(0, lambda _: {"signature": "0x"}), "order"),
    "order's body": (_order(0, lambda _: {"body": RESUME.encode()}), "another hash"),
    "order's bytes": (_order(0, lambda o: {"body": o.body + b" "}), "order"),
    "order's number": (_order(1, lambda _: {"number": 3}), "another place"),
    "order's hash": (_order(1, lambda _: {"order_hash": bytes(32)}), "another hash"),
    "order's twin": (_order(1, lambda _: {"twin": bytes(32)}), "another place"),
    "order's leaf": (_order(1, lambda o: {"log_index": o.log_index + 1}), "not in the log"),
    "order deleted": (lambda t: t.orders.pop(0), "not the twin's next"),
    "something left of a forgotten reply": (_reply(5, text="secret"), "something of it is left"),
    "something left of a forgotten intent": (
        _intent(_FORGOTTEN, lambda i: {"message": replace(i.message, text="secret")}),
        "something of it is left",
    ),
    "forgotten and its price changed": (_reply(5, price_nano=1), "another price"),
    "forgotten and its outcome changed": (_reply(5, outcome="refunded"), "its outcome"),
    "forgotten and its envelope spoilt": (_reply(5, envelope=b"{}"), "receipt"),
    "forgotten by half": (
        _intent(_FORGOTTEN, lambda _: {"opening_key": bytes(32)}),
        "another key",
    ),
}


def _signed(order: TwinOrder, key: bytes = CREATOR_KEY, *, name: str = MANIFEST.name) -> str:
    digest = order_data(order, name).digest()
    return eip712.encode_signature(eip712.sign_digest(key, digest))


@pytest.mark.parametrize("what", TAMPERS)
async def test_tampered_day_is_named(scribe: Scribe, what: str) -> None:
    tamper, named = TAMPERS[what]

    tamper(scribe.store.tables)

    findings = await scribe.audit()
    assert any(named in sentence for sentence in findings.wrong), findings.wrong
    assert all(len(sentence) < 300 for sentence in findings.wrong)
