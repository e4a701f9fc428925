"""How fast the surface speaks and how long it waits."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Limits and waits; the defaults are the platform's, tests have less patience.

    Attributes:
        chat_s: least time between two messages in one chat.
        group_per_minute: messages in a group.
        bot_per_s: messages and previews of one bot.
        reserve: of these, how many previews leave free for messages.
        sign_s: how long a reply has to be whole before a sign of life is shown; none in a rush.
        preview_s: least time between two previews of one reply.
        offer_s: how long a reply is written before a Stop button appears.
        backoff_s: first wait after a failed call; doubles up to `backoff_max_s`.
        poll_s: how long one poll may stay open.
        answer_s: how long we wait for an answer to a call.
        token_retry_s: wait before a rejected token is tried again.
        drain_s: how long running replies may take at a stop.
        checkout_s: how long the core may think about a payment that is about to be made.
        stars_s: how often the platform's list of Stars is looked through.
        dispute_s: how long after it was begun a dispute is first asked after; doubles up to
            `dispute_max_s`.
    """

    chat_s: float = 1.0
    group_per_minute: int = 20
    bot_per_s: int = 30
    reserve: int = 10
    sign_s: float = 0.15
    preview_s: float = 1.0
    offer_s: float = 4.0
    backoff_s: float = 1.0
    backoff_max_s: float = 30.0
    poll_s: int = 50
    answer_s: float = 20.0
    token_retry_s: float = 600.0
    drain_s: float = 10.0
    checkout_s: float = 8.0
    stars_s: float = 3600.0
    dispute_s: float = 2.0
    dispute_max_s: float = 60.0
