"""Money in passing: a button under a refusal, and sentences that are said once."""

from typing import Any

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import AdmissionError, BotError
from bot.ports.credit import FanCredit
from bot.ports.people import Person

MONEY_PREFIX = "credit:"  # of the data of all buttons about money
SHOW = "show"
_log = structlog.get_logger("telegram")


class MoneyHints:
    """Adds to what one bot says anyway; a failure here leaves out the addition and nothing else."""

    def __init__(self, *, bot: ExtBot[Any], sender: Sender, credit: FanCredit) -> None:
        self._bot = bot
        self._sender = sender
        self._credit = credit

    async def button_for(self, spot: Spot, error: Exception) -> InlineKeyboardMarkup | None:
        """Return the way to credit, under a refusal that credit may help against."""
        if not isinstance(error, AdmissionError):
            return None
        try:
            if not await self._credit.offers(PLATFORM):
                return None
        except BotError as failure:
            _log.warning("telegram.offers_unknown", kind=type(failure).__name__)
            return None
        if spot.is_private:
            button = InlineKeyboardButton(words.CREDIT, callback_data=MONEY_PREFIX + SHOW)
        else:
            link = create_deep_linked_url(self._bot.username, "credit")
            button = InlineKeyboardButton(words.CREDIT, url=link)
        return InlineKeyboardMarkup([[button]])

    async def tell(self, spot: Spot) -> None:
        """Say what the fan should be told once; in private only, where nobody else reads along."""
        if not spot.is_private:
            return
        try:
            notices = await self._credit.take_notices(Person(PLATFORM, str(spot.fan)))
        except BotError as failure:
            _log.warning("telegram.notices_unknown", kind=type(failure).__name__)
            return
        for notice in notices:
            await self._sender.say(spot, notice)
