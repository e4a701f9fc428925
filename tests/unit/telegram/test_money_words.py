"""What is said about money: within the platform's limits, and never an amount that is not there."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat import money_words as words
from bot.ports.credit import Credited, CreditView, FreeReplies, Offer, Refunded

NANO = st.integers(0, 10**18)
OFFER = st.builds(
    Offer,
    st.just("telegram-star"),
    st.integers(1, 10_000),
    NANO,
    st.text(min_size=1, max_size=400),
    st.tuples(st.integers(0, 10**12), st.integers(0, 10**12)),
)


@given(OFFER)
def test_an_invoice_keeps_the_platforms_limits(offer: Offer) -> None:
    assert 1 <= len(words.title_of(offer)) <= 32
    assert 1 <= len(words.description_of(offer)) <= 255


@given(st.text(max_size=2000))
def test_a_refusal_keeps_what_fits(sentence: str) -> None:
    clipped = words.clip(sentence)

    assert len(clipped) <= 255
    assert clipped == sentence or sentence.startswith(clipped.removesuffix("…"))


def test_both_ends_of_an_offer_are_named_in_order() -> None:
    assert words.replies(Offer("telegram-star", 50, 1, "1", (500, 20))) == "about 20 to 500 replies"


def test_a_refund_names_what_was_spent_only_if_something_was() -> None:
    whole = words.taken_back(1, Refunded(10**9, 0, 0, again=False), "T")
    partly = words.taken_back(1, Refunded(10**8, 10**8, 8 * 10**8, again=False), "T")

    assert whole == "Telegram has given 1 Star back to you, so 1 T of credit was taken back."
    assert partly.endswith("so 0.1 T of credit was taken back. 0.9 T of it was spent already.")


def test_thanks_without_a_symbol_are_thanks() -> None:
    assert words.credited(1000, Credited(5, 7, again=False), "") == (
        "Thank you. Your 1,000 Stars gave 0.000000005 of credit; you have 0.000000007 now."
    )


def test_many_twins_are_cut_off_and_counted() -> None:
    twins = tuple(FreeReplies(f"t{n}", f"Twin {n}", 1, 5, 1) for n in range(23))
    text = words.overview(CreditView(0, 0, 0, 0, "T", twins))

    assert text.endswith("And 3 more: /twins.")
    assert "Twin 19" in text
    assert "Twin 20" not in text
