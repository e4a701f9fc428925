"""Which outcomes a reply may have, one after another: the one rule of formats.md section 8.

Whoever checks a history asks here: twins' logs, audit, monitor and the recount of a creator's pay.
"""

from collections.abc import Sequence

from bot.domain.statements import Outcome

MAX_OUTCOMES = 3
_AFTER = {
    (): frozenset(Outcome),
    (Outcome.DELIVERED,): frozenset({Outcome.WITHDRAWN, Outcome.REFUNDED}),
    (Outcome.DELIVERED, Outcome.WITHDRAWN): frozenset({Outcome.REFUNDED}),
}


def may_follow(said: Sequence[Outcome], outcome: Outcome) -> bool:
    """Return whether an outcome may be logged of a reply of which these were, in this order."""
    return outcome in _AFTER.get(tuple(said), frozenset())
