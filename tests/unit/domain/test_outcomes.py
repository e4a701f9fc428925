"""Which outcomes may follow each other: every history there is, and no other one."""

from itertools import product

from bot.domain.outcomes import MAX_OUTCOMES, may_follow
from bot.domain.payment import Payer
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


def test_only_what_was_bought_is_refunded_after_its_delivery() -> None:
    for payer in Payer:
        late = payer is Payer.PAID
        assert may_follow((), Outcome.REFUNDED, payer)
        assert may_follow((Outcome.DELIVERED,), Outcome.WITHDRAWN, payer)
        for said in ((Outcome.DELIVERED,), (Outcome.DELIVERED, Outcome.WITHDRAWN)):
            assert may_follow(said, Outcome.REFUNDED, payer) is late
        assert not may_follow((Outcome.REFUNDED,), Outcome.REFUNDED, payer)
