"""A recount from its first step to the verdict; `recount` says what the steps are."""

from bot.domain.twin_log import missing_numbers
from bot.settlement.recount import (
    Evidence,
    Opened,
    Recount,
    RecountStep,
    RefutedError,
    StepState,
    Verdict,
)
from bot.settlement.recount_held import overdue_look, unseen_payable
from bot.settlement.recount_log import check_published, lines_of, open_published
from bot.settlement.recount_outside import check_outside

_ALWAYS = (
    "That every reply was put into the log: ask the twin yourself, and give the proofs here.",
    "That a reply which the log calls undelivered or refunded was: it is the operator's word.",
)
_HELD = "When what is held becomes payable: recount again later, with the same folder for --keep."
_UNPROVED = {
    5: "That the twin's log only grows: give a folder with --keep, and recount again.",
    8: "That the payout address is yours: name it with --payout.",
    9: "That the log is the one that others see: give its key with --key.",
    10: "That the entries are all outcomes of the log: the log's leaves were not read.",
    11: "That your own test questions are in it: give their proofs with --proof.",
    12: "That a chain holds any of this.",
}


def recount(evidence: Evidence) -> Recount:
    """Recount one twin in one epoch; what is false, missing or late is in the result."""
    steps: list[RecountStep] = []
    opened = None
    try:
        opened = open_published(evidence)
        if opened is None:
            return _without_leaf(evidence)
        for found in (check_published(evidence, opened), check_outside(evidence, opened)):
            for step in found:
                steps.append(step)  # noqa: PERF402 - what was found stays where one is false
    except RefutedError as error:
        steps.append(RecountStep(error.number, StepState.FALSE, error.sentence))
        sentence = f"refuted: step {error.number} ({steps[-1].title}): {error.sentence}"
        return _result(evidence, opened, Verdict.REFUTED, sentence, steps)
    chain = next(step for step in steps if step.number == 12)  # noqa: PLR2004
    late = next((step for step in steps if step.state is StepState.WAITS), None)
    if late is not None or chain.state is not StepState.HOLDS:
        found_late = late or chain
        sentence = f"not yet: step {found_late.number} ({found_late.title}): {found_late.sentence}"
        return _result(evidence, opened, Verdict.NOT_YET, sentence, steps)
    sentence = (
        f"proved: {opened.leaf.units} token units follow from the twin's {opened.leaf.entries} "
        f"entries, and the chain holds them in epoch {evidence.epoch}."
    )
    return _result(evidence, opened, Verdict.PROVED, sentence, steps)


def _without_leaf(evidence: Evidence) -> Recount:
    sentence = (
        f"not yet: epoch {evidence.epoch} has no leaf of this twin. It has one as soon as a reply "
        "of the twin stands in the log that is committed."
    )
    return _result(evidence, None, Verdict.NOT_YET, sentence, [])


def _result(
    evidence: Evidence,
    opened: Opened | None,
    verdict: Verdict,
    sentence: str,
    steps: list[RecountStep],
) -> Recount:
    """Put the result together; a table and sums are shown only as far as they hold."""
    sums_hold = opened is not None and any(step.number == 7 for step in steps)  # noqa: PLR2004
    sums_hold = sums_hold and steps[-1].number > 7 and opened is not None  # noqa: PLR2004
    paid = None if evidence.chain is None else evidence.chain.claimed_units
    left_out = [
        _UNPROVED[s.number]
        for s in steps
        if s.state is StepState.LEFT_OUT and s.number in _UNPROVED
    ]
    aged = () if overdue_look(evidence) is not None else (_HELD,)
    payable = () if opened is None else unseen_payable(evidence, opened)
    return Recount(
        twin=evidence.twin,
        epoch=evidence.epoch,
        verdict=verdict,
        sentence=sentence,
        steps=tuple(steps),
        lines=lines_of(opened, paid) if opened is not None and sums_hold else (),
        unproved=() if verdict is Verdict.REFUTED else (*left_out, *payable, *_ALWAYS, *aged),
        missing=tuple(missing_numbers(opened.log.entries)) if opened is not None else (),
    )
