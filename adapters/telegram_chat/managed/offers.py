"""What a manager says to a creator who wants a bot of their own for a twin."""

import re
from typing import Any

from telegram import KeyboardButton, KeyboardButtonRequestManagedBot, ReplyKeyboardMarkup
from telegram.ext import ExtBot

from adapters.telegram_chat.events import BotMade, Spot
from adapters.telegram_chat.managed import words
from adapters.telegram_chat.managed.bots import ManagedBots
from adapters.telegram_chat.sending import Sender
from bot.ports.creators import Actor, CreatorDesk
from bot.ports.telegram_state import LinkState

REQUEST = 1  # one button a message, so its number tells nothing
_MAX_USERNAME = 32
_ENDING = "_bot"


class BotOffers:
    """Offers of one bot, which manages others if BotFather lets it."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        creators: CreatorDesk,
        managed: ManagedBots | None,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._creators = creators
        self._managed = managed

    async def offer(self, actor: Actor, spot: Spot, slug: str) -> None:
        """Offer the button that makes a bot; or say what there is already."""
        view = await self._creators.show(actor, slug)
        if self._managed is None or not self._bot.bot.can_manage_bots:
            await self._sender.say(spot, words.NOT_HERE)
            return
        found = await self._managed.offer(str(self._bot.id), actor.account, slug)
        if found.state is LinkState.LINKED:
            await self._sender.say(spot, words.already(view.draft.name, found.username))
        elif found.bot:
            await self._sender.say(spot, words.LATER)
        else:
            request = KeyboardButtonRequestManagedBot(
                REQUEST,
                suggested_name=words.name_of(view.draft.name),
                suggested_username=suggest_username(slug),
            )
            keyboard = ReplyKeyboardMarkup(
                [[KeyboardButton(words.BUTTON, request_managed_bot=request)]],
                resize_keyboard=True,
                one_time_keyboard=True,
            )
            await self._sender.say(spot, words.offer(view.draft.name), buttons=keyboard)

    async def made(self, made: BotMade) -> None:
        """Take the news of a bot that this one manages."""
        if self._managed is not None:
            await self._managed.made(str(self._bot.id), made)


def suggest_username(slug: str) -> str:
    """Return a user name that Telegram may take: letters, digits and _, ending in bot."""
    name = re.sub(r"_+", "_", slug.replace("-", "_")).strip("_") or "my"
    if not name[0].isalpha():
        name = f"twin_{name}"
    return name[: _MAX_USERNAME - len(_ENDING)].rstrip("_") + _ENDING
