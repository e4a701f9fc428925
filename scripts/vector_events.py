"""Vectors of what people do beside asking: ask again, stop, cut, write more, take back.

They tell one story: a message is answered (`good`), answered again, and again until the fan stops
it; the next turn quotes the last of these replies.
"""

from dataclasses import replace
from datetime import UTC, datetime

from bot.crypto import dsse
from bot.domain.fields import (
    MAX_EVENT,
    MAX_PARTS,
    Choice,
    Fields,
    Finish,
    MessagePart,
    ReplyEvent,
    Span,
    SpanKind,
)
from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import OutcomeLeaf
from bot.domain.order import OrderAction, TwinOrder
from bot.domain.payment import Payer, Payment
from bot.domain.statements import MAX_ATTEMPT, OUTCOME_TYPE, Outcome, OutcomeStatement
from bot.generation.rendering import render
from bot.receipts.bundle import ProofBundle, encode_bundle
from scripts.vector_log import fixed_key, order_leaf, reply_leaf
from scripts.vector_parts import (
    FIELDS,
    MANIFEST,
    OPERATOR_KEY,
    ORIGIN,
    OUTCOME_INDEX,
    RENDERING,
    REPLY_INDEX,
    SLOT,
    SPANS,
    TWIN,
    Parts,
    Recipe,
    make_bundle,
    make_receipt,
)
from scripts.vector_strict import Strict, make_strict

WISH, SECOND_WISH, STOP = "112233445566778901", "112233445566778905", "112233445566778907"
ORDER = TwinOrder(
    twin=TWIN,
    action=OrderAction.PAUSE,
    number=1,
    manifest=None,
    log=ORIGIN,
    issued=datetime(2026, 11, 20, 9, 59, tzinfo=UTC),
    expires=datetime(2026, 11, 20, 10, 9, tzinfo=UTC),
)
SHORT: Parts = {"output": (60, 61, 62), "text": "Rice. Always"}


def good_events() -> list[tuple[str, str, bytes]]:
    """Build bundles that verify with the vectors' key and policy."""
    first = make_bundle(Recipe())
    again = make_bundle(_again(first, attempt=1, wish=WISH, text="Fideuà, then.", output=(70, 71)))
    stopped = _again(again, attempt=2, wish=SECOND_WISH, halt=STOP, **SHORT)
    order = order_leaf(ORDER)
    cut = Recipe(
        fields=_halted(Finish.CUT, ORDER.hash.hex()),
        outcome=Outcome.REFUNDED,
        outcome_leaf=Outcome.REFUNDED,
        other_leaves={REPLY_INDEX - 1: order},
    )
    withdrawn = Recipe(
        outcome=Outcome.WITHDRAWN,
        outcome_leaf=Outcome.WITHDRAWN,
        other_leaves={OUTCOME_INDEX - 1: _said(Outcome.DELIVERED, first.receipt.digest)},
    )
    refunded = "the creator's order cut the reply off, and it was refunded"
    recipes = [
        ("good-regenerated", "the second reply to a message; it replaces that of `good`", again),
        ("good-regenerated-stopped", "the third one, which the fan stopped", make_bundle(stopped)),
        ("good-stopped", "the fan stopped the reply", _bundle(_halted(Finish.STOPPED, STOP))),
        ("good-cut", refunded, make_bundle(cut)),
        ("good-merged", "three messages that are answered together", _bundle(_merged(3))),
        ("good-withdrawn", "delivered, and later taken back", make_bundle(withdrawn)),
        ("good-refunded-after-withdrawn", "delivered, taken back, and refunded after that",
         _taken_back(2)),
        ("good-quotes-last-attempt", "the next turn, which quotes the third reply",
         _bundle(_next_turn(make_bundle(stopped), SHORT["output"]))),
    ]  # fmt: skip
    most = replace(
        _merged(MAX_PARTS),
        event=ReplyEvent("🍚" * MAX_EVENT, first.receipt.digest, "x" * MAX_EVENT),
        finish=Finish.STOPPED,
    )
    edge = Recipe(fields=most, receipt={"attempt": MAX_ATTEMPT})
    return [
        *((name, about, encode_bundle(bundle)) for name, about, bundle in recipes),
        ("good-largest-attempt", "the last attempt, most parts, longest ids",
         encode_bundle(make_bundle(edge))),
    ]  # fmt: skip


def bad_events() -> list[tuple[int, str, str, bytes]]:
    """Build bundles that lie about parts, attempts, halts and what they replace."""
    cases = [*_bad_shapes(), *_bad_endings(), *_bad_attempts()]
    return [
        *((step, name, about, make_strict(strict)) for step, name, about, strict in cases),
        (9, "outcome-earlier-leaf", "stated as refunded, and proved by the withdrawal before that",
         encode_bundle(_refund_at_the_withdrawal())),
    ]  # fmt: skip


def _bad_shapes() -> list[tuple[int, str, str, Strict]]:
    """Fields that no encoder of ours would write."""
    part = {"id": SLOT.message, "text": "hi"}
    other = {"id": "112233445566778900", "text": "hi"}
    many = [part, *({"id": str(number), "text": ""} for number in range(MAX_PARTS))]
    wish = {"halt": None, "regenerate": WISH, "replaces": "ab" * 32}
    return [
        (5, "parts-first", "the first part is not the slot's message", _with_parts([other, part])),
        (5, "parts-twice", "a part stands twice", _with_parts([part, other, other])),
        (5, "parts-none", "a message of no parts", _with_parts([])),
        (5, "parts-many", "a message of seventeen parts", _with_parts(many)),
        (5, "parts-key", "a part with a key that the format does not know",
         _with_parts([{**part, "at": 1}])),
        (5, "message-text", "a message without parts, as no version has it",
         Strict(values={"message": {"text": "hi"}})),
        (5, "event-key", "an event that the format does not know",
         Strict(values={"event": {**wish, "stop": None}})),
        (5, "halt-of-ended", "something halted a reply that the model ended",
         Strict(values={"event.halt": STOP})),
        (5, "stopped-by-nothing", "stopped, and nothing stopped it",
         Strict(values={"reply.finish": "stopped"})),
        (5, "cut-by-nothing", "cut off, and nothing cut it",
         Strict(values={"reply.finish": "cut"})),
        (5, "halt-long", "what stopped it has an id of 201 characters",
         Strict(values={"reply.finish": "stopped", "event.halt": "x" * (MAX_EVENT + 1)})),
        (5, "halt-empty", "what stopped it has an empty id",
         Strict(values={"reply.finish": "stopped", "event.halt": ""})),
        (5, "wish-long", "the fan's wish has an id of 201 characters",
         _wished({**wish, "regenerate": "x" * (MAX_EVENT + 1)})),
        (5, "wish-empty", "the fan's wish has an empty id", _wished({**wish, "regenerate": ""})),
        (5, "wish-for-nothing", "a wish that names no reply to replace",
         _wished({**wish, "replaces": None})),
        (5, "replaced-unasked", "a reply is replaced, and nobody wished for it",
         _wished({**wish, "regenerate": None})),
    ]  # fmt: skip


def _bad_endings() -> list[tuple[int, str, str, Strict]]:
    stopped = _halted(Finish.STOPPED, STOP)
    longest = tuple(range(60, 60 + MANIFEST.sampler.max_tokens))
    return [
        (7, "stopped-before-first", "stopped before its first token",
         Strict(fields=replace(stopped, output=(), text="…"))),
        (7, "cut-before-first", "cut off before its first token",
         Strict(fields=replace(_halted(Finish.CUT, STOP), output=(), text="…"))),
        (7, "stopped-at-longest", "stopped, and as long as the longest reply",
         Strict(fields=replace(stopped, output=longest))),
        (7, "cut-at-longest", "cut off, and as long as the longest reply",
         Strict(fields=replace(_halted(Finish.CUT, STOP), output=longest))),
        (7, "stopped-after-end", "stopped after a stop token",
         Strict(fields=replace(stopped, output=(60, 2)))),
        (7, "stopped-after-stop-string", "stopped after a stop string",
         Strict(fields=replace(stopped, text="Rice.\nFan: and"))),
    ]  # fmt: skip


def _bad_attempts() -> list[tuple[int, str, str, Strict]]:
    replaced = make_bundle(Recipe()).receipt.digest
    event = ReplyEvent(WISH, replaced)
    second = Strict(fields=replace(FIELDS, event=event), receipt={"attempt": 1}, leaf_attempt=1)
    quoted = _next_turn(make_bundle(Recipe()), FIELDS.output)
    alone = (SPANS[0], SPANS[-1])
    anew = replace(quoted, spans=alone, context=render(RENDERING, alone), choice=Choice(3))
    return [
        (6, "attempt-unasked", "a second reply that nobody wished for",
         Strict(receipt={"attempt": 1}, leaf_attempt=1)),
        (6, "wish-at-first", "a wish for another reply, and it is the first one",
         replace(second, receipt={}, leaf_attempt=0)),
        (7, "replaced-quoted", "the reply that is replaced is quoted as an earlier turn",
         replace(second, fields=replace(quoted, event=event))),
        (7, "replaced-is-previous", "the reply that is replaced is the previous turn",
         replace(second, fields=replace(anew, event=event))),
        (8, "leaf-first-attempt", "a second reply that is logged as the first",
         replace(second, leaf_attempt=0)),
    ]  # fmt: skip


def _bundle(fields: Fields) -> ProofBundle:
    return make_bundle(Recipe(fields=fields, proved_slot=fields.slot))


def _halted(finish: Finish, by: str) -> Fields:
    return replace(FIELDS, finish=finish, event=ReplyEvent(halt=by), **SHORT)


def _merged(count: int) -> Fields:
    """Split the message into parts, of which later ones stand where the platform put them."""
    texts = ("So… what do I eat in València?", "paella?", "or is that for tourists 🍚")
    later = [
        MessagePart(str(int(SLOT.message) + number), texts[number % len(texts)])
        for number in range(1, count)
    ]
    return replace(FIELDS, parts=(MessagePart(SLOT.message, texts[0]), *later))


def _again(
    replaced: ProofBundle, *, attempt: int, wish: str, halt: str | None = None, **changes: object
) -> Recipe:
    """Make another reply to the message of `FIELDS`, with the replaced one before it in the log."""
    receipt = replace(make_receipt(Recipe()), attempt=attempt - 1)
    leaf = reply_leaf(replaced.receipt, receipt)
    return Recipe(
        fields=replace(
            FIELDS,
            finish=FIELDS.finish if halt is None else Finish.STOPPED,
            event=ReplyEvent(wish, replaced.receipt.digest, halt),
            **changes,  # type: ignore[arg-type]
        ),
        receipt={"attempt": attempt, "seq": 41 + attempt},
        other_leaves={REPLY_INDEX - 1: leaf},
    )


def _next_turn(previous: ProofBundle, output: tuple[int, ...]) -> Fields:
    """Continue the conversation of `FIELDS` with a message that says the same again."""
    receipt = previous.receipt.digest
    slot = replace(SLOT, message="112233445566778911")
    quoted = (
        Span(SpanKind.FAN, SPANS[-1].tokens, receipt),
        Span(SpanKind.TWIN, output, receipt),
    )
    spans = (*SPANS[:-1], *quoted, SPANS[-1])
    return replace(
        FIELDS,
        slot=slot,
        parts=(replace(FIELDS.parts[0], id=slot.message),),
        turn=3,
        previous=receipt,
        spans=spans,
        context=render(RENDERING, spans),
    )


def _said(outcome: Outcome, receipt: bytes) -> bytes:
    """Return the leaf of an earlier outcome of a receipt."""
    tag = receipt_tag_of(receipt)
    body = OutcomeStatement(tag, outcome).encode()
    statement = dsse.sign_envelope(OUTCOME_TYPE, body, OPERATOR_KEY)
    return OutcomeLeaf(statement.digest, tag, outcome).encode()


def _taken_back(shown: int) -> ProofBundle:
    """Make a reply that its fan withdrew, and whose credit the platform took back later.

    Args:
        shown: which of its three outcomes the bundle holds, from 0; the log holds all of them.
    """
    said = (Outcome.DELIVERED, Outcome.WITHDRAWN, Outcome.REFUNDED)
    paid = Recipe(
        payment=Payment(Payer.PAID, fixed_key("rate table")),
        outcome=said[shown],
        outcome_leaf=said[shown],
        outcome_index=REPLY_INDEX + 1 + shown,
    )
    receipt = make_bundle(paid).receipt.digest
    leaves = {REPLY_INDEX + 1 + place: _said(one, receipt) for place, one in enumerate(said)}
    return make_bundle(replace(paid, other_leaves=leaves))


def _refund_at_the_withdrawal() -> ProofBundle:
    """Prove by the leaf of a withdrawal what was refunded after it."""
    refunded, withdrawn = _taken_back(2), _taken_back(1)
    assert refunded.outcome is not None and withdrawn.outcome is not None  # noqa: S101, PT018 - they were just made
    return replace(refunded, outcome=replace(refunded.outcome, log=withdrawn.outcome.log))


def _with_parts(parts: list[Parts]) -> Strict:
    return Strict(values={"message": {"parts": parts}})


def _wished(event: Parts) -> Strict:
    return Strict(values={"event": event}, receipt={"attempt": 1}, leaf_attempt=1)
