"""What the platform says was paid and given back, each exactly once in the core's book.

The platform tells it twice: as an update, and in its list of transactions. Both end here, and the
core knows a payment by its number, so whichever comes first counts.
"""

import asyncio
from collections import deque

import structlog

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import Money, Paid, Spot
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Backoff, Sender
from bot.domain.errors import BotError, OutcomeUnknownError, TransientError, UserError
from bot.ports.credit import Credited, FanCredit, Purchase, Refunded
from bot.ports.people import Person

UNIT = "telegram-star"
TOLD_KEPT = 4096
LATE_AFTER = 3  # failures, before the person hears that it takes longer
_log = structlog.get_logger("telegram")


class Payments:
    """Follows the payments of one bot.

    `_turn` lets one call about money run at a time, as the port wants it for each payment. `_told`
    has what people were told in this run, so that an update and the list tell it once; `_unsure`
    what has perhaps happened in this run, and nobody was told of.
    """

    def __init__(
        self, *, name: str, credit: FanCredit, sender: Sender, pace: Pace, is_test: bool
    ) -> None:
        self._name = name
        self._credit = credit
        self._sender = sender
        self._pace = pace
        self._is_test = is_test
        self._turn = asyncio.Lock()
        self._told: deque[tuple[str, str, bool]] = deque(maxlen=TOLD_KEPT)
        self._unsure: set[tuple[str, bool]] = set()

    async def follow(self, money: Money, *, is_late: bool) -> None:
        """Follow an update to its end, for as long as it takes.

        Cancelled, it has done nothing or everything, and can be repeated: the update stays open.

        Args:
            money: what was paid or given back.
            is_late: taken by an earlier run, which may not have told the person.
        """
        backoff, failures = Backoff(self._pace), 0
        while True:
            try:
                await self._enter(money, tell_again=is_late)
            except (TransientError, OutcomeUnknownError) as error:
                failures += 1
                _log.warning("telegram.money_waits", bot=self._name, error=type(error).__name__)
                if failures == LATE_AFTER and isinstance(money, Paid):
                    await self._sender.say(money.spot, words.LATE)
                await backoff.wait()
            else:
                return

    async def catch_up(self, money: Money) -> bool:
        """Follow what the list of transactions has; what is known already changes nothing.

        Returns:
            False if it is a payment that the core can't credit now, so that another look at it is
            worth while.

        Raises:
            TransientError: nothing is known to have happened; call again.
            OutcomeUnknownError: the same.
        """
        return await self._enter(money, tell_again=False, is_listed=True)

    async def _enter(
        self, money: Money, *, tell_again: bool = False, is_listed: bool = False
    ) -> bool:
        """Enter it in the book, and tell the person what they have not been told."""
        what = (money.charge_id, isinstance(money, Paid))
        try:
            async with self._turn:
                done = await self._take(money)
        except OutcomeUnknownError:
            self._unsure.add(what)
            raise
        except UserError as error:
            # The core has noted it for its operator. The list has it again and again: no words.
            _log.error("telegram.money_refused", bot=self._name, payment=what[1])
            if not is_listed:
                text = str(error) if what[1] else words.not_credited(money.stars)
                await self._tell(money, text, ("refused", *what))
            return not what[1]
        is_old = done.again or (is_listed and isinstance(done, Refunded) and not _is_felt(done))
        if not is_old or tell_again or what in self._unsure:
            self._unsure.discard(what)
            await self._tell(money, await self._words_of(money, done), ("done", *what))
        return True

    async def _tell(self, money: Money, text: str, what: tuple[str, str, bool]) -> None:
        if what in self._told:
            return
        self._told.append(what)
        _log.info("telegram.money_followed", bot=self._name, payment=what[2])
        if money.spot.is_private:
            await self._sender.say(money.spot, text)

    async def _take(self, money: Money) -> Credited | Refunded:
        if isinstance(money, Paid):
            return await self._pay(money)
        return await self._credit.refund(PLATFORM, money.charge_id)

    async def _pay(self, money: Paid) -> Credited:
        purchase = Purchase(
            person=_person_of(money.spot),
            charge_id=money.charge_id,
            unit=UNIT,
            count=money.stars,
            test=self._is_test,
        )
        return await self._credit.credit(purchase)

    async def _words_of(self, money: Money, done: Credited | Refunded) -> str:
        try:
            token = (await self._credit.view(_person_of(money.spot))).token
        except BotError:
            token = ""  # the amount alone is better than nothing
        if isinstance(done, Credited):
            return words.credited(money.stars, done, token)
        return words.taken_back(money.stars, done, token)


def _is_felt(done: Refunded) -> bool:
    return any((done.nano, done.reversed_nano, done.lost_nano))


def _person_of(spot: Spot) -> Person:
    return Person(PLATFORM, str(spot.fan))
