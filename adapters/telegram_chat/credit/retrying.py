"""Calls to the core that may be repeated, tried some times while a person waits."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Backoff
from bot.domain.errors import OutcomeUnknownError, TransientError

TRIES = 3
T = TypeVar("T")


async def call_again(call: Callable[[], Awaitable[T]], pace: Pace) -> T:
    """Make a call that has the effect of once, however often it is made.

    Raises:
        TransientError: it did not succeed in some tries; the sentence is for the person.
    """
    backoff = Backoff(pace)
    for remaining in reversed(range(TRIES)):
        try:
            return await call()
        except (TransientError, OutcomeUnknownError):
            if remaining:
                await backoff.wait()
    raise TransientError("That does not work just now. Please try again in a minute.")
