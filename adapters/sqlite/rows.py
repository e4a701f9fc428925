"""Values to rows and back: the only place that knows the column order."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import cast

from bot.domain.errors import InvariantError
from bot.domain.fields import Choice, Finish, LeftOut, MessagePart, Span, SpanKind
from bot.domain.ids import receipt_tag_of
from bot.domain.payment import Payer, Payment, RegistryBlock
from bot.domain.salted import spell_tokens
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.stores import (
    Intent,
    PastTurn,
    StoredCheckpoint,
    StoredManifest,
    StoredOrder,
    StoredReply,
)

Row = tuple[object, ...]

_MANIFEST = ("hash", "twin", "body", "signature", "persona", "log_index")
_INTENT = (
    *("key", "slot_tag", "attempt", "twin", "manifest", "conversation", "twin_slug", "platform"),
    *("bot", "chat", "thread", "server", "message_id", "fan", "text", "spans", "context"),
    *("prefix_tokens", "vrf_proof", "seed", "opening_key", "price_nano", "created_at", "state"),
    *("void_statement", "parts", "regenerate", "replaces", "rule", "rejected"),
    *("chain_start", "older", "older_tokens", "log_size"),
    *("payer", "rate_table", "registry_chain", "registry_number", "registry_hash"),
)
_REPLY = (
    *("receipt_hash", "receipt_id", "intent", "twin", "seq", "conversation", "turn"),
    *("fan_tokens", "output_tokens", "fan_text", "text", "finish", "price_nano", "creator_nano"),
    *("opening_key", "envelope", "sealed", "log_index"),
    *("outcome", "outcome_statement", "outcome_index", "attempt", "halt"),
    *("reversal", "reversal_statement", "reversal_index", "rejected"),
    *("refund_statement", "refund_index"),
)
_ORDER = ("hash", "twin", "number", "body", "signature", "log_index")
_TURN = ("turn", "receipt_hash", "fan_tokens", "output_tokens", "outcome", "reversal", "finish")
# Column names are literals of this module.
SELECT_MANIFEST = f"SELECT {', '.join(_MANIFEST)} FROM manifests"  # noqa: S608
SELECT_INTENT = f"SELECT {', '.join(_INTENT)} FROM intents"  # noqa: S608
SELECT_REPLY = f"SELECT {', '.join(_REPLY)} FROM replies"  # noqa: S608
SELECT_ORDER = f"SELECT {', '.join(_ORDER)} FROM orders"  # noqa: S608
SELECT_TURN = f"SELECT {', '.join(_TURN)} FROM replies"  # noqa: S608


def blob(value: object) -> bytes:
    """Return a column that holds bytes."""
    if not isinstance(value, bytes):
        raise InvariantError("a stored column does not hold bytes")
    return value


def _tokens(value: object) -> tuple[int, ...]:
    return tuple(json.loads(cast("str", value)))


def _encode_spans(spans: Sequence[Span]) -> str:
    return f"[{','.join(map(_encode_span, spans))}]"


def _encode_span(span: Span) -> str:
    receipt = "null" if span.receipt is None else f'"{span.receipt.hex()}"'
    return f'["{span.kind}",{spell_tokens(span.tokens)},{receipt}]'


def _read_spans(value: object) -> tuple[Span, ...]:
    return tuple(
        Span(
            kind=SpanKind(kind),
            tokens=tuple(tokens),
            receipt=None if receipt is None else bytes.fromhex(receipt),
        )
        for kind, tokens, receipt in json.loads(cast("str", value))
    )


def manifest_values(manifest: StoredManifest) -> dict[str, object]:
    """Return a manifest as column values."""
    values = asdict(manifest)
    return {"hash": values.pop("manifest_hash"), **values}


def read_manifest(row: Row) -> StoredManifest:
    """Read a row of `SELECT_MANIFEST`."""
    return StoredManifest(*row)  # type: ignore[arg-type]  # STRICT tables hold the types


def order_values(order: StoredOrder) -> dict[str, object]:
    """Return an order as column values."""
    values = asdict(order)
    return {"hash": values.pop("order_hash"), **values}


def read_order(row: Row) -> StoredOrder:
    """Read a row of `SELECT_ORDER`."""
    return StoredOrder(*row)  # type: ignore[arg-type]  # STRICT tables hold the types


def intent_values(intent: Intent) -> dict[str, object]:
    """Return an intent as column values."""
    message = intent.message
    return {
        "key": intent.key,
        "slot_tag": intent.slot_tag,
        "attempt": intent.attempt,
        "twin": intent.twin,
        "manifest": intent.manifest,
        "conversation": intent.conversation,
        "twin_slug": message.twin,
        **asdict(message.surface),
        "server": message.server,
        "message_id": message.message_id,
        "fan": message.fan,
        "text": message.text,
        "spans": _encode_spans(intent.spans),
        "context": spell_tokens(intent.context),
        "prefix_tokens": intent.prefix_tokens,
        "vrf_proof": intent.vrf_proof,
        "seed": intent.seed,
        "opening_key": intent.opening_key,
        "price_nano": intent.price_nano,
        "created_at": intent.created_at.isoformat(),
        "state": intent.state,
        "void_statement": intent.void_statement,
        "parts": json.dumps([[part.id, part.text] for part in intent.parts]),
        "regenerate": intent.regenerate,
        "replaces": intent.replaces,
        "rule": intent.rule,
        "rejected": intent.rejected,
        "chain_start": intent.choice.start,
        "older": None if intent.choice.older is None else intent.choice.older.receipt,
        "older_tokens": None if intent.choice.older is None else intent.choice.older.tokens,
        "log_size": intent.log_size,
        **_payment_values(intent.payment),
    }


def read_intent(row: Row) -> Intent:
    """Read a row of `SELECT_INTENT`."""
    values = dict(zip(_INTENT, row, strict=True))
    text = {name: cast("str", values[name]) for name in _INTENT if isinstance(values[name], str)}
    return Intent(
        key=text["key"],
        slot_tag=blob(values["slot_tag"]),
        attempt=cast("int", values["attempt"]),
        twin=blob(values["twin"]),
        manifest=blob(values["manifest"]),
        conversation=blob(values["conversation"]),
        message=IncomingMessage(
            twin=text["twin_slug"],
            surface=Surface(text["platform"], text["bot"], text["chat"], text["thread"]),
            fan=text["fan"],
            message_id=text["message_id"],
            text=text["text"],
            server=text["server"],
        ),
        spans=_read_spans(values["spans"]),
        context=_tokens(values["context"]),
        prefix_tokens=cast("int", values["prefix_tokens"]),
        vrf_proof=blob(values["vrf_proof"]),
        seed=blob(values["seed"]),
        opening_key=blob(values["opening_key"]),
        price_nano=cast("int", values["price_nano"]),
        created_at=datetime.fromisoformat(text["created_at"]),
        state=text["state"],
        void_statement=cast("bytes | None", values["void_statement"]),
        parts=tuple(MessagePart(*part) for part in json.loads(text["parts"])),
        regenerate=text.get("regenerate"),
        replaces=cast("bytes | None", values["replaces"]),
        choice=_read_choice(values),
        rejected=cast("int", values["rejected"]),
        rule=text.get("rule"),
        log_size=cast("int", values["log_size"]),
        payment=_read_payment(values),
    )


def _payment_values(payment: Payment) -> dict[str, object]:
    block = payment.registry
    return {
        "payer": payment.payer.word,
        "rate_table": payment.rate_table,
        "registry_chain": None if block is None else block.chain,
        "registry_number": None if block is None else block.number,
        "registry_hash": None if block is None else block.hash,
    }


def _read_payment(values: Mapping[str, object]) -> Payment:
    block = None
    if values["registry_hash"] is not None:
        block = RegistryBlock(
            chain=cast("int", values["registry_chain"]),
            number=cast("int", values["registry_number"]),
            hash=blob(values["registry_hash"]),
        )
    return Payment(
        payer=Payer[cast("str", values["payer"]).upper()],
        rate_table=cast("bytes | None", values["rate_table"]),
        registry=block,
    )


def _read_choice(values: Mapping[str, object]) -> Choice:
    older = None
    if values["older"] is not None:
        older = LeftOut(blob(values["older"]), cast("int", values["older_tokens"]))
    return Choice(cast("int", values["chain_start"]), older)


def reply_values(reply: StoredReply) -> dict[str, object]:
    """Return a reply as column values."""
    return {
        **{name: getattr(reply, name) for name in _REPLY},
        "receipt_tag": receipt_tag_of(reply.receipt_hash),
        "fan_tokens": spell_tokens(reply.fan_tokens),
        "output_tokens": spell_tokens(reply.output_tokens),
    }


def read_reply(row: Row) -> StoredReply:
    """Read a row of `SELECT_REPLY`."""
    values = dict(zip(_REPLY, row, strict=True))
    values["fan_tokens"] = _tokens(values["fan_tokens"])
    values["output_tokens"] = _tokens(values["output_tokens"])
    return StoredReply(**values)  # type: ignore[arg-type]  # STRICT tables hold the types


def read_turns(found: Sequence[Row]) -> list[PastTurn]:
    """Read rows of `SELECT_TURN`; their token lists are parsed all at once."""
    lists = ",".join([f"{row[2]},{row[3]}" for row in found])
    tokens = iter(json.loads(f"[{lists}]"))
    return [
        PastTurn(
            turn=cast("int", turn),
            receipt_hash=blob(receipt_hash),
            fan_tokens=tuple(next(tokens)),
            output_tokens=tuple(next(tokens)),
            withdrawn="withdrawn" in {outcome, reversal},
            fixed=finish == Finish.FIXED.value,
        )
        for turn, receipt_hash, _, _, outcome, reversal, finish in found
    ]


def read_checkpoint(row: Row) -> StoredCheckpoint:
    """Read a row of the checkpoints' columns in order."""
    return StoredCheckpoint(*row)  # type: ignore[arg-type]  # STRICT tables hold the types
