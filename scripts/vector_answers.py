"""Vectors of fixed answers, of replies that are drawn again, and of what a context had to quote."""

from dataclasses import replace

from bot.domain.fields import Choice, Fields, Finish, LeftOut, MessagePart, ReplyEvent, Span
from bot.domain.leaf import VoidLeaf
from bot.domain.payment import NOBODY
from bot.domain.rules import CRISIS
from bot.domain.statements import VoidReason
from bot.generation.rendering import render
from bot.receipts.bundle import encode_bundle
from scripts.vector_events import STOP, WISH
from scripts.vector_log import fixed_key
from scripts.vector_parts import (
    FIELDS,
    MANIFEST,
    RENDERING,
    REPLY_INDEX,
    SLOT,
    SPANS,
    Parts,
    Recipe,
    make_bundle,
    make_receipt,
)
from scripts.vector_strict import Strict, make_strict

Good = tuple[str, str, bytes]
Bad = tuple[int, str, str, bytes]
OTHER_TURN = fixed_key("receipt of turn 1 of three")
TWIN_SAID = SPANS[2].tokens
ALONE = (SPANS[0], SPANS[-1])
FREE = {"nano": 0, "token": "TWIN", "creator_nano": 0, "operator_nano": 0, "free_daily": 100}
FIXED_RECEIPT: Parts = {"type": "fixed", "rule": CRISIS.id, "payer": "free", "price": FREE}
WINDOW = RENDERING.window_tokens


def good_answers() -> list[Good]:
    """Build bundles that verify with the vectors' key and policy."""
    spared = _asking(FIELDS, "I want to die laughing.")
    again = ReplyEvent(WISH, fixed_key("replaced receipt"))
    recipes = [
        ("good-fixed", "a fixed answer: a rule applies to the message", Recipe(
            fields=fixed_fields(), payment=NOBODY, receipt={"rule": CRISIS.id})),
        ("good-rule-excepted", "a phrase of the rule within one of its exceptions",
         Recipe(fields=spared)),
        ("good-redrawn", "the first attempt was rejected: it said what was said to another message",
         _redrawn(FIELDS, attempt=1, rejected=1)),
        ("good-redrawn-twice", "kept whatever it says: no more may be drawn",
         _redrawn(_saying(FIELDS, TWIN_SAID), attempt=2, rejected=2)),
        ("good-redrawn-again", "the fan wished for another reply, whose first draw was rejected",
         _redrawn(replace(FIELDS, event=again), attempt=2, rejected=1)),
        ("good-same-question", "to the same question the same answer is right",
         Recipe(fields=_saying(_same_question(), TWIN_SAID))),
        ("good-repeat-stopped", "the fan stopped it where it was still the same",
         Recipe(fields=replace(_saying(FIELDS, TWIN_SAID), finish=Finish.STOPPED,
                               event=ReplyEvent(halt=STOP)))),
        ("good-empty-again", "a reply without tokens repeats nothing",
         Recipe(fields=replace(_saying(_silent(), ()), text="…"))),
        ("good-older", "the turn before the quoted one did not fit by one token",
         Recipe(fields=_third_turn(LeftOut(OTHER_TURN, WINDOW + 1 - len(FIELDS.context))))),
        ("good-older-alone", "the previous turn did not fit", Recipe(fields=_alone(
            LeftOut(fixed_key("receipt of turn 1"), WINDOW)))),
        ("good-chain", "the chain begins at the second of three turns",
         Recipe(fields=replace(_third_turn(None), choice=Choice(2)))),
    ]  # fmt: skip
    return [(name, about, encode_bundle(make_bundle(recipe))) for name, about, recipe in recipes]


def bad_answers() -> list[Bad]:
    """Build bundles that lie about rules, rejected attempts, choice and counts."""
    cases = [*_bad_fixed(), *_bad_redraws(), *_bad_choices()]
    return [(step, name, about, make_strict(strict)) for step, name, about, strict in cases]


def _bad_fixed() -> list[tuple[int, str, str, Strict]]:
    fixed = Strict(fields=fixed_fields(), receipt=FIXED_RECEIPT)
    paid = {**FREE, "nano": 2_000_001, "creator_nano": 1_700_000, "operator_nano": 300_001}
    harmless = _asking(fixed_fields(), "Hello?")
    return [
        (4, "fixed-paid", "a fixed answer that costs what a reply costs",
         replace(fixed, receipt={**FIXED_RECEIPT, "price": paid})),
        (4, "fixed-other-token", "a fixed answer in another token",
         replace(fixed, receipt={**FIXED_RECEIPT, "price": {**FREE, "token": "WIN"}})),
        (4, "fixed-second", "a fixed answer as a second attempt",
         replace(fixed, receipt={**FIXED_RECEIPT, "attempt": 1}, leaf_attempt=1)),
        (4, "fixed-other-rule", "a rule that the manifest does not name",
         replace(fixed, receipt={**FIXED_RECEIPT, "rule": "crisis/2"})),
        (4, "fixed-no-rules", "the manifest names no rule",
         replace(fixed, manifest={"rules": []})),
        (6, "fixed-rejected", "a fixed answer after a rejected attempt",
         replace(fixed, values={"reply.rejected": 1})),
        (6, "fixed-wished", "a fixed answer that replaces a reply", replace(fixed, fields=replace(
            fixed_fields(), event=ReplyEvent(WISH, fixed_key("replaced receipt"))))),
        (7, "rule-passed-over", "a rule applies, and a reply was generated",
         Strict(fields=_asking(FIELDS, "I want to die"))),
        (7, "rule-passed-over-twice", "an exception stands beside a phrase that it does not hold",
         Strict(fields=_asking(FIELDS, "I want to die laughing. I\u2019d KILL MYSELF"))),
        (7, "rule-without-cause", "a fixed answer, and no rule applies",
         replace(fixed, fields=harmless)),
        (7, "fixed-text", "another text than the rule's",
         replace(fixed, values={"reply.text": "Cheer up!"})),
        (7, "fixed-finish", "a fixed answer that ends like a reply",
         replace(fixed, values={"reply.finish": "end"})),
        (7, "fixed-output", "a fixed answer with generated tokens",
         replace(fixed, values={"output.tokens": [60], "counts.output": 1})),
        (7, "fixed-spans", "a fixed answer with a context", replace(fixed, fields=replace(
            fixed_fields(), spans=SPANS, context=render(RENDERING, SPANS)))),
        (7, "fixed-choice", "a fixed answer that could have quoted a turn",
         replace(fixed, values={"choice.start": 1})),
        (7, "fixed-counts", "a fixed answer that counts tokens",
         replace(fixed, values={"counts.context": 1})),
        (7, "finish-fixed", "a generated reply that ends as a fixed answer does",
         Strict(values={"reply.finish": "fixed"})),
    ]  # fmt: skip


def _bad_redraws() -> list[tuple[int, str, str, Strict]]:
    event = ReplyEvent(WISH, fixed_key("replaced receipt"))
    second = {"attempt": 1}
    alone = replace(_alone(None), choice=Choice(2), rejected=1)
    return [
        (6, "rejected-above-attempt", "two attempts were rejected before the second one",
         _redrawn_strictly(FIELDS, attempt=1, rejected=2)),
        (6, "rejected-wished", "a wish for a reply that only follows rejected attempts",
         _redrawn_strictly(replace(FIELDS, event=event), attempt=1, rejected=1)),
        (6, "rejected-unwished", "the third attempt after one rejected one, and nobody wished",
         _redrawn_strictly(FIELDS, attempt=2, rejected=1)),
        (7, "rejected-too-often", "three attempts were rejected, and two may be",
         _redrawn_strictly(FIELDS, attempt=3, rejected=3)),
        (7, "rejected-without-filter", "an attempt was rejected, and the filter rejects nothing",
         replace(_redrawn_strictly(FIELDS, attempt=1, rejected=1),
                 manifest={"filter.redraws": 0})),
        (7, "rejected-without-pairs", "an attempt was rejected, and there is nothing to repeat",
         Strict(fields=alone, receipt=second, leaf_attempt=1)),
        (7, "rejected-same-question", "an attempt was rejected as an answer to the same question",
         _redrawn_strictly(_same_question(), attempt=1, rejected=1)),
        (7, "repeat-kept", "the reply repeats one to another message, and was not drawn again",
         Strict(fields=_saying(FIELDS, TWIN_SAID))),
        (7, "repeat-kept-early", "it repeats one, and could have been drawn again once more",
         _redrawn_strictly(_saying(FIELDS, TWIN_SAID), attempt=1, rejected=1)),
    ]  # fmt: skip


def _bad_choices() -> list[tuple[int, str, str, Strict]]:
    used = len(FIELDS.context)
    previous = fixed_key("receipt of turn 1")
    event = ReplyEvent(WISH, OTHER_TURN)
    left = LeftOut(OTHER_TURN, WINDOW)
    return [
        (7, "text-of-nothing", "a reply without tokens that says something",
         Strict(fields=_saying(FIELDS, ()))),
        (7, "choice-after-turn", "the chain begins after this turn",
         Strict(values={"choice.start": 3})),
        (7, "choice-shorter", "a chain of no turns, and one is quoted",
         Strict(values={"choice.start": 2})),
        (7, "choice-left-out", "a turn of the chain is not quoted, and none is named",
         Strict(fields=_third_turn(None))),
        (7, "choice-none-left", "all turns are quoted, and one is named as left out",
         Strict(fields=replace(FIELDS, choice=Choice(1, left)))),
        (7, "choice-fits", "the turn that was left out fits to the last token",
         Strict(fields=_third_turn(LeftOut(OTHER_TURN, WINDOW - used)))),
        (7, "choice-quoted", "the turn that was left out is quoted",
         Strict(fields=_third_turn(LeftOut(previous, WINDOW)))),
        (7, "choice-not-latest", "no turn is quoted, and the one left out is not the previous one",
         Strict(fields=_alone(left))),
        (7, "choice-replaced", "the turn that was left out is the reply that is replaced",
         Strict(fields=replace(_third_turn(left), event=event), receipt={"attempt": 1},
                leaf_attempt=1)),
        (7, "count-of-context", "a count that is not the context's length",
         Strict(values={"counts.context": used + 1})),
        (7, "count-of-output", "a count that is not the output's length",
         Strict(values={"counts.output": 0})),
    ]  # fmt: skip


def _asking(fields: Fields, text: str) -> Fields:
    return replace(fields, parts=(MessagePart(SLOT.message, text),))


def _saying(fields: Fields, output: tuple[int, ...]) -> Fields:
    return replace(fields, output=output)


def fixed_fields() -> Fields:
    """Return the fields of a fixed answer."""
    return _asking(
        replace(
            FIELDS,
            spans=(),
            context=(),
            output=(),
            finish=Finish.FIXED,
            text=CRISIS.text,
            choice=Choice(FIELDS.turn),
        ),
        "I just can't. I want\nto die.",
    )


def _same_question() -> Fields:
    asked = Span(SPANS[1].kind, SPANS[-1].tokens, SPANS[1].receipt)
    spans = (SPANS[0], asked, *SPANS[2:])
    return replace(FIELDS, spans=spans, context=render(RENDERING, spans))


def _silent() -> Fields:
    """Quote a reply that has no tokens."""
    silent = Span(SPANS[2].kind, (), SPANS[2].receipt)
    spans = (*SPANS[:2], silent, SPANS[-1])
    return replace(FIELDS, spans=spans, context=render(RENDERING, spans))


def _third_turn(older: LeftOut | None) -> Fields:
    """Quote the second turn alone."""
    return replace(FIELDS, turn=3, choice=Choice(1, older))


def _alone(older: LeftOut | None) -> Fields:
    """Quote nothing."""
    return replace(FIELDS, spans=ALONE, context=render(RENDERING, ALONE), choice=Choice(1, older))


def _redrawn(fields: Fields, *, attempt: int, rejected: int) -> Recipe:
    """Follow rejected attempts; the void of the last one stands before the reply in the log."""
    tag = make_receipt(Recipe()).slot_tag
    void = VoidLeaf(fixed_key("void"), tag, attempt - 1, VoidReason.REJECTED).encode()
    return Recipe(
        fields=replace(fields, rejected=rejected),
        receipt={"attempt": attempt},
        other_leaves={REPLY_INDEX - 1: void},
    )


def _redrawn_strictly(fields: Fields, *, attempt: int, rejected: int) -> Strict:
    return Strict(
        fields=replace(fields, rejected=rejected),
        receipt={"attempt": attempt},
        leaf_attempt=attempt,
    )


assert MANIFEST.filter.redraws == 2  # noqa: S101, PLR2004 - what the cases above count on
