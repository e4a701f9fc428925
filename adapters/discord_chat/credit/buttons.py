"""Buttons about money; what they show is for the one who presses. They work after any restart."""

from collections.abc import Sequence
from typing import Any, Protocol, cast

import discord
from discord import ui

from adapters.discord_chat.buttons import PlainButton, ReceiptButton, about
from adapters.discord_chat.credit.shop import UNIT
from bot.ports.credit import Offer

CREDIT_LABEL, LIMIT_LABEL, ASK_LABEL = "Credit", "Daily limit", "Ask about a payment"
DISPUTE_LABEL = "Something wrong with it?"
MOST_OFFERS = 15
Interaction = discord.Interaction[Any]


class MoneyDesk(Protocol):
    """Who acts when a button is pressed; the client has one as `counter`, if there is money."""

    async def show(self, interaction: Interaction) -> None:
        """Show what a person has."""
        ...

    async def ask_limit(self, interaction: Interaction) -> None:
        """Open the window for the daily limit."""
        ...

    async def ask_support(self, interaction: Interaction) -> None:
        """Open the window for a question about a payment."""
        ...

    async def dispute_receipt(self, interaction: Interaction, receipt: str) -> None:
        """Open the window for what is wrong with a reply."""
        ...


def _desk(interaction: Interaction) -> MoneyDesk:
    return cast("MoneyDesk", interaction.client.counter)


class CreditButton(PlainButton, template=r"tp:money:credit"):
    """Shows what the one who presses has."""

    label, name, style = CREDIT_LABEL, "tp:money:credit", discord.ButtonStyle.primary

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).show(interaction)


class LimitButton(PlainButton, template=r"tp:money:limit"):
    """Changes the most that is spent in a day."""

    label, name = LIMIT_LABEL, "tp:money:limit"

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).ask_limit(interaction)


class AskButton(PlainButton, template=r"tp:money:ask"):
    """Asks the operator about a payment."""

    label, name = ASK_LABEL, "tp:money:ask"

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).ask_support(interaction)


class DisputeButton(ReceiptButton, template=about("wrong")):
    """Says that something is wrong with a reply; shown to the one who was answered."""

    label, name = DISPUTE_LABEL, "wrong"

    async def callback(self, interaction: Interaction) -> None:
        """Act."""
        await _desk(interaction).dispute_receipt(interaction, self.receipt)


BUTTONS = (CreditButton, LimitButton, AskButton, DisputeButton)


def credit_view(offers: Sequence[Offer]) -> ui.View:
    """Return the buttons of /credit: what is on sale, then the rest."""
    view = _selling(offers[:MOST_OFFERS])
    return view.add_item(LimitButton()).add_item(AskButton())


def refusal_view(offers: Sequence[Offer]) -> ui.View:
    """Return the buttons beside a reason for the fan's eyes only."""
    return _selling(offers[:4]).add_item(CreditButton())


def public_view() -> ui.View:
    """Return the button where everybody reads."""
    return ui.View(timeout=None).add_item(CreditButton())


def dispute_view(receipt: str) -> ui.View:
    """Return the button beside a proof."""
    return ui.View(timeout=None).add_item(DisputeButton(receipt))


def _selling(offers: Sequence[Offer]) -> ui.View:
    """Return the platform's own buttons, which name the price and sell."""
    view = ui.View(timeout=None)
    for offer in offers:
        sku = int(offer.unit.removeprefix(UNIT))
        view.add_item(ui.Button(style=discord.ButtonStyle.premium, sku_id=sku))
    return view
