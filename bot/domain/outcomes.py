"""Which outcomes a reply may have, one after another: the one rule of formats.md section 8.

Whoever checks a history asks here: twins' logs, audit, monitor and the recount of a creator's pay.
The log's leaves do not say who paid: a monitor can't ask for that, whoever reads a twin's log can.
"""

from collections.abc import Sequence

from bot.domain.payment import Payer
from bot.domain.statements import Outcome

MAX_OUTCOMES = 3
_AFTER = {
    (): frozenset(Outcome),
    (Outcome.DELIVERED,): frozenset({Outcome.WITHDRAWN, Outcome.REFUNDED}),
    (Outcome.DELIVERED, Outcome.WITHDRAWN): frozenset({Outcome.REFUNDED}),
}


def may_follow(said: Sequence[Outcome], outcome: Outcome, payer: Payer | None = None) -> bool:
    """Return whether an outcome may be logged of a reply of which these were, in this order.

    Args:
        said: its outcomes so far.
        outcome: the one that follows.
        payer: who paid for it; None where that is not known. A platform takes back what was bought
            from it, and nothing else.
    """
    refunded_late = bool(said) and outcome is Outcome.REFUNDED
    if refunded_late and payer not in {None, Payer.PAID}:
        return False
    return outcome in _AFTER.get(tuple(said), frozenset())
