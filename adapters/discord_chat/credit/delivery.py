"""One purchase: credited by the core, then consumed at Discord, then told; or taken back.

Each step is repeated until it is answered. The credit is durable before anything is consumed, so
whatever ends us between the two, Discord lists the entitlement again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import discord
import structlog

from adapters.discord_chat.credit import wording
from adapters.discord_chat.credit.shop import PLATFORM, unit_of
from adapters.discord_chat.credit.teller import Teller
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from bot.domain.errors import BotError, OutcomeUnknownError, TransientError, UserError
from bot.ports.credit import CreditView, FanCredit, Purchase
from bot.ports.people import Person

# Paid with money; every other kind was given, earned, or bought in test mode.
PAID = frozenset({discord.EntitlementType.purchase, discord.EntitlementType.user_gift})
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
AT_ONCE = 4
_log = structlog.get_logger("discord")
_T = TypeVar("_T")
Overtaken = Callable[[], bool]


class Delivery:
    """Gives people what they bought, some at once."""

    def __init__(self, *, client: discord.Client, credit: FanCredit, teller: Teller) -> None:
        self._client = client
        self._credit = credit
        self._teller = teller
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def give(self, entitlement: discord.Entitlement, overtaken: Overtaken) -> bool:
        """Credit, consume, tell; return whether nothing is left to be done.

        One that is consumed was credited before: that is done once more, and told, only if the book
        does not know of it.

        Args:
            entitlement: not deleted, as far as is known.
            overtaken: says whether something newer is known of it, so that this is given up.
        """
        purchase = Purchase(
            person=_owner(entitlement),
            charge_id=str(entitlement.id),
            unit=unit_of(entitlement.sku_id),
            count=1,
            test=entitlement.type not in PAID,
        )
        credited = await self._answered(
            entitlement, lambda: self._credit.credit(purchase), overtaken
        )
        if credited is None:
            return False
        words = wording.credited
        if entitlement.consumed:
            if credited.again:
                return True
            words = wording.credited_anew
        elif not await self._consume(entitlement, overtaken):
            return False
        _log.info(
            "discord.credited",
            entitlement=str(entitlement.id),
            again=credited.again,
            was_consumed=entitlement.consumed,
        )
        await self._say(entitlement, lambda view: words(credited.nano, view))
        return True

    async def take_back(self, entitlement: discord.Entitlement) -> bool:
        """Follow a refund or a chargeback; of what was never credited there is nothing to take."""
        number = str(entitlement.id)
        refunded = await self._answered(
            entitlement, lambda: self._credit.refund(PLATFORM, number), lambda: False
        )
        if refunded is not None and not refunded.again:
            _log.warning("discord.refunded", entitlement=number, lost_nano=refunded.lost_nano)
            await self._say(entitlement, lambda view: wording.refunded(refunded.nano, view))
        return True

    async def _say(
        self, entitlement: discord.Entitlement, words: Callable[[CreditView], str]
    ) -> None:
        with suppress(BotError):  # it is done; /credit shows it
            person = _owner(entitlement)
            await self._teller.tell(person.fan, words(await self._credit.view(person)))

    async def _answered(
        self,
        entitlement: discord.Entitlement,
        call: Callable[[], Awaitable[_T]],
        overtaken: Overtaken,
    ) -> _T | None:
        """Call the core until it answers; None if it refuses, or something newer is known."""
        number, pause = str(entitlement.id), FIRST_PAUSE_S
        while not overtaken():
            try:
                async with self._turns:
                    return await call()
            except UserError as error:
                _log.warning("discord.payment_refused", entitlement=number, why=str(error))
                return None
            except (TransientError, OutcomeUnknownError) as error:
                kind = type(error).__name__
                _log.warning("discord.payment_waits", entitlement=number, error=kind)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return None

    async def _consume(self, entitlement: discord.Entitlement, overtaken: Overtaken) -> bool:
        """Tell Discord that the purchase was delivered; after a failure it is read back first."""
        number, pause = str(entitlement.id), FIRST_PAUSE_S
        while not overtaken():
            try:
                async with self._turns:
                    with discord_errors():
                        await entitlement.consume()
            except BotError as error:
                if await self._is_consumed(entitlement.id):
                    return True
                kind = type(error).__name__
                if not isinstance(error, TransientError):
                    _log.error("discord.not_consumed", entitlement=number, error=kind)
                    return False
                _log.warning("discord.consuming_waits", entitlement=number, error=kind)
            else:
                return True
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return False

    async def _is_consumed(self, number: int) -> bool:
        with suppress(OutOfReachError, TransientError), discord_errors():
            return (await self._client.fetch_entitlement(number)).consumed
        return False


def _owner(entitlement: discord.Entitlement) -> Person:
    return Person(PLATFORM, str(entitlement.user_id))
