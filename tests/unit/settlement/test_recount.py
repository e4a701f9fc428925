"""Every way of paying too little that a creator can find out, and the step that finds it."""

from dataclasses import replace

import pytest

from bot.crypto.hashing import sha256
from bot.domain.payment import Payer
from bot.domain.settlement import Earnings, Epoch
from bot.domain.statements import Outcome
from bot.domain.twin_log import ENTRY_BYTES, TwinEntry, TwinLog
from bot.ports.recount import CommitEvent
from bot.settlement.claims import ClaimTree, claim_order, to_leaf
from bot.settlement.publication import encode_publication, publication_of
from bot.settlement.recount import Evidence, FollowedLog, LogHead, Recount, StepState, Verdict
from bot.settlement.recounting import recount
from tests.fakes.recount_rig import TWIN, Published

FEE = 1_700_000


@pytest.fixture
async def published() -> Published:
    """Two epochs: sponsored, bought, promotional and free replies; one taken back, one refunded."""
    made = Published()
    first = made.earn(FEE)
    bought = made.earn(FEE, Payer.PAID)
    made.earn(FEE, Payer.SPONSOR, Outcome.UNDELIVERED)
    made.earn(2 * FEE, number=1)
    await made.commit()
    made.book.reverse(TWIN, first, Outcome.WITHDRAWN)
    made.book.mature.add(bought.receipt)
    held = made.earn(FEE, Payer.PAID)
    taken_back = made.earn(FEE, Payer.PAID)
    made.book.reverse(TWIN, taken_back, Outcome.REFUNDED)
    made.earn(0, Payer.PROMOTIONAL)
    made.earn(0, Payer.FREE)
    await made.commit()
    own = next(one for one in made.epochs[1].earnings if one.twin == TWIN)
    assert own.held_nano == held.creator_nano
    return made


def refuted(found: Recount, step: int) -> str:
    assert found.verdict is Verdict.REFUTED, found.sentence
    assert found.steps[-1].state is StepState.FALSE
    assert found.steps[-1].number == step, found.sentence
    assert found.unproved == ()
    return found.steps[-1].sentence


def forged(published: Published, **changes: object) -> tuple[Epoch, bytes]:
    """Return the newest epoch as a dishonest service would commit and publish it."""
    epoch = published.epochs[-1]
    own = next(one for one in epoch.earnings if one.twin == TWIN)
    others = [one for one in epoch.earnings if one.twin != TWIN]
    earnings = claim_order([replace(own, **changes), *others])  # type: ignore[arg-type]
    return _epoch(epoch, earnings)


def _epoch(epoch: Epoch, earnings: tuple[Earnings, ...]) -> tuple[Epoch, bytes]:
    said = epoch.commitment
    data = encode_publication(
        epoch.number, earnings, log_size=said.log_size, log_root=said.log_root
    )
    commitment = replace(
        said,
        fee_root=ClaimTree([to_leaf(one) for one in earnings]).root,
        fee_total=sum(one.cumulative_units for one in earnings),
        data_hash=sha256(data),
    )
    return Epoch(commitment, earnings, 0), data


async def lie(
    published: Published, entries: list[TwinEntry] | None = None, **changes: object
) -> Evidence:
    """Return evidence in which publication, chain and twin log agree on a lie."""
    if entries is not None:
        log = TwinLog(entries)
        changes |= {"entries": len(log), "twin_log_root": log.root()}
    epoch, data = forged(published, **changes)
    honest = await published.evidence()
    commits = (CommitEvent(epoch.commitment, 7),)
    return replace(
        honest,
        publications={**honest.publications, 2: data},
        twin_log=honest.twin_log if entries is None else TwinLog(entries).encode(),
        chain=replace(published.chain(), commits=commits),
        reading=None,
    )


async def test_an_honest_epoch_is_proved_and_every_step_is_taken(published: Published) -> None:
    receipts = [published.own(entry) for entry in (await published.log()).entries]
    found = recount(await published.evidence(receipts=receipts))

    assert found.verdict is Verdict.PROVED
    assert [step.number for step in found.steps] == list(range(1, 14))
    assert {step.state for step in found.steps} == {StepState.HOLDS}
    assert [(line.epoch, line.entries, line.held_nano) for line in found.lines] == [
        (1, 3, FEE),
        (2, 9, FEE),
    ]
    assert (found.lines[1].earned_nano, found.lines[1].cumulative_units) == (3 * FEE, 3_400)
    assert found.lines[1].paid_units == 3_400
    assert len(found.unproved) == 3


async def test_what_nobody_gave_is_left_out_and_named(published: Published) -> None:
    bare = await published.evidence(chain=None, head=None, reading=None, payout=None)

    found = recount(replace(bare, publications={2: bare.publications[2]}))

    left_out = [step.number for step in found.steps if step.state is StepState.LEFT_OUT]
    assert found.verdict is Verdict.NOT_YET
    assert left_out == [5, 8, 9, 10, 11, 12, 13]
    assert "--rpc" in found.sentence
    assert "nobody else can ask" in found.sentence
    assert len(found.unproved) == 3 + 6 + 1
    assert any("one epoch alone can't show it" in one for one in found.unproved)


async def test_an_underpayment_is_refuted_by_its_sum(published: Published) -> None:
    evidence = await lie(published, cumulative_nano=3_399_000)

    sentence = refuted(recount(evidence), 7)

    assert "3399 token units, and its entries amount to 3400: 1 too few" in sentence


async def test_an_overpayment_is_refuted_too(published: Published) -> None:
    sentence = refuted(recount(await lie(published, cumulative_nano=9_000_000)), 7)

    assert "too many" in sentence


async def test_more_held_than_was_bought_is_refuted(published: Published) -> None:
    evidence = await lie(published, held_nano=3 * FEE, cumulative_nano=0)
    alone = replace(evidence, publications={2: evidence.publications[2]})

    refuted(recount(evidence), 5)  # the first epoch had committed more
    assert "holds 5100000 nano back" in refuted(recount(alone), 6)


async def test_an_omitted_entry_is_refuted_by_the_logs_leaves(published: Published) -> None:
    entries = list((await published.log()).entries)
    reading = await published.reading()
    short = [*entries[:4], *entries[5:]]
    evidence = await lie(published, short, cumulative_nano=2 * FEE, held_nano=0)

    refuted(recount(replace(evidence, reading=reading)), 10)


async def test_an_omitted_last_entry_is_refuted_by_the_logs_leaves(published: Published) -> None:
    entries = list((await published.log()).entries)[:-1]
    evidence = await lie(published, entries)

    sentence = refuted(recount(replace(evidence, reading=await published.reading())), 10)

    assert "has 9 outcomes of the twin's replies, and the twin log 8 entries" in sentence


async def test_an_omitted_entry_is_refuted_by_the_proof_of_that_reply(published: Published) -> None:
    entries = list((await published.log()).entries)
    mine = entries[4]
    evidence = await lie(
        published, [*entries[:4], *entries[5:]], cumulative_nano=2 * FEE, held_nano=0
    )

    sentence = refuted(recount(replace(evidence, receipts=[published.own(mine)])), 11)

    assert "leaves it out" in sentence
    assert recount(evidence).verdict is Verdict.PROVED  # what nobody can see without either


async def test_a_changed_fee_is_refuted_by_the_receipt(published: Published) -> None:
    entries = list((await published.log()).entries)
    cheap = [replace(entries[0], creator_nano=FEE - 1_000), *entries[1:]]
    cheap[3] = replace(cheap[3], creator_nano=FEE - 1_000)
    evidence = await lie(published, cheap, cumulative_nano=2 * FEE - 1_000)
    evidence = replace(evidence, publications={2: evidence.publications[2]})

    sentence = refuted(recount(replace(evidence, receipts=[published.own(entries[0])])), 11)

    assert "1699000 nano, paid: sponsor; the receipt reply 1 says number 1, 1700000" in sentence


async def test_a_payer_swapped_to_promotional_is_refuted(published: Published) -> None:
    entries = list((await published.log()).entries)
    swapped = [
        replace(one, payer=Payer.PROMOTIONAL, creator_nano=0) if one.seq == 1 else one
        for one in entries
    ]
    evidence = await lie(published, swapped, cumulative_nano=FEE)
    alone = replace(evidence, publications={2: evidence.publications[2]})

    refuted(recount(evidence), 5)  # the first epoch said otherwise
    sentence = refuted(recount(replace(alone, receipts=[published.own(entries[0])])), 11)
    assert "paid: promotional; the receipt" in sentence


async def test_a_promotional_entry_with_a_fee_is_refuted(published: Published) -> None:
    entries = list((await published.log()).entries)
    wrong = [*entries[:-1], replace(entries[-1], payer=Payer.PROMOTIONAL, creator_nano=1)]

    assert "payer is promotional" in refuted(recount(await lie(published, wrong)), 3)


async def test_reordered_entries_are_refuted(published: Published) -> None:
    entries = list((await published.log()).entries)
    swapped = [*entries[:-2], entries[-1], entries[-2]]
    evidence = await lie(published, swapped)
    served = await published.evidence(twin_log=TwinLog(swapped).encode())
    receipts = [published.own(one) for one in entries[-2:]]

    refuted(recount(served), 4)
    refuted(recount(replace(evidence, reading=await published.reading())), 10)
    refuted(recount(replace(evidence, receipts=receipts)), 11)


async def test_a_shrunk_or_rewritten_log_is_refuted(published: Published) -> None:
    honest = await published.evidence()
    short = await published.evidence(twin_log=honest.twin_log[:-ENTRY_BYTES])
    kept = await published.evidence(kept_log=b"x" * ENTRY_BYTES + honest.twin_log[ENTRY_BYTES:])
    fewer = list((await published.log()).entries)[:2]

    assert "9 entries, and the twin log that is served has 8" in refuted(recount(short), 3)
    assert "differs from the 9 entries that you kept" in refuted(recount(kept), 5)
    assert "was cut" in refuted(recount(await lie(published, fewer)), 5)


async def test_another_publication_than_was_kept_is_refuted(published: Published) -> None:
    honest = await published.evidence()
    kept = {1: honest.publications[1].replace(b'"epoch":1', b'"epoch":9')}

    refuted(recount(replace(honest, kept_publications=kept)), 5)


async def test_another_root_on_the_chain_is_refuted(published: Published) -> None:
    honest = await published.evidence()
    said = published.epochs[-1].commitment
    for change, words in (
        ({"fee_root": bytes(32)}, "the root of all claims"),
        ({"fee_total": 1}, "the total"),
        ({"log_root": bytes(32)}, "the log's root"),
        ({"log_size": 1}, "the log's size"),
        ({"data_hash": bytes(32)}, "the hash of what was published"),
    ):
        commits = (CommitEvent(replace(said, **change), 7),)
        answers = replace(published.chain(), commits=commits)
        assert words in refuted(recount(replace(honest, chain=answers)), 12)
    twice = replace(published.chain(), commits=(CommitEvent(said, 7), CommitEvent(said, 8)))
    assert "2 times" in refuted(recount(replace(honest, chain=twice)), 12)
    vetoed = replace(published.chain(), vetoes=1)
    assert "vetoed" in refuted(recount(replace(honest, chain=vetoed)), 12)


async def test_a_wrong_total_and_a_second_leaf_are_refuted(published: Published) -> None:
    honest = await published.evidence()
    data = honest.publications[2]
    total = published.epochs[-1].commitment.fee_total
    wrong = data.replace(f'"fee_total":"{total}"'.encode(), b'"fee_total":"1"')
    _, double = _epoch(published.epochs[-1], published.epochs[-1].earnings * 2)

    assert "sum up to" in refuted(recount(replace(honest, publications={2: wrong})), 2)
    refuted(recount(replace(honest, publications={2: double})), 2)


async def test_a_publication_that_is_none_is_refuted(published: Published) -> None:
    honest = await published.evidence()
    for data in (b"", b"{}", honest.publications[1], honest.publications[2] + b" "):
        refuted(recount(replace(honest, publications={2: data})), 1)


async def test_the_log_must_be_the_one_that_is_followed(published: Published) -> None:
    for state in (FollowedLog.FORKS, FollowedLog.SHORTER):
        head = LogHead("stage.example/log", 3, state)
        refuted(recount(await published.evidence(head=head)), 9)
    head = LogHead("stage.example/log", 3, FollowedLog.UNPROVEN)
    assert recount(await published.evidence(head=head)).verdict is Verdict.NOT_YET


async def test_another_payout_address_is_refuted(published: Published) -> None:
    assert "not the address" in refuted(recount(await published.evidence(payout=b"p" * 20)), 8)


async def test_an_epoch_that_is_not_final_or_not_there_is_not_yet(published: Published) -> None:
    early = replace(published.chain(), finalized=6)
    shallow = replace(published.chain(), finalized=None, newest=18)
    absent = replace(published.chain(), commits=())

    for answers in (early, shallow, absent):
        found = recount(await published.evidence(chain=answers))
        assert found.verdict is Verdict.NOT_YET
        assert found.sentence.startswith("not yet: step 12 (Chain)")
    deep = replace(published.chain(), finalized=None, newest=19)
    assert recount(await published.evidence(chain=deep)).verdict is Verdict.PROVED


async def test_a_twin_without_a_leaf_is_not_yet(published: Published) -> None:
    found = recount(await published.evidence(twin=bytes(32)))

    assert (found.verdict, found.steps) == (Verdict.NOT_YET, ())


async def test_what_is_paid_already_is_said(published: Published) -> None:
    found = recount(await published.evidence(chain=published.chain(paid=3_000)))

    assert found.verdict is Verdict.PROVED
    assert "paid 3000 of 3400 token units; 400 can be claimed" in found.steps[-1].sentence


async def test_a_reply_newer_than_the_epoch_is_no_contradiction(published: Published) -> None:
    newer = published.earn(FEE)
    reversed_later = (await published.log()).entries[1]
    published.book.reverse(TWIN, reversed_later, Outcome.WITHDRAWN)
    receipts = [published.own(newer), published.own(reversed_later)]

    found = recount(await published.evidence(receipts=receipts))

    assert found.verdict is Verdict.PROVED
    assert "not decided by then: reply 8, reply 2" in found.steps[10].sentence


async def test_a_reply_that_was_withdrawn_and_then_refunded_is_no_contradiction() -> None:
    made = Published()
    made.earn(FEE)
    bought = made.earn(FEE, Payer.PAID)
    withdrawn = made.book.reverse(TWIN, bought, Outcome.WITHDRAWN)
    seen = made.own(withdrawn)  # what its fan has saved before the platform took the money back
    await made.commit()
    early = recount(await made.evidence(receipts=[seen]))
    made.book.reverse(TWIN, bought, Outcome.REFUNDED)
    later = recount(await made.evidence(receipts=[made.own(bought)]))
    await made.commit()
    both = [seen, made.own(bought)]

    found = recount(await made.evidence(receipts=both))

    assert (early.verdict, later.verdict, found.verdict) == (Verdict.PROVED,) * 3
    assert "not decided by then: reply 2" in later.steps[10].sentence
    assert made.epochs[-1].earnings[0].cumulative_nano == FEE


async def test_an_outcome_before_its_time_is_refuted(published: Published) -> None:
    first = (await published.log()).entries[1]
    late = replace(published.own(first), outcome=(Outcome.DELIVERED, 99))

    assert "says so before" in refuted(recount(await published.evidence(receipts=[late])), 11)


async def test_a_number_of_another_receipt_is_refuted(published: Published) -> None:
    first = (await published.log()).entries[0]
    other = replace(published.own(first), tag=bytes(32))

    refuted(recount(await published.evidence(receipts=[other])), 11)


async def test_numbers_without_an_entry_are_named() -> None:
    made = Published()
    made.earn(FEE)
    made.book.numbers[TWIN] = 4  # three replies that wait for their outcome
    made.earn(FEE)
    await made.commit()

    found = recount(await made.evidence(reading=None))

    assert found.verdict is Verdict.PROVED
    assert found.missing == ((2, 4),)


async def test_the_publication_of_an_epoch_is_the_one_that_was_committed(
    published: Published,
) -> None:
    for epoch in published.epochs:
        assert sha256(publication_of(epoch)) == epoch.commitment.data_hash


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_a_refund_of_what_no_platform_was_paid_for_is_refuted(withdrawn: bool) -> None:  # noqa: FBT001
    made = Published()
    sponsored, shown = made.earn(FEE), made.earn(FEE, outcome=Outcome.REFUNDED)
    made.earn(FEE, number=1)
    await made.commit()
    seen = [made.own(sponsored), made.own(shown)]
    honest = recount(await made.evidence(receipts=seen))
    if withdrawn:
        made.book.reverse(TWIN, sponsored, Outcome.WITHDRAWN)
    made.book.reverse(TWIN, sponsored, Outcome.REFUNDED)
    early = recount(await made.evidence(receipts=[made.own(sponsored)]))
    made.earn(FEE)  # so that what is committed does not shrink
    await made.commit()

    assert honest.verdict is Verdict.PROVED, honest.sentence
    assert "no platform can have taken back what paid it: the payer is sponsor" in refuted(
        early, 11
    )
    said = refuted(recount(await made.evidence()), 3)
    word = "withdrawn" if withdrawn else "delivered"
    assert f"refunded after {word}, and the payer is sponsor" in said
