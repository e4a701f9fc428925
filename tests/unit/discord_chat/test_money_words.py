"""What fans are told about money fits, says amounts once, and what is sold is judged rightly."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord_chat.credit import wording
from adapters.discord_chat.credit.buttons import MOST_OFFERS, credit_view, refusal_view
from adapters.discord_chat.credit.commands import DISPUTE
from adapters.discord_chat.credit.shop import judge_skus, unit_of
from bot.ports.checks import State
from bot.ports.credit import CreditView, DisputeState, DisputeView, FreeReplies, Offer
from bot.wiring.platform_verdicts import judge_discord_skus
from tests.fakes.credit import sku_offer

COINS = st.integers(min_value=0, max_value=10**18)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=900)
TWINS = st.lists(
    st.builds(FreeReplies, TEXTS, TEXTS, st.integers(0, 99), st.integers(0, 99), COINS),
    max_size=30,
)


@given(TWINS, st.lists(TEXTS, max_size=30), COINS, COINS)
def test_any_view_fits_into_a_message(
    twins: list[FreeReplies], lines: list[str], paid: int, given_nano: int
) -> None:
    bought = tuple(("1", line) for line in lines)
    view = CreditView(paid, given_nano, 0, 5, "tUSD", tuple(twins), bought)
    disputes = [DisputeView("r", DisputeState.CHECKING, line) for line in lines]
    offers = [Offer("discord-sku:1", 1, 1, line, (0, 0)) for line in lines]

    said = wording.credit(view, offers, disputes, lines)

    assert 0 < len(said) <= 2000
    assert len(wording.fit(lines)) <= 2000


@given(st.integers(0, 40))
def test_buttons_fit_into_the_rows_of_a_message(count: int) -> None:
    offers = [sku_offer(n, n) for n in range(1, count + 1)]

    for view, most in ((credit_view(offers), MOST_OFFERS), (refusal_view(offers), 4)):
        rows = view.to_components()
        assert len(rows) <= 5
        assert all(len(row["components"]) <= 5 for row in rows)
        items = [item for row in rows for item in row["components"]]
        sold = [int(item["sku_id"]) for item in items if item["style"] == 6]
        assert sold == list(range(1, min(count, most) + 1))


def test_parts_of_the_credit_and_free_twins_are_named() -> None:
    twins = (
        FreeReplies("a", "Ada", 0, 3, 2_000_000),
        FreeReplies("b", "Bob", 0, 0, 2_000_000),
        FreeReplies("c", "Cid", 0, 0, 0),
    )
    view = CreditView(500_000_000, 20_000_000, 4_000_000, 10**9, "tUSD", twins)

    assert wording.credit(view, (), ()).splitlines() == [
        "**Your credit:** 0.52 tUSD (0.5 bought, 0.02 given to you, which is spent first)",
        "**Last 24 hours:** 0.004 of at most 1 tUSD spent",
        "- Ada: 0 of 3 free replies left today, then 0.002 tUSD per reply",
        "- Bob: 0.002 tUSD per reply",
        "- Cid: free",
    ]


def test_offers_say_how_far_they_go() -> None:
    view = CreditView(0, 0, 0, 0, "tUSD", ())
    offers = [
        Offer(unit_of(1), 1, 1, "0.5 tUSD", (250, 50)),
        Offer(unit_of(2), 1, 1, "0.1 tUSD", (1, 1)),
        Offer(unit_of(3), 1, 1, "0.01 tUSD", (0, 0)),
    ]

    assert wording.credit(view, offers, ()).splitlines()[3:] == [
        "- 0.5 tUSD: about 50 to 250 replies",
        "- 0.1 tUSD: about 1 reply",
        "- 0.01 tUSD",
    ]


def test_only_consumables_that_exist_can_be_sold() -> None:
    units = [unit_of(1), unit_of(2), unit_of(3), "telegram-star", "discord-sku:x"]

    wrong = judge_skus(units, {1: 3, 2: 2})

    assert set(wrong) == {unit_of(2), unit_of(3), "discord-sku:x"}
    assert "no consumable" in wrong[unit_of(2)]
    assert "does not have" in wrong[unit_of(3)]


def test_the_menu_entry_is_no_longer_than_discord_allows() -> None:
    assert len(DISPUTE) <= 32


def test_the_check_up_says_which_can_be_sold() -> None:
    (fine,) = judge_discord_skus({}, 2)
    (bad,) = judge_discord_skus({unit_of(3): "It is not there."}, 2)

    assert (fine.state, fine.sentence) == (State.OK, "all 2 of the rate table can be sold.")
    assert (bad.state, bad.sentence) == (State.WARNING, "It is not there.")
    assert bad.remedy
