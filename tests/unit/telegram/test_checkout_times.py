"""The platform's ten seconds, and how we spend them."""

from adapters.telegram_chat.credit.checkout import AGAIN_S, ANSWER_S
from adapters.telegram_chat.pace import Pace


def test_the_core_leaves_time_for_the_answer() -> None:
    assert Pace().checkout_s <= 8.0
    assert Pace().checkout_s + AGAIN_S < ANSWER_S < 10.0
