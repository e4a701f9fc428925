"""Small values: identifiers, money, times, leaves, fields, receipts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical
from bot.crypto.errors import FormatError
from bot.crypto.merkle import leaf_hash, root_of
from bot.crypto.sealing import derive_salt
from bot.domain.field_values import FIELD_NAMES, fields_from_json, fields_root, fields_to_json
from bot.domain.fields import (
    MAX_EVENT,
    MAX_PARTS,
    Finish,
    MessagePart,
    ReplyEvent,
    Span,
    SpanKind,
    check_span_order,
    pairs_of,
)
from bot.domain.ids import SlotInput, receipt_id_of
from bot.domain.leaf import (
    OrderLeaf,
    OutcomeLeaf,
    RatesLeaf,
    ReplyLeaf,
    SealLeaf,
    VerdictLeaf,
    VoidLeaf,
    parse_leaf,
)
from bot.domain.money import format_nano, split_price
from bot.domain.receipt import encode_receipt
from bot.domain.statements import MAX_ATTEMPT, AuditVerdict, Outcome, VoidReason
from bot.domain.times import encode_time, parse_time
from scripts.vector_parts import FIELDS, SPANS, Recipe, make_receipt

KEY = bytes(32)


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (2_000_000, "0.002"),
        (0, "0"),
        (12_000_000_000, "12"),
        (1, "0.000000001"),
        (10_500_000_000, "10.5"),
        (100_000_000_000, "100"),
        (-1, "-0.000000001"),
    ],
)
def test_amount_is_written_without_exponent_and_trailing_zeros(nano: int, text: str) -> None:
    assert format_nano(nano) == text


def test_split_gives_the_remainder_to_the_operator() -> None:
    assert split_price(2_000_001, 8500) == (1_700_000, 300_001)


@pytest.mark.parametrize("creator_bp", [0, 1, 3333, 8500, 10_000])
def test_split_loses_nothing(creator_bp: int) -> None:
    assert all(sum(split_price(nano, creator_bp)) == nano for nano in range(1000))


@pytest.mark.parametrize(
    ("platform", "by"),
    [
        ("terminal", "operator"),
        ("web", "operator"),
        ("discord", "platform"),
        ("telegram", "platform"),
    ],
)
def test_surface_tells_who_numbers_its_messages(platform: str, by: str) -> None:
    assert SlotInput(platform, "", "", "", "1").numbering == by


@pytest.mark.parametrize("platform", ["", "Web", "TERMINAL", "matrix", "web "])
def test_unknown_platform_is_refused(platform: str) -> None:
    with pytest.raises(FormatError):
        _ = SlotInput(platform, "", "", "", "1").numbering


def test_receipt_id_is_22_characters() -> None:
    assert receipt_id_of(b"\xff" * 32) == "_____________________w"


def test_time_survives_and_is_whole_seconds() -> None:
    moment = datetime(2026, 11, 20, 10, 0, 0, 999_999, tzinfo=UTC)

    assert encode_time(moment) == "2026-11-20T10:00:00Z"
    assert parse_time("2026-11-20T10:00:00Z") == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-20 10:00:00Z",
        "2026-11-20T10:00:00z",
        "2026-11-20T10:00:00.0Z",
        "2026-11-20T10:00:60Z",
        "2026-11-31T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:00:00Z\n",
    ],
)
def test_other_spelling_of_a_time_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_time(text)


def test_leaves_have_the_lengths_of_the_specification() -> None:
    reply = ReplyLeaf(bytes(32), bytes(16), 0, 4, bytes(8), b"manifest").encode()
    outcome = OutcomeLeaf(bytes(32), bytes(32), Outcome.REFUNDED).encode()
    void = VoidLeaf(bytes(32), bytes(16), 258, VoidReason.REJECTED).encode()
    order = OrderLeaf(bytes(32), bytes(8)).encode()
    verdict = VerdictLeaf(bytes(32), bytes(32), AuditVerdict.INCONSISTENT).encode()
    seal = SealLeaf(bytes(32)).encode()
    rates = RatesLeaf(bytes(32)).encode()

    sizes = [len(leaf) for leaf in (reply, outcome, void, order, verdict, seal, rates)]
    assert sizes == [68, 66, 52, 41, 66, 33, 33]
    assert (reply[-8:], outcome[-1], void[-3:], order[0]) == (b"manifest", 4, b"\x01\x02\x06", 5)
    assert (verdict[0], verdict[-1], seal[0], rates[0]) == (6, 3, 7, 8)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" + bytes(32),
        b"\x09" + bytes(32),
        b"\x01" + bytes(58),
        b"\x02" + bytes(65),
        b"\x02" + bytes(64) + b"\x05",
        b"\x04" + bytes(50),
        b"\x04" + bytes(50) + b"\x00",
        b"\x04" + bytes(50) + b"\x07",
        b"\x05" + bytes(39),
        b"\x06" + bytes(64) + b"\x05",
        b"\x07" + bytes(31),
        b"\x08" + bytes(31),
        b"\x08" + bytes(33),
    ],
)
def test_bytes_of_no_known_kind_are_no_leaf(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_leaf(data)


def test_leaf_with_a_part_of_another_length_is_not_encoded() -> None:
    with pytest.raises(FormatError):
        ReplyLeaf(bytes(31), bytes(16), 0, 0, bytes(8), bytes(8)).encode()


def test_fields_stand_in_the_order_of_the_specification() -> None:
    assert tuple(fields_to_json(FIELDS)) == FIELD_NAMES


def test_root_is_over_salted_leaves() -> None:
    values = fields_to_json(FIELDS)
    leaves = [
        leaf_hash(
            b"twinproof/v1/field\x00"
            + name.encode()
            + b"\x00"
            + derive_salt(KEY, name)
            + encode_canonical(value)
        )
        for name, value in values.items()
    ]

    assert fields_root(KEY, values) == root_of(leaves)
    assert fields_root(b"\x01" * 32, values) != root_of(leaves)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slot", {}),
        ("turn", {"n": 0, "previous": None}),
        ("turn", {"n": 1, "previous": "00" * 32}),
        ("turn", {"n": 2, "previous": None}),
        ("spans", [{"kind": "system", "receipt": None, "tokens": []}]),
        ("spans", [{"kind": "fan", "receipt": None, "tokens": []}]),
        ("spans", [{"kind": "persona", "receipt": "00" * 32, "tokens": []}]),
        ("output", {"tokens": [True]}),
        ("reply", {"finish": "tired", "text": "x"}),
        ("reply", {"finish": "end", "text": ""}),
        ("reply", {"finish": "cut", "rejected": 0, "text": "x"}),
        ("reply", {"finish": "end", "text": "x"}),
        ("reply", {"finish": "end", "rejected": 5, "text": "x"}),
        ("choice", {"start": 1}),
        ("choice", {"older": None, "start": 0}),
        ("choice", {"older": {"receipt": "00" * 32, "tokens": 0}, "start": 1}),
        ("choice", {"older": {"receipt": "00" * 31, "tokens": 1}, "start": 1}),
        ("counts", {"context": 1}),
        ("counts", {"context": -1, "output": 0}),
        ("message", {"text": "x"}),
        ("message", {"parts": []}),
        ("message", {"parts": [{"id": "another", "text": "x"}]}),
        ("message", {"parts": [{"id": FIELDS.slot.message, "text": "x"}] * 2}),
        ("message", {"parts": [{"id": FIELDS.slot.message}]}),
        ("event", {"halt": None, "regenerate": "e", "replaces": None}),
        ("event", {"halt": None, "regenerate": None, "replaces": "00" * 32}),
        ("event", {"halt": "e", "regenerate": None, "replaces": None}),
        ("event", {"halt": None, "regenerate": "", "replaces": "00" * 32}),
        ("event", {"halt": None, "regenerate": "x" * 201, "replaces": "00" * 32}),
        ("event", {"regenerate": None, "replaces": None}),
        ("extra", 1),
    ],
    ids=repr,
)
def test_field_of_another_shape_is_refused(name: str, value: JsonValue) -> None:
    with pytest.raises(FormatError):
        fields_from_json({**fields_to_json(FIELDS), name: value})


def test_message_text_is_that_of_all_parts_in_their_order() -> None:
    later = tuple(MessagePart(f"m{number}", f"text {number}") for number in range(1, MAX_PARTS))
    first = MessagePart(FIELDS.slot.message, "first")

    merged = replace(FIELDS, parts=(first, *later))

    assert merged.message.split("\n") == ["first", *(part.text for part in later)]
    with pytest.raises(FormatError, match="1 to 16 parts"):
        replace(merged, parts=(*merged.parts, MessagePart("one more", "")))


@pytest.mark.parametrize("finish", Finish)
def test_what_halted_a_reply_is_named_exactly_if_it_was_halted(finish: Finish) -> None:
    halt = "e" * MAX_EVENT
    named = ReplyEvent(halt=halt if finish.halted else None)

    assert replace(FIELDS, finish=finish, event=named).event == named
    with pytest.raises(FormatError, match="halted"):
        replace(FIELDS, finish=finish, event=ReplyEvent(halt=None if finish.halted else halt))


PERSONA, FAN, TWIN, MESSAGE = SPANS
OTHER_TWIN = replace(TWIN, receipt=bytes(32))


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [PERSONA],
        [MESSAGE, PERSONA],
        [PERSONA, FAN, MESSAGE],
        [PERSONA, TWIN, FAN, MESSAGE],
        [PERSONA, FAN, OTHER_TWIN, MESSAGE],
        [PERSONA, FAN, TWIN, FAN, TWIN, MESSAGE],
        [PERSONA, PERSONA, MESSAGE],
        [PERSONA, MESSAGE, MESSAGE],
    ],
)
def test_spans_outside_the_grammar_are_refused(spans: list[Span]) -> None:
    with pytest.raises(FormatError):
        check_span_order(spans)


def test_pairs_are_the_earlier_turns_oldest_first() -> None:
    later = (replace(FAN, receipt=bytes(32)), OTHER_TWIN)

    assert pairs_of(SPANS) == [(FAN, TWIN)]
    assert pairs_of((PERSONA, FAN, TWIN, *later, MESSAGE)) == [(FAN, TWIN), later]
    assert pairs_of((PERSONA, MESSAGE)) == []


def test_span_without_its_receipt_cannot_be_made() -> None:
    with pytest.raises(FormatError):
        Span(SpanKind.TWIN, (1,))


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"attempt": -1},
        {"attempt": MAX_ATTEMPT + 1},
        {"numbering": "nobody"},
        {"slot_tag": bytes(15)},
        {"time": datetime(2026, 1, 1, microsecond=1, tzinfo=UTC)},
    ],
    ids=repr,
)
def test_receipt_outside_the_format_is_not_encoded(change: dict[str, object]) -> None:
    receipt = replace(make_receipt(Recipe()), **change)  # type: ignore[arg-type]

    with pytest.raises(FormatError):
        encode_receipt(receipt)
