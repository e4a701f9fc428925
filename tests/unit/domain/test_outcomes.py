"""Which outcomes may follow each other: every history there is, and no other one."""

from itertools import product

from bot.domain.outcomes import MAX_OUTCOMES, may_follow
from bot.domain.statements import Outcome


def _can_be(history: tuple[Outcome, ...]) -> bool:
    return all(may_follow(history[:place], one) for place, one in enumerate(history))


def test_these_are_all_histories_of_a_reply() -> None:
    found = {
        " ".join(one.word for one in history)
        for size in range(1, MAX_OUTCOMES + 2)
        for history in product(Outcome, repeat=size)
        if _can_be(history)
    }

    assert found == {
        "delivered",
        "undelivered",
        "withdrawn",
        "refunded",
        "delivered withdrawn",
        "delivered refunded",
        "delivered withdrawn refunded",
    }
