"""What fans do about their money: look, limit, ask, dispute; all for one person's eyes."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import discord

from adapters.discord_chat.credit import buttons, wording
from adapters.discord_chat.credit.purchases import Purchases
from adapters.discord_chat.credit.shop import PLATFORM, Shop
from adapters.discord_chat.credit.teller import Teller
from adapters.discord_chat.mapping import discord_errors
from adapters.discord_chat.privately import Said, privately, sentence_of, tell, tell_failure
from adapters.discord_chat.texts import with_words
from adapters.discord_chat.windows import Field, Submitted, Window, dispute_window
from bot.domain.errors import BotError, CreditError, UserError
from bot.domain.money import format_nano
from bot.ports.credit import FanCredit
from bot.ports.discord_state import DiscordState
from bot.ports.people import Person

ANSWER_WITHIN_S, SETTLE_WITHIN_S = 2.0, 5.0
Interaction = discord.Interaction[Any]
BY_MESSAGE, BY_RECEIPT = "m:", "r:"


class Counter:
    """Serves /credit, its windows, and disputes."""

    def __init__(
        self,
        *,
        credit: FanCredit,
        shop: Shop,
        purchases: Purchases,
        teller: Teller,
        state: DiscordState,
    ) -> None:
        self._credit = credit
        self._shop = shop
        self._purchases = purchases
        self._teller = teller
        self._state = state

    async def show(self, interaction: Interaction) -> None:
        """Show what a person has; what they have just bought is credited first."""

        async def answer() -> Said:
            person = _person(interaction)
            await self._purchases.settle(*interaction.entitlements, within_s=SETTLE_WITHIN_S)
            offers = await self._shop.on_sale()
            view = await self._credit.view(person)
            disputes = await self._credit.disputes(person)
            told = await self._teller.due(person.fan)
            said = wording.credit(view, offers[: buttons.MOST_OFFERS], disputes, told)
            return Said(said, view=buttons.credit_view(offers))

        await privately(interaction, answer)

    async def ask_limit(self, interaction: Interaction) -> None:
        """Open the window for the daily limit; it must be the first answer, so it is quick."""
        now, token = "", "the token"
        with suppress(BotError, TimeoutError):
            async with asyncio.timeout(ANSWER_WITHIN_S):
                view = await self._credit.view(_person(interaction))
                now, token = format_nano(view.daily_limit_nano), view.token
        field = Field(
            "amount",
            f"At most this much {token} in 24 hours",
            value=now,
            longest=32,
            required=True,
            lines=False,
            hint="0 spends nothing: then only free replies are left",
        )
        await _open(interaction, Window("limit", "daily", "Your daily limit", [field]))

    async def submitted(self, interaction: Interaction, window: Submitted) -> None:
        """Take what a window about money has sent."""
        values = window.values
        if window.kind == "limit":
            await self._limit(interaction, values.get("amount", ""))
        elif window.kind == "ask":
            await self._support(interaction, values.get("text", ""))
        else:
            await self._dispute(interaction, window.about, values.get("reason", ""))

    async def _limit(self, interaction: Interaction, amount: str) -> None:
        """Keep a new limit."""

        async def answer() -> str:
            view = await self._credit.set_daily_limit(_person(interaction), amount.strip())
            limit = format_nano(view.daily_limit_nano)
            return f"At most {limit} {view.token} of your credit is spent in 24 hours now."

        await privately(interaction, answer)

    async def ask_support(self, interaction: Interaction) -> None:
        """Open the window for a question about a payment."""
        field = Field("text", "What is it about?", longest=1000, required=True, hint=wording.HINT)
        await _open(interaction, Window("ask", "payment", "Ask about a payment", [field]))

    async def _support(self, interaction: Interaction, text: str) -> None:
        """Hand a question to the operator; one that is refused is given back."""

        async def answer() -> str:
            return await self._credit.support(_person(interaction), text.strip())

        await privately(interaction, answer, refused=_giving_back(text))

    async def dispute(self, interaction: Interaction, message: discord.Message) -> None:
        """Open the window for what is wrong with a message; whose it is shows when it is sent."""
        if not message.author.bot:
            with suppress(BotError):
                await tell(interaction, wording.NO_REPLY_TO_DISPUTE)
            return
        await _open(interaction, dispute_window(f"{BY_MESSAGE}{message.id}"))

    async def dispute_receipt(self, interaction: Interaction, receipt: str) -> None:
        """Open the window for what is wrong with a reply."""
        await _open(interaction, dispute_window(BY_RECEIPT + receipt))

    async def _dispute(self, interaction: Interaction, about: str, reason: str) -> None:
        """Begin a dispute, or say how it stands."""

        async def answer() -> str:
            receipt = await self._receipt_of(about)
            view = await self._credit.dispute(receipt, _person(interaction), reason.strip())
            return f"{view.sentence}\n-# {wording.DISPUTES_FOLLOW}"

        await privately(interaction, answer, refused=_giving_back(reason))

    async def _receipt_of(self, about: str) -> str:
        if about.startswith(BY_RECEIPT):
            return about.removeprefix(BY_RECEIPT)
        post = await self._state.post(about.removeprefix(BY_MESSAGE))
        if post is None:
            raise UserError(wording.NO_REPLY_TO_DISPUTE)
        if not post.receipt:
            raise UserError(wording.GROWING_TO_DISPUTE)
        return post.receipt

    async def refusal(self, error: BotError, fan: str, *, is_private: bool) -> Said:
        """Return how a fan is told that there is no reply; what has amounts, where nobody reads.

        Args:
            error: why there is none.
            fan: who asked.
            is_private: whether only the fan reads the answer.
        """
        sentence = sentence_of(error)
        if not isinstance(error, CreditError):
            return Said(sentence)
        if is_private:
            return Said(sentence, view=buttons.refusal_view(await self._shop.on_sale()))
        self._teller.owe(fan, sentence)
        return Said(error.public or wording.IN_PUBLIC, view=buttons.public_view())

    async def after_reply(
        self, fan: str, whisper: Callable[[str], Awaitable[None]] | None, *lines: str
    ) -> None:
        """Tell what is due after a reply.

        Args:
            fan: who was answered.
            whisper: tells the fan alone, beside the reply; None where there is no such way.
            lines: what is whispered in any case.
        """
        due = await self._teller.due(fan)
        if whisper is None:
            if due:
                await self._teller.tell(fan, *due)
            return
        try:
            await whisper(wording.fit((*lines, *due)))
        except BotError:
            self._teller.owe(fan, *due)
            raise

    async def due(self, fan: str) -> str:
        """Return what a person should be told now, for whoever tells it."""
        return wording.fit(await self._teller.due(fan))

    async def sells(self) -> bool:
        """Say whether something is on sale."""
        return bool(await self._shop.on_sale())

    async def forgetting(self, interaction: Interaction) -> str:
        """Return what a person should know before they are forgotten; perhaps nothing."""
        return (await self._credit.view(_person(interaction))).forgetting


def _person(interaction: Interaction) -> Person:
    return Person(PLATFORM, str(interaction.user.id))


def _giving_back(words: str) -> Callable[[str], str]:
    return lambda sentence: with_words(sentence, words)


async def _open(interaction: Interaction, window: Window) -> None:
    try:
        with discord_errors():
            await interaction.response.send_modal(window)
    except BotError as error:
        await tell_failure(interaction, error)
