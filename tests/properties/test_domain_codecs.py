"""Every codec gives back what it was given; a changed byte is refused or is another value."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.crypto.canonical import MAX_INTEGER, encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import VerifierKey
from bot.domain.errors import PersonaError
from bot.domain.field_values import (
    MAX_LEFT_OUT,
    fields_from_json,
    fields_root,
    fields_to_json,
)
from bot.domain.fields import (
    MAX_EVENT,
    MAX_PARTS,
    Choice,
    Counts,
    Fields,
    Finish,
    LeftOut,
    MessagePart,
    ReplyEvent,
    Span,
    SpanKind,
)
from bot.domain.ids import SlotInput
from bot.domain.leaf import (
    Leaf,
    ManifestLeaf,
    OrderLeaf,
    OutcomeLeaf,
    RatesLeaf,
    ReplyLeaf,
    SealLeaf,
    VerdictLeaf,
    VoidLeaf,
    parse_leaf,
)
from bot.domain.manifest import Manifest, encode_manifest, parse_manifest
from bot.domain.order import OrderAction, TwinOrder, parse_order
from bot.domain.payment import MAX_FREE_DAILY, MAX_OPERATOR_BP, Payer, Payment, RegistryBlock
from bot.domain.persona import Example, Persona, encode_persona, parse_persona
from bot.domain.rates import MAX_HELD_HOURS, MAX_RATES, Rate, RateTable
from bot.domain.receipt import Receipt, ReceiptPrice, encode_receipt, parse_receipt
from bot.domain.salted import root_of_salted, salt_fields
from bot.domain.statements import (
    MAX_ATTEMPT,
    AuditVerdict,
    Outcome,
    OutcomeStatement,
    Sample,
    SealStatement,
    VerdictStatement,
    VoidReason,
    VoidStatement,
)
from bot.domain.terms import MAX_REDRAWS
from scripts.vector_events import ORDER
from scripts.vector_parts import LOG, MANIFEST, OTHER_LOG, Recipe, make_receipt

HASHES = st.binary(min_size=32, max_size=32)
TIMES = st.integers(0, 253_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
LINES = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=40
).filter(str.strip)
TOKENS = st.lists(st.integers(0, 2**31 - 1), max_size=8).map(tuple)
PERSONAS = st.builds(
    Persona,
    name=LINES,
    role=LINES,
    facts=st.lists(LINES, max_size=3).map(tuple),
    off_limits=st.lists(LINES, max_size=3).map(tuple),
    examples=st.lists(st.builds(Example, LINES, LINES), max_size=2).map(tuple),
)
MANIFESTS = st.builds(
    lambda **changes: replace(MANIFEST, **changes),
    name=LINES,
    version=st.integers(1, MAX_INTEGER),
    previous=st.none() | HASHES,
    price_nano=st.integers(0, MAX_INTEGER),
    free_daily=st.integers(0, MAX_FREE_DAILY),
    creator_bp=st.integers(10_000 - MAX_OPERATOR_BP, 10_000),
    valid_from=TIMES,
)
AMOUNTS = st.integers(0, MAX_INTEGER)
# Whether payer, price and rate table go together is for step 4, not for the codec.
PAYMENTS = st.builds(
    Payment,
    payer=st.sampled_from(Payer),
    rate_table=st.none() | HASHES,
    registry=st.none() | st.builds(RegistryBlock, st.integers(1, MAX_INTEGER), AMOUNTS, HASHES),
)
RECEIPTS = st.builds(
    lambda **changes: replace(make_receipt(Recipe()), **changes),
    twin=HASHES,
    seq=st.integers(1, MAX_INTEGER),
    attempt=st.integers(0, MAX_ATTEMPT),
    numbering=st.sampled_from(["operator", "platform"]),
    time=TIMES,
    price=st.builds(ReceiptPrice, AMOUNTS, st.just("TWIN"), AMOUNTS, AMOUNTS, AMOUNTS),
    payment=PAYMENTS,
    rule=st.none() | st.text(),
)
EARLIER = st.builds(Span, st.sampled_from([SpanKind.FAN, SpanKind.TWIN]), TOKENS, HASHES)
PLAIN = st.builds(Span, st.sampled_from([SpanKind.PERSONA, SpanKind.MESSAGE]), TOKENS.filter(len))
SLOTS = st.builds(SlotInput, st.text(), st.text(), st.text(), st.text(), st.text())
EVENT_IDS = st.text(min_size=1, max_size=MAX_EVENT)
PARTS = st.lists(
    st.builds(MessagePart, st.text(), st.text()),
    min_size=1,
    max_size=MAX_PARTS,
    unique_by=lambda part: part.id,
).map(tuple)


LENGTHS = st.integers(0, MAX_INTEGER)
LEFT_OUT = st.builds(LeftOut, HASHES, st.integers(1, MAX_LEFT_OUT))
CHOICES = st.builds(Choice, st.integers(1, MAX_INTEGER), st.none() | LEFT_OUT)
COUNTS = st.builds(Counts, LENGTHS, LENGTHS)


@st.composite
def make_fields(draw: st.DrawFn) -> Fields:
    """Draw fields that keep to the format."""
    parts, finish, turn = draw(PARTS), draw(st.sampled_from(Finish)), draw(st.integers(1, 9))
    asked = draw(st.booleans())
    return Fields(
        slot=replace(draw(SLOTS), message=parts[0].id),
        conversation=draw(HASHES),
        turn=turn,
        previous=None if turn == 1 else draw(HASHES),
        parts=parts,
        spans=tuple(draw(st.lists(EARLIER | PLAIN, max_size=4))),
        context=draw(TOKENS),
        output=draw(TOKENS),
        finish=finish,
        text=draw(st.text(min_size=1)),
        choice=draw(CHOICES),
        counts=draw(COUNTS),
        vrf_proof=draw(st.binary(min_size=80, max_size=80)),
        rejected=draw(st.integers(0, MAX_REDRAWS)),
        event=ReplyEvent(
            regenerate=draw(EVENT_IDS) if asked else None,
            replaces=draw(HASHES) if asked else None,
            halt=draw(EVENT_IDS) if finish.halted else None,
        ),
    )


ORDERS = st.builds(
    lambda action, manifest, issued, valid, **values: TwinOrder(
        action=action,
        manifest=manifest if action is OrderAction.REVOKE else None,
        issued=issued,
        expires=issued + valid,
        **values,
    ),
    action=st.sampled_from(OrderAction),
    manifest=st.none() | HASHES,
    issued=TIMES,
    valid=st.integers(0, 10**6).map(lambda seconds: timedelta(seconds=seconds)),
    twin=HASHES,
    number=st.integers(1, MAX_INTEGER),
    log=st.text(min_size=1, max_size=128),
)
ATTEMPTS = st.integers(0, MAX_ATTEMPT)
LEAVES: st.SearchStrategy[Leaf] = st.one_of(
    st.builds(
        ReplyLeaf,
        HASHES,
        st.binary(min_size=16, max_size=16),
        ATTEMPTS,
        st.integers(0, 255),
        st.binary(min_size=8, max_size=8),
        st.binary(min_size=8, max_size=8),
    ),
    st.builds(OutcomeLeaf, HASHES, HASHES, st.sampled_from(Outcome)),
    st.builds(ManifestLeaf, HASHES, st.binary(min_size=8, max_size=8)),
    st.builds(
        VoidLeaf,
        HASHES,
        st.binary(min_size=16, max_size=16),
        ATTEMPTS,
        st.sampled_from(VoidReason),
    ),
    st.builds(VerdictLeaf, HASHES, HASHES, st.sampled_from(AuditVerdict)),
    st.builds(SealLeaf, HASHES),
    st.builds(RatesLeaf, HASHES),
    st.builds(OrderLeaf, HASHES, st.binary(min_size=8, max_size=8)),
)
VOIDS = st.builds(
    VoidStatement,
    twin=HASHES,
    slot_tag=st.binary(min_size=16, max_size=16),
    attempt=ATTEMPTS,
    reason=st.sampled_from(VoidReason),
)


SAMPLES = st.builds(
    Sample,
    log=st.text(min_size=1, max_size=128),
    size=LENGTHS,
    root=HASHES,
    share=st.sampled_from(["1", "0.5", "0.000000001"]),
)
SEALS = st.integers(0, MAX_INTEGER).flatmap(
    lambda size: st.builds(
        SealStatement,
        log=st.just(LOG),
        size=st.just(size),
        root=HASHES,
        kept=st.integers(0, size),
        successor=st.just(VerifierKey("log.example/next", OTHER_LOG.public_key)),
    )
)
UNITS = st.just("telegram-star") | st.integers(1, 10**20 - 1).map("discord-sku:{}".format)
RATE_TABLES = st.builds(
    RateTable,
    operator=HASHES,
    number=st.integers(1, MAX_INTEGER),
    token=st.from_regex(r"[A-Za-z0-9._-]{1,16}", fullmatch=True),
    held_hours=st.integers(0, MAX_HELD_HOURS),
    rates=st.dictionaries(UNITS, st.integers(1, MAX_INTEGER), max_size=MAX_RATES).map(
        lambda rates: tuple(Rate(unit, rates[unit]) for unit in sorted(rates))
    ),
)


@given(PERSONAS)
def test_persona_survives(persona: Persona) -> None:
    assert parse_persona(encode_persona(persona)) == persona


@given(MANIFESTS)
def test_manifest_survives(manifest: Manifest) -> None:
    assert parse_manifest(encode_manifest(manifest)) == manifest


@given(RECEIPTS)
def test_receipt_survives(receipt: Receipt) -> None:
    assert parse_receipt(encode_receipt(receipt)) == receipt


@given(make_fields())
def test_fields_survive(fields: Fields) -> None:
    parsed = parse_canonical(encode_canonical(fields_to_json(fields)))

    assert isinstance(parsed, dict)
    assert fields_from_json(parsed) == fields


@given(st.binary(min_size=32, max_size=32), make_fields())
def test_fields_encoded_part_by_part_are_those_of_the_whole(key: bytes, fields: Fields) -> None:
    values = fields_to_json(fields)

    salted = salt_fields(key, fields)

    assert {one.name: one.value for one in salted} == {
        name: encode_canonical(value) for name, value in values.items()
    }
    assert root_of_salted(salted) == fields_root(key, values)


@given(ORDERS)
def test_order_survives(order: TwinOrder) -> None:
    assert parse_order(order.encode()) == order


@given(LEAVES)
def test_leaf_survives(leaf: Leaf) -> None:
    assert parse_leaf(leaf.encode()) == leaf


@given(VOIDS)
def test_void_statement_survives(statement: VoidStatement) -> None:
    assert VoidStatement.parse(statement.encode()) == statement


@given(st.builds(OutcomeStatement, HASHES, st.sampled_from(Outcome)))
def test_outcome_statement_survives(statement: OutcomeStatement) -> None:
    assert OutcomeStatement.parse(statement.encode()) == statement


@given(st.builds(VerdictStatement, HASHES, st.sampled_from(AuditVerdict), SAMPLES, st.just("x 1")))
def test_verdict_statement_survives(statement: VerdictStatement) -> None:
    assert VerdictStatement.parse(statement.encode()) == statement


@given(SEALS)
def test_seal_statement_survives(statement: SealStatement) -> None:
    assert SealStatement.parse(statement.encode()) == statement


@given(RATE_TABLES)
def test_rate_table_survives(table: RateTable) -> None:
    assert RateTable.parse(table.encode()) == table


@given(st.binary(max_size=70))
def test_arbitrary_bytes_are_no_leaf_or_that_very_leaf(data: bytes) -> None:
    try:
        leaf = parse_leaf(data)
    except FormatError:
        return
    assert leaf.encode() == data


@settings(max_examples=300)
@given(st.integers(0, 4), st.data())
def test_changed_byte_is_refused_or_changes_the_value(which: int, data: st.DataObject) -> None:
    encoded, reencode = CODECS[which]
    changed = bytearray(encoded)
    changed[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))

    try:
        again = reencode(bytes(changed))
    except (FormatError, PersonaError):
        return
    assert again == changed


RATES = RateTable(
    bytes(32), 1, "tUSD", 504, (Rate("discord-sku:77", 10**9), Rate("telegram-star", 13_000_000))
)
CODECS: list[tuple[bytes, Callable[[bytes], bytes]]] = [
    (encode_manifest(MANIFEST), lambda data: encode_manifest(parse_manifest(data))),
    (encode_receipt(make_receipt(Recipe())), lambda data: encode_receipt(parse_receipt(data))),
    (ORDER.encode(), lambda data: parse_order(data).encode()),
    (encode_persona(Recipe().persona), lambda data: encode_persona(parse_persona(data))),
    (RATES.encode(), lambda data: RateTable.parse(data).encode()),
]
