"""Everybody who serves fans' money, put together."""

from dataclasses import dataclass
from typing import Self

import discord

from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.credit.delivery import Delivery
from adapters.discord_chat.credit.purchases import Purchases
from adapters.discord_chat.credit.shop import Shop
from adapters.discord_chat.credit.teller import Teller
from bot.ports.credit import FanCredit
from bot.ports.discord_state import DiscordState


@dataclass(frozen=True, slots=True)
class Till:
    """Who serves fans, and who follows what they buy."""

    counter: Counter
    purchases: Purchases

    @classmethod
    def build(cls, client: discord.Client, credit: FanCredit, state: DiscordState) -> Self:
        """Put them together."""
        shop = Shop(client=client, credit=credit)
        teller = Teller(client=client, credit=credit)
        delivery = Delivery(client=client, credit=credit, teller=teller)
        purchases = Purchases(client=client, shop=shop, delivery=delivery, state=state)
        counter = Counter(credit=credit, shop=shop, purchases=purchases, teller=teller, state=state)
        return cls(counter, purchases)
