"""The arithmetic of fees: what nodes want of a replacement, and what the limit leaves."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.fees import Fees, Market, bumped, is_too_cheap, offer, raised

GWEI = 10**9
WEI = st.integers(min_value=0, max_value=10**15)
MARKETS = st.builds(Market, WEI, WEI, st.just(0))


@st.composite
def offers(draw: st.DrawFn) -> Fees:
    tip = draw(WEI)
    return Fees(tip + draw(WEI), tip)


def test_an_offer_holds_while_the_base_fee_doubles() -> None:
    assert offer(Market(30 * GWEI, 2 * GWEI, 0), None) == Fees(62 * GWEI, 2 * GWEI)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (62 * GWEI, Fees(62 * GWEI, 2 * GWEI)),
        (40 * GWEI, Fees(40 * GWEI, 2 * GWEI)),
        (32 * GWEI, Fees(32 * GWEI, 2 * GWEI)),
        (32 * GWEI - 1, None),
    ],
)
def test_the_limit_cuts_the_headroom_and_never_what_the_chain_asks(
    limit: int, expected: Fees | None
) -> None:
    assert offer(Market(30 * GWEI, 2 * GWEI, 0), limit) == expected


@pytest.mark.parametrize(
    ("wei", "expected"), [(0, 1), (1, 2), (7, 8), (8, 10), (1_000, 1_126), (10**9, 1_125_000_001)]
)
def test_a_bump_is_an_eighth_and_one_wei(wei: int, expected: int) -> None:
    assert bumped(wei) == expected


@given(WEI)
def test_a_bump_satisfies_every_node(wei: int) -> None:
    # geth: at least 10 % more; Nethermind, Erigon and others: 12.5 %, some of them more than that.
    assert bumped(wei) > wei * Fraction(1125, 1000)


@given(offers(), MARKETS)
def test_a_replacement_raises_both_fields_and_meets_the_market(old: Fees, market: Market) -> None:
    new = raised(old, market, None)

    assert new is not None
    assert new.max_fee_wei > old.max_fee_wei * Fraction(1125, 1000)
    assert new.tip_wei > old.tip_wei * Fraction(1125, 1000)
    assert new.max_fee_wei >= market.asking.max_fee_wei
    assert new.tip_wei >= market.tip_wei
    assert new.tip_wei <= new.max_fee_wei
    assert not is_too_cheap(new, market)


@given(offers(), MARKETS, WEI)
def test_the_limit_is_never_passed_and_what_it_leaves_would_be_taken(
    old: Fees, market: Market, limit: int
) -> None:
    new = raised(old, market, limit)

    if new is not None:
        assert new.max_fee_wei <= limit
        assert new.max_fee_wei > old.max_fee_wei * Fraction(1125, 1000)
        assert new.tip_wei <= new.max_fee_wei
        assert not is_too_cheap(new, market)
    else:
        least = max(bumped(old.max_fee_wei), market.base_fee_wei + bumped(old.tip_wei))
        assert limit < max(least, market.lowest)


def test_what_the_base_fee_has_passed_is_too_cheap() -> None:
    market = Market(40 * GWEI, GWEI, 0)

    assert is_too_cheap(Fees(40 * GWEI - 1, GWEI), market)
    assert not is_too_cheap(Fees(40 * GWEI, GWEI), market)
