"""Fees: every plan sums to zero, and a hold ends exactly once, whatever the price and the split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UnbalancedTransactionError
from bot.domain.ledger import (
    EQUITY,
    OPERATOR_FEES,
    SPONSOR,
    LedgerTransaction,
    Posting,
    creator_account,
    hold_account,
    settled_account,
)
from bot.domain.money import split_price
from bot.ledger.fees import plan_capture, plan_funding, plan_hold, plan_release

TWIN = bytes(range(32))
PRICES = st.integers(0, 2**53 - 1)


def _sums(*transactions: LedgerTransaction) -> dict[str, int]:
    sums: dict[str, int] = {}
    for transaction in transactions:
        for posting in transaction.postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.nano
    return sums


@given(PRICES, st.integers(0, 10_000))
def test_captured_hold_is_paid_out_whole(price: int, creator_bp: int) -> None:
    creator, operator = split_price(price, creator_bp)

    sums = _sums(
        plan_hold("i", price), plan_capture("i", TWIN, price_nano=price, creator_nano=creator)
    )

    assert sums == {
        SPONSOR: -price,
        hold_account("i"): 0,
        creator_account(TWIN): creator,
        OPERATOR_FEES: operator,
    }


@given(PRICES)
def test_released_hold_leaves_nothing_behind(price: int) -> None:
    sums = _sums(plan_hold("i", price), plan_release("i", price))

    assert set(sums.values()) == {0}


def test_capture_and_release_share_one_key_and_holds_have_their_own() -> None:
    capture = plan_capture("i", TWIN, price_nano=2, creator_nano=1)

    assert capture.key == plan_release("i", 2).key
    assert capture.key != plan_hold("i", 2).key
    assert capture.key != plan_release("j", 2).key


@pytest.mark.parametrize(
    ("target", "funded", "moved"), [(10, 0, 10), (10, 4, 6), (10, 10, None), (3, 10, None)]
)
def test_funding_brings_the_budget_up_and_never_takes_back(
    target: int, funded: int, moved: int | None
) -> None:
    plan = plan_funding(target, funded)

    assert (plan is None) == (moved is None)
    if plan is not None and moved is not None:
        assert _sums(plan) == {EQUITY: -moved, SPONSOR: moved}


def test_transaction_that_does_not_sum_to_zero_is_refused() -> None:
    with pytest.raises(UnbalancedTransactionError, match="k"):
        LedgerTransaction("k", "fund", (Posting(EQUITY, -1), Posting(SPONSOR, 2)))


def test_accounts_of_one_twin_differ() -> None:
    assert len({creator_account(TWIN), settled_account(TWIN), hold_account(TWIN.hex())}) == 3
