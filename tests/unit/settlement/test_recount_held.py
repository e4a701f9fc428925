"""Money that a publisher holds for ever: found by whoever has recounted before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.payment import Payer
from bot.domain.rates import MAX_HELD_HOURS
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry
from bot.settlement.recount import EarlierLook, Evidence, Recount, StepState, Verdict
from bot.settlement.recount_held import ALLOWANCE
from bot.settlement.recounting import recount
from tests.fakes.recount_rig import TWIN, Published

FEE, HOURS = 1_700_000, 504
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
LONGEST = timedelta(hours=HOURS) + ALLOWANCE


@pytest.fixture
async def published() -> Published:
    """Two entries that were bought and one that was not, in two epochs; nothing matures."""
    made = Published()
    made.earn(FEE, Payer.PAID)
    made.earn(FEE)
    await made.commit()
    made.earn(FEE, Payer.PAID)
    await made.commit()
    return made


async def evidence_of(
    published: Published, *looks: tuple[timedelta, int], hours: int | None = HOURS
) -> Evidence:
    """Return evidence of somebody who recounted before: how long ago, and so many entries."""
    evidence = await published.evidence()
    assert evidence.reading is not None
    return replace(
        evidence,
        reading=replace(evidence.reading, held_hours=hours),
        at=NOW,
        looks=[EarlierLook(NOW - ago, entries) for ago, entries in looks],
    )


def waits(found: Recount) -> str:
    assert found.verdict is Verdict.NOT_YET, found.sentence
    assert found.steps[5].state is StepState.WAITS
    assert found.sentence == f"not yet: step 6 (Held): {found.steps[5].sentence}"
    return found.steps[5].sentence


async def test_what_was_seen_too_long_ago_may_be_held_no_more(published: Published) -> None:
    found = recount(await evidence_of(published, (LONGEST, 2)))

    assert waits(found) == (
        "At least 1700000 nano are held of fees that you saw on 2026-05-09T12:00:00Z, 23 days "
        "ago, and they may be held for 504 hours: they are kept too long, or no newer epoch was "
        "settled since."
    )
    assert not any("what is held becomes payable" in one for one in found.unproved)


async def test_younger_fees_may_be_held(published: Published) -> None:
    published.book.mature.add((await published.log()).entries[0].receipt)
    published.earn(FEE, Payer.PAID)
    await published.commit()

    found = recount(await evidence_of(published, (LONGEST, 2), (timedelta(days=1), 3)))

    assert found.verdict is Verdict.PROVED, found.sentence
    assert "3400000 nano are held" in found.steps[5].sentence
    assert "nothing of it that you saw on 2026-05-09T12:00:00Z" in found.steps[5].sentence


@pytest.mark.parametrize(
    "looks",
    [
        (),
        ((LONGEST - timedelta(seconds=1), 3),),
        ((-timedelta(days=400), 3),),
    ],
)
async def test_without_an_old_look_nothing_is_said_and_that_is_named(
    published: Published, looks: tuple[tuple[timedelta, int], ...]
) -> None:
    found = recount(await evidence_of(published, *looks))

    assert found.verdict is Verdict.PROVED
    assert any("recount again later, with the same folder" in one for one in found.unproved)


async def test_the_latest_of_the_old_looks_counts(published: Published) -> None:
    looks = ((LONGEST + timedelta(days=9), 1), (LONGEST, 3), (timedelta(0), 3))

    sentence = waits(recount(await evidence_of(published, *looks)))

    assert sentence.startswith(f"At least {2 * FEE} nano")


async def test_what_was_refunded_meanwhile_is_not_asked_for(published: Published) -> None:
    first = (await published.log()).entries[0]
    published.book.reverse(TWIN, first, Outcome.REFUNDED)
    await published.commit()

    found = recount(await evidence_of(published, (LONGEST, 2)))

    assert found.verdict is Verdict.PROVED, found.sentence


async def test_without_the_logs_rate_tables_the_longest_time_of_the_format_counts(
    published: Published,
) -> None:
    longest = timedelta(hours=MAX_HELD_HOURS) + ALLOWANCE

    early = recount(await evidence_of(published, (longest - timedelta(seconds=1), 2), hours=None))
    late = recount(await evidence_of(published, (longest, 2), hours=None))

    assert early.verdict is Verdict.PROVED
    assert f"they may be held for {MAX_HELD_HOURS} hours" in waits(late)


async def test_an_older_epoch_is_not_judged_by_what_was_seen_since(published: Published) -> None:
    evidence = await evidence_of(published, (LONGEST, 3))

    assert recount(replace(evidence, at=None)).verdict is Verdict.PROVED


async def paid_once(*, mature: int) -> tuple[Published, list[TwinEntry]]:
    """Return three bought entries in an epoch, so many of them payable, and one in the next."""
    made = Published()
    bought = [made.earn(FEE, Payer.PAID) for _ in range(3)]
    made.book.mature |= {one.receipt for one in bought[:mature]}
    await made.commit()
    for _ in range(3):
        made.earn(FEE)  # so that what is committed does not shrink
    return made, bought


def refuted(found: Recount) -> str:
    assert found.verdict is Verdict.REFUTED, found.sentence
    assert (found.steps[-1].number, found.steps[-1].state) == (6, StepState.FALSE)
    return found.steps[-1].sentence


async def test_what_was_payable_may_not_be_refunded() -> None:
    made, bought = await paid_once(mature=3)
    for one in bought[:2]:
        made.book.reverse(TWIN, one, Outcome.REFUNDED)
    await made.commit()
    evidence = await made.evidence()

    assert refuted(recount(evidence)) == (
        "From epoch 1 to 2 3400000 nano were refunded of fees that epoch 1 counts, and it held 0: "
        "3400000 nano that were payable were taken back."
    )
    # The first epoch alone says what was payable.
    alone = recount(replace(evidence, publications={2: evidence.publications[2]}))
    assert alone.verdict is Verdict.PROVED


async def test_what_was_held_may_be_refunded_and_no_more() -> None:
    made, bought = await paid_once(mature=1)
    for one in bought[1:]:
        made.book.reverse(TWIN, one, Outcome.REFUNDED)
    await made.commit()
    honest = recount(await made.evidence())
    made.book.reverse(TWIN, bought[0], Outcome.REFUNDED)
    made.earn(FEE)
    await made.commit()

    assert honest.verdict is Verdict.PROVED, honest.sentence
    sentence = refuted(recount(await made.evidence()))
    assert sentence.startswith("From epoch 2 to 3 1700000 nano were refunded of fees that epoch 2")


async def test_what_was_bought_and_refunded_between_two_epochs_was_never_payable() -> None:
    made, _ = await paid_once(mature=3)
    made.book.reverse(TWIN, made.earn(FEE, Payer.PAID), Outcome.REFUNDED)
    await made.commit()

    assert recount(await made.evidence()).verdict is Verdict.PROVED


async def test_what_was_payable_may_not_be_held_again() -> None:
    made, bought = await paid_once(mature=3)
    made.book.mature -= {bought[0].receipt}
    made.earn(FEE, Payer.PAID)
    await made.commit()

    assert refuted(recount(await made.evidence())) == (
        "Epoch 2 holds 3400000 nano back, and since epoch 1 it can be 1700000: 1700000 nano that "
        "were payable are held again."
    )


async def test_of_what_no_earlier_epoch_shows_it_is_said() -> None:
    made, _ = await paid_once(mature=3)
    for _ in range(4):
        made.earn(FEE)
        await made.commit()
    evidence = await made.evidence()

    def said(*numbers: int) -> list[str]:
        chosen = {number: evidence.publications[number] for number in numbers}
        found = recount(replace(evidence, publications=chosen))
        assert found.verdict is Verdict.PROVED
        return [one for one in found.unproved if "refunded or held again" in one]

    assert said(1, 2, 3, 4, 5) == []
    (alone,) = said(5)
    assert alone == (
        "That nothing was refunded or held again that was payable before epoch 5: one epoch alone "
        "can't show it; compare it with those before it (--last)."
    )
    (early,) = said(3, 4, 5)
    assert "payable before epoch 3: no earlier one was given" in early
    (gap,) = said(1, 5)
    assert "payable in epoch 2 to 4: nothing of it is published" in gap


async def test_before_its_first_leaf_a_twin_had_nothing_payable() -> None:
    made = Published()
    made.earn(FEE, number=1)
    await made.commit()
    await made.commit()
    made.earn(FEE, number=1)
    await made.commit()
    made.earn(FEE)
    await made.commit()
    evidence = await made.evidence()
    newest = evidence.epoch
    chosen = {number: evidence.publications[number] for number in (newest - 1, newest)}

    found = recount(replace(evidence, publications=chosen))

    assert found.verdict is Verdict.PROVED
    assert not any("refunded or held again" in one for one in found.unproved)
