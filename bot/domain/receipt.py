"""Receipts: the signed statement of one reply (docs/spec/formats.md section 7)."""

from dataclasses import dataclass
from datetime import datetime

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.domain.field_values import FIELD_NAMES
from bot.domain.ids import SLOT_TAG_BYTES
from bot.domain.payment import Payer, Payment, RegistryBlock
from bot.domain.reading import ObjectReader
from bot.domain.times import encode_time, parse_time

VERSION = "twinproof-receipt/2"
PAYLOAD_TYPE = "application/vnd.twinproof.receipt+json"
REPLY, FIXED = "reply", "fixed"
PROFILE = "exact/1"
HASH_BYTES = 32
MAX_ATTEMPT = 65_535  # it has two bytes in the leaf
MAX_NAME = 64
_KEYS = (
    "v type twin manifest seq attempt numbering model seed fields price rule rate_table payer "
    "registry_block operator time"
)


@dataclass(frozen=True, slots=True)
class ReceiptModel:
    """What ran: the GGUF's SHA-256, the library, a digest of its shared libraries, the verdict.

    Attributes:
        verdict: `exact`, or `tolerant` where the self-check of the exact profile failed.
    """

    gguf: bytes
    library: str
    build: bytes
    verdict: str


@dataclass(frozen=True, slots=True)
class ReceiptPrice:
    """What the reply costs, in nano-units of `token`, and who gets how much of it.

    Attributes:
        free_daily: replies that the twin gives a fan free in 24 hours.
    """

    nano: int
    token: str
    creator_nano: int
    operator_nano: int
    free_daily: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """The public statement of one reply.

    Attributes:
        twin: 32 bytes, as are `manifest` (its hash) and `operator` (the signing key).
        seq: counts the twin's receipts from 1, without holes.
        attempt: which draw at its slot this is, from 0.
        numbering: `operator` or `platform`: who numbers the messages of the surface.
        slot_tag: 16 bytes.
        fields_root: root over the salted fields.
        time: aware UTC, whole seconds.
        payment: whose money it is.
        rule: id of the rule whose fixed answer this is; None for a generated reply.
    """

    twin: bytes
    manifest: bytes
    seq: int
    attempt: int
    numbering: str
    model: ReceiptModel
    slot_tag: bytes
    fields_root: bytes
    price: ReceiptPrice
    operator: bytes
    time: datetime
    payment: Payment
    rule: str | None = None

    @property
    def type(self) -> str:
        """The kind of reply: `fixed`, or `reply`, which a model has made."""
        return REPLY if self.rule is None else FIXED


def encode_receipt(receipt: Receipt) -> bytes:
    """Encode as canonical JSON, after checking that it would be read again as it is.

    Raises:
        FormatError: a value is outside the limits of the format.
    """
    value = _to_json(receipt)
    if _from_json(value) != receipt:
        raise FormatError("the receipt does not survive encoding: is its time whole seconds?")
    return encode_canonical(value)


def parse_receipt(data: bytes) -> Receipt:
    """Parse canonical JSON; nothing is verified here.

    Raises:
        FormatError: the bytes are not a receipt of version 2.
    """
    return _from_json(parse_canonical(data))


def _from_json(value: JsonValue) -> Receipt:
    reader = ObjectReader(value, "receipt", _KEYS)
    reader.constant("v", VERSION)
    reader.constant("type", REPLY, FIXED)
    reader.constant("numbering", "operator", "platform")
    rule = reader.text_or_null("rule")
    if (rule is None) != (reader.text("type") == REPLY):
        raise FormatError("receipt.rule: a fixed answer names its rule, and no other reply does")
    seed = reader.object("seed", "slot_tag beacon")
    seed.constant("beacon", None)
    fields = reader.object("fields", "root count")
    fields.constant("count", len(FIELD_NAMES))
    return Receipt(
        twin=reader.hex("twin", HASH_BYTES),
        manifest=reader.hex("manifest", HASH_BYTES),
        seq=reader.integer("seq", minimum=1),
        attempt=reader.integer("attempt", maximum=MAX_ATTEMPT),
        numbering=reader.text("numbering"),
        model=_read_model(reader.object("model", "gguf library build profile verdict")),
        slot_tag=seed.hex("slot_tag", SLOT_TAG_BYTES),
        fields_root=fields.hex("root", HASH_BYTES),
        price=_read_price(
            reader.object("price", "nano token creator_nano operator_nano free_daily")
        ),
        operator=reader.hex("operator", HASH_BYTES),
        time=reader.convert("time", parse_time),
        payment=_read_payment(reader),
        rule=rule,
    )


def _read_model(reader: ObjectReader) -> ReceiptModel:
    reader.constant("profile", PROFILE)
    reader.constant("verdict", "exact", "tolerant")
    return ReceiptModel(
        gguf=reader.hex("gguf", HASH_BYTES),
        library=reader.text("library", minimum=1, maximum=MAX_NAME),
        build=reader.hex("build", HASH_BYTES),
        verdict=reader.text("verdict"),
    )


def _read_price(reader: ObjectReader) -> ReceiptPrice:
    return ReceiptPrice(
        nano=reader.integer("nano"),
        token=reader.text("token", minimum=1, maximum=MAX_NAME),
        creator_nano=reader.integer("creator_nano"),
        operator_nano=reader.integer("operator_nano"),
        free_daily=reader.integer("free_daily"),
    )


def _read_payment(reader: ObjectReader) -> Payment:
    payers = {payer.word: payer for payer in Payer}
    reader.constant("payer", *payers)
    registry = None
    if reader.value("registry_block") is not None:
        block = reader.object("registry_block", "chain number hash")
        registry = RegistryBlock(
            chain=block.integer("chain", minimum=1),
            number=block.integer("number"),
            hash=block.hex("hash", HASH_BYTES),
        )
    return Payment(
        payer=payers[reader.text("payer")],
        rate_table=reader.hex_or_null("rate_table", HASH_BYTES),
        registry=registry,
    )


def _to_json(receipt: Receipt) -> JsonValue:
    model, price, payment = receipt.model, receipt.price, receipt.payment
    table, registry = payment.rate_table, payment.registry
    return {
        "v": VERSION,
        "type": receipt.type,
        "twin": receipt.twin.hex(),
        "manifest": receipt.manifest.hex(),
        "seq": receipt.seq,
        "attempt": receipt.attempt,
        "numbering": receipt.numbering,
        "model": {
            "gguf": model.gguf.hex(),
            "library": model.library,
            "build": model.build.hex(),
            "profile": PROFILE,
            "verdict": model.verdict,
        },
        "seed": {
            "slot_tag": receipt.slot_tag.hex(),
            "beacon": None,
        },
        "fields": {"root": receipt.fields_root.hex(), "count": len(FIELD_NAMES)},
        "price": {
            "nano": price.nano,
            "token": price.token,
            "creator_nano": price.creator_nano,
            "operator_nano": price.operator_nano,
            "free_daily": price.free_daily,
        },
        "rule": receipt.rule,
        "rate_table": None if table is None else table.hex(),
        "payer": payment.payer.word,
        "registry_block": None
        if registry is None
        else {"chain": registry.chain, "number": registry.number, "hash": registry.hash.hex()},
        "operator": receipt.operator.hex(),
        "time": encode_time(receipt.time),
    }
