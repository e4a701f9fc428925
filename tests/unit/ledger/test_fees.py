"""Fees: every plan sums to zero, and a hold ends exactly once, whatever price, split and payer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import InvariantError, UnbalancedTransactionError
from bot.domain.ledger import (
    DEBIT_CLASSES,
    EQUITY,
    LOSS,
    OPERATOR_FEES,
    PROMOTION,
    SPONSOR,
    LedgerTransaction,
    Posting,
    channel_account,
    creator_account,
    fan_account,
    held_account,
    hold_account,
    may_be_negative,
    may_be_positive,
    owed_account,
    promotional_account,
    settled_account,
)
from bot.domain.money import split_price
from bot.domain.payment import Payer
from bot.ledger.credit import plan_dispute
from bot.ledger.fees import (
    first_draw,
    payer_of,
    plan_capture,
    plan_funding,
    plan_hold,
    plan_mature,
    plan_release,
    plan_reverse,
    source_of,
)

TWIN = bytes(range(32))
PRICES = st.integers(0, 2**53 - 1)
SPLITS = st.integers(0, 10_000)


def _sums(*transactions: LedgerTransaction) -> dict[str, int]:
    sums: dict[str, int] = {}
    for transaction in transactions:
        for posting in transaction.postings:
            sums[posting.account] = sums.get(posting.account, 0) + posting.nano
    return sums


def _capture(price: int, creator: int, payer: Payer = Payer.SPONSOR) -> LedgerTransaction:
    return plan_capture("i", TWIN, payer=payer, price_nano=price, creator_nano=creator)


@given(PRICES, SPLITS)
def test_captured_hold_of_the_budget_is_paid_out_whole(price: int, creator_bp: int) -> None:
    creator, operator = split_price(price, creator_bp)

    sums = _sums(plan_hold("i", price), _capture(price, creator))

    assert sums == {
        SPONSOR: -price,
        hold_account("i"): 0,
        creator_account(TWIN): creator,
        OPERATOR_FEES: operator,
    }


@given(PRICES, SPLITS)
def test_bought_credit_is_held_and_matures_or_goes_back_whole(price: int, creator_bp: int) -> None:
    creator, operator = split_price(price, creator_bp)
    terms = {"price_nano": price, "creator_nano": creator}
    paid = [plan_hold("i", price, fan_account("a")), _capture(price, creator, Payer.PAID)]

    assert _sums(*paid)[held_account(TWIN)] == creator
    assert creator_account(TWIN) not in _sums(*paid)
    assert _sums(*paid, plan_mature("i", TWIN, creator)) == {
        fan_account("a"): -price,
        hold_account("i"): 0,
        held_account(TWIN): 0,
        creator_account(TWIN): creator,
        OPERATOR_FEES: operator,
    }
    assert _sums(*paid, plan_reverse("i", TWIN, account="a", **terms)) == {
        fan_account("a"): -price,
        hold_account("i"): 0,
        held_account(TWIN): 0,
        OPERATOR_FEES: 0,
        owed_account("a"): price,
    }


@given(PRICES, SPLITS)
def test_promotional_credit_goes_back_to_the_operator(price: int, creator_bp: int) -> None:
    hold = plan_hold("i", price, promotional_account("a"))

    sums = _sums(hold, _capture(price, split_price(price, creator_bp)[0], Payer.PROMOTIONAL))

    assert sums == {promotional_account("a"): -price, hold_account("i"): 0, PROMOTION: price}


@pytest.mark.parametrize("source", [SPONSOR, fan_account("a"), promotional_account("a")])
def test_released_hold_goes_back_to_where_it_came_from(source: str) -> None:
    hold = plan_hold("i", 7, source)

    assert source_of(hold) == source
    assert set(_sums(hold, plan_release("i", 7, source_of(hold))).values()) == {0}


def test_whose_money_it_is_stands_in_the_hold() -> None:
    sources = [SPONSOR, fan_account("a"), promotional_account("a")]

    assert [payer_of(source) for source in sources] == [
        Payer.SPONSOR,
        Payer.PAID,
        Payer.PROMOTIONAL,
    ]
    with pytest.raises(InvariantError, match="pays for nothing"):
        payer_of(OPERATOR_FEES)
    with pytest.raises(InvariantError, match="is no hold"):
        source_of(plan_release("i", 7))


def test_capture_and_release_share_one_key_and_the_rest_have_their_own() -> None:
    capture = _capture(2, 1)
    reverse = plan_reverse("i", TWIN, price_nano=2, creator_nano=1, account="a")
    others = [plan_hold("i", 2), plan_release("j", 2), plan_mature("i", TWIN, 1), reverse]

    assert capture.key == plan_release("i", 2).key
    assert len({capture.key, *(one.key for one in others)}) == 5
    assert (reverse.key, others[2].key) == ("reverse:i", "mature:i")


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


def test_only_debit_classes_may_be_negative() -> None:
    assert [may_be_negative(f"{kind}x") for kind in DEBIT_CLASSES] == [True] * 4
    owned = [SPONSOR, OPERATOR_FEES, fan_account("a"), promotional_account("a"), hold_account("i")]
    earned = [own(TWIN) for own in (creator_account, held_account, settled_account)]
    assert not any(map(may_be_negative, owned + earned))


def test_only_what_a_fan_owes_is_never_positive() -> None:
    owned = [SPONSOR, EQUITY, channel_account("a"), fan_account("a"), hold_account("i")]

    assert all(map(may_be_positive, owned))
    assert not may_be_positive(owed_account("a"))


@pytest.mark.parametrize("set_off", [0, 3, 7])
def test_released_hold_pays_what_its_fan_owes_first(set_off: int) -> None:
    hold = plan_hold("i", 7, fan_account("a"))
    owes = {owed_account("a"): set_off} if set_off else {}

    sums = _sums(hold, plan_release("i", 7, fan_account("a"), set_off_nano=set_off))

    assert sums == {hold_account("i"): 0, fan_account("a"): -set_off} | owes
    with pytest.raises(InvariantError, match="owes nothing"):
        plan_release("i", 7, promotional_account("a"), set_off_nano=1)


@pytest.mark.parametrize(("set_off", "given"), [(0, 7), (3, 4), (7, 0)])
def test_upheld_dispute_pays_what_its_fan_owes_first(set_off: int, given: int) -> None:
    sums = _sums(plan_dispute("r", "a", 7, Payer.PAID, set_off_nano=set_off))

    expected = {LOSS: -7, fan_account("a"): given, owed_account("a"): set_off}
    assert sums == {account: nano for account, nano in expected.items() if nano}
    with pytest.raises(InvariantError, match="paid nothing"):
        plan_dispute("r", "a", 7, Payer.PROMOTIONAL, set_off_nano=1)


@pytest.mark.parametrize(
    ("intent", "rejected", "first"), [("s:0", 0, "s:0"), ("s:5", 2, "s:3"), ("odd", 0, "odd")]
)
def test_attempt_goes_back_to_the_first_that_was_rejected(
    intent: str, rejected: int, first: str
) -> None:
    assert first_draw(intent, rejected) == first


def test_accounts_of_one_name_differ() -> None:
    owned = {own(TWIN) for own in (creator_account, held_account, settled_account)}
    named = {own("x") for own in (hold_account, fan_account, promotional_account, channel_account)}

    assert len(owned | named) == 7
