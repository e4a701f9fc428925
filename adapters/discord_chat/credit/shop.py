"""What is on sale on Discord: the rate table's SKUs that Discord knows as consumables."""

import asyncio
from collections.abc import Collection, Mapping

import discord
import structlog

from adapters.discord_chat.mapping import discord_errors
from bot.domain.errors import BotError
from bot.ports.credit import FanCredit, Offer

PLATFORM = "discord"
UNIT = "discord-sku:"
ANSWER_WITHIN_S = 2.0
_log = structlog.get_logger("discord")


def unit_of(sku: int) -> str:
    """Return an SKU's name in the rate table."""
    return f"{UNIT}{sku}"


def judge_skus(units: Collection[str], kinds: Mapping[int, int]) -> dict[str, str]:
    """Return what is wrong with SKUs of the rate table, by unit: one sentence for the operator.

    Args:
        units: as the rate table names them; those of other platforms are passed over.
        kinds: SKUs that the application has at Discord, with their types.
    """
    wrong: dict[str, str] = {}
    for unit in sorted(one for one in units if one.startswith(UNIT)):
        number = unit.removeprefix(UNIT)
        kind = kinds.get(int(number)) if number.isdecimal() else None
        if kind is None:
            wrong[unit] = (
                f"The rate table names the SKU {number}, which this application does not have at "
                "Discord, so it is not sold: correct its number or take it out."
            )
        elif kind != discord.SKUType.consumable.value:
            wrong[unit] = (
                f"The rate table names the SKU {number}, which is no consumable at Discord, so it "
                "is not sold: make a one-time purchase of the kind consumable and name that."
            )
    return wrong


class Shop:
    """Knows what may be shown as on sale.

    Attributes:
        wrong: what the operator should know about SKUs, by unit, as last found.
    """

    def __init__(self, *, client: discord.Client, credit: FanCredit) -> None:
        self._client = client
        self._credit = credit
        self._kinds: dict[int, int] | None = None
        self.wrong: dict[str, str] = {}

    async def check(self) -> None:
        """Compare the rate table with Discord, and log what is wrong.

        Raises:
            BotError: the core or Discord can't be asked now.
        """
        offers = await self._credit.offers(PLATFORM)
        if not offers:
            return
        with discord_errors():
            skus = await self._client.fetch_skus()
        self._kinds = {sku.id: sku.type.value for sku in skus}
        wrong = judge_skus([offer.unit for offer in offers], self._kinds)
        for unit, sentence in wrong.items():
            if self.wrong.get(unit) != sentence:
                _log.warning("discord.sku_unusable", unit=unit, sentence=sentence)
        self.wrong = wrong

    def is_consumable(self, sku: int) -> bool:
        """Say whether Discord was seen to have an SKU as a consumable."""
        return (self._kinds or {}).get(sku) == discord.SKUType.consumable.value

    async def on_sale(self) -> tuple[Offer, ...]:
        """Return what can be bought now, cheapest first.

        What Discord has not confirmed is not offered. A failure means: nothing, for this time.
        """
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                offers = await self._credit.offers(PLATFORM)
                if offers and self._kinds is None:
                    await self.check()
        except (BotError, TimeoutError) as error:
            _log.warning("discord.no_offers", error=type(error).__name__)
            return ()
        wrong = judge_skus([offer.unit for offer in offers], self._kinds or {})
        return tuple(one for one in offers if one.unit.startswith(UNIT) and one.unit not in wrong)
