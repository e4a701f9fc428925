from dataclasses import replace

import pytest

from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError
from bot.domain.settlement import NO_PAYOUT, EarningsSnapshot, Epoch
from bot.settlement.claims import EMPTY_ROOT, ClaimTree
from bot.settlement.epoch import plan_epoch, plan_settlement
from bot.settlement.publication import Publication, encode_publication
from tests.fakes.settlement_rig import earnings_of, twin_id

ROOT = b"r" * 32
SNAPSHOT = EarningsSnapshot(
    (earnings_of(0, 5_000_999), earnings_of(1, 999), earnings_of(2, 1_000, payout=NO_PAYOUT)),
    log_size=9,
    log_root=ROOT,
    cutoff=77,
)


def planned(snapshot: EarningsSnapshot = SNAPSHOT, last: Epoch | None = None) -> Epoch:
    epoch = plan_epoch(snapshot, last)
    assert epoch is not None
    return epoch


def test_the_first_epoch_commits_to_everything() -> None:
    epoch = planned()

    assert epoch.number == 1
    assert epoch.cutoff == 77
    assert epoch.commitment.fee_total == 5_000 + 0 + 1
    assert (epoch.commitment.log_size, epoch.commitment.log_root) == (9, ROOT)
    assert epoch.commitment.fee_root == ClaimTree.of_epoch(epoch).root


def test_payable_claims_stand_in_front() -> None:
    assert planned().earnings[0].twin == twin_id(0)
    assert not planned().earnings[1].is_payable


def test_the_order_of_the_snapshot_does_not_matter() -> None:
    other = replace(SNAPSHOT, earnings=SNAPSHOT.earnings[::-1])

    assert planned(other) == planned()


def test_the_data_hash_is_that_of_the_publication() -> None:
    epoch = planned()
    publication = encode_publication(1, epoch.earnings, log_size=9, log_root=ROOT)

    assert epoch.commitment.data_hash == sha256(publication)
    assert Publication.parse(publication).commitment(publication) == epoch.commitment
    assert publication.startswith(
        b'{"epoch":1,"fee_total":"5001","leaves":[{"carried":"0","cumulative":"5000"'
    )
    assert publication.endswith(b'"log_size":9,"v":"twinproof-epoch/2"}')


def test_nothing_new_is_no_epoch() -> None:
    assert plan_epoch(EarningsSnapshot((), 0, bytes(32), 0), None) is None
    assert plan_epoch(SNAPSHOT, planned()) is None


def test_less_than_a_token_unit_is_nothing_new() -> None:
    more = replace(SNAPSHOT, earnings=(*SNAPSHOT.earnings[1:], earnings_of(0, 5_001_000 - 1)))

    assert plan_epoch(more, planned()) is None


def test_a_log_without_twins_is_anchored_alone() -> None:
    epoch = planned(EarningsSnapshot((), 3, ROOT, 0))

    assert epoch.commitment.fee_root == EMPTY_ROOT
    assert epoch.commitment.fee_total == 0


@pytest.mark.parametrize(
    "snapshot",
    [
        replace(SNAPSHOT, earnings=SNAPSHOT.earnings[1:]),
        replace(SNAPSHOT, earnings=(earnings_of(0, 4), *SNAPSHOT.earnings[1:])),
        replace(SNAPSHOT, earnings=(earnings_of(0, 5_000_999, count=0), *SNAPSHOT.earnings[1:])),
        replace(SNAPSHOT, log_size=8),
        replace(SNAPSHOT, log_root=b"o" * 32),
    ],
    ids=["twin gone", "earnings shrank", "receipts gone", "log shrank", "log forked"],
)
def test_shrinking_is_refused(snapshot: EarningsSnapshot) -> None:
    with pytest.raises(InvariantError):
        plan_epoch(snapshot, planned())


def test_a_twin_with_two_claims_is_refused() -> None:
    with pytest.raises(InvariantError):
        plan_epoch(replace(SNAPSHOT, earnings=SNAPSHOT.earnings * 2), None)


def test_the_book_moves_whole_token_units_that_are_new() -> None:
    first = planned()
    later = replace(
        SNAPSHOT, earnings=(earnings_of(0, 5_003_500), *SNAPSHOT.earnings[1:]), log_size=10
    )

    moves = plan_settlement(planned(later, first), first)
    assert moves.key == "settle:epoch:2"
    assert moves.moves == ((twin_id(0), 3_000),)
    assert dict(plan_settlement(first, None).moves) == {twin_id(0): 5_000_000, twin_id(2): 1_000}
