"""Doubts about a reply: from its fan to the core, and what was found back to them."""

import asyncio
import re
from typing import Any

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat import texts
from adapters.telegram_chat.credit.hints import MONEY_PREFIX, MoneyHints
from adapters.telegram_chat.credit.retrying import call_again
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import Author, Said, Spot
from adapters.telegram_chat.mapping import locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import BotError
from bot.ports.credit import DisputeState, FanCredit
from bot.ports.people import Person
from bot.ports.telegram_state import TelegramState

WRONG_PREFIX = "wrong_"  # of deep links
WRONG, CHECK = "wrong:", "check:"
_RECEIPT = re.compile(r"[A-Za-z0-9_-]{22}", re.ASCII)
MAX_WATCHED = 256
WATCHES = 40  # looks at a dispute; with their waits about half an hour
_log = structlog.get_logger("telegram")


class Disputes:
    """Takes disputes for one bot.

    `_watched` has a task for each that is being checked. A crash ends the watch and not the
    dispute: then its fan hears of it with their next reply.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        credit: FanCredit,
        hints: MoneyHints,
        state: TelegramState,
        pace: Pace,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._credit = credit
        self._hints = hints
        self._state = state
        self._pace = pace
        self._watched: dict[str, asyncio.Task[None]] = {}

    async def command(self, said: Said) -> None:
        """Begin a dispute about the reply that is answered to, or say how to."""
        receipt_id = await self._replied(said)
        if not said.spot.is_private:
            word = WRONG_PREFIX + receipt_id if receipt_id else "dispute"
            link = create_deep_linked_url(self._bot.username, word)
            await self._sender.say(said.spot, texts.in_private(link), reply_to=said.message_id)
        elif receipt_id:
            await self.begin(said.spot, receipt_id, (said.text or "").strip())
        elif said.replied_id:
            await self._sender.say(said.spot, words.DISPUTE_HOW)
        else:
            theirs = await self._credit.disputes(_person_of(said.spot))
            await self._sender.say(said.spot, words.disputes_of(theirs))

    async def ask(self, spot: Spot, receipt_id: str) -> None:
        """Ask whether a reply shall be checked; in private."""
        if _RECEIPT.fullmatch(receipt_id) is None:  # anybody can write a link
            await self._sender.say(spot, words.DISPUTE_HOW)
            return
        button = InlineKeyboardButton(words.CHECK, callback_data=MONEY_PREFIX + CHECK + receipt_id)
        await self._sender.say(spot, words.DISPUTE_ASK, buttons=InlineKeyboardMarkup([[button]]))

    async def begin(self, spot: Spot, receipt_id: str, reason: str) -> None:
        """Begin a dispute, or say how the one stands that there is."""
        person = _person_of(spot)
        view = await call_again(
            lambda: self._credit.dispute(receipt_id, person, reason), self._pace
        )
        await self._sender.say(spot, view.sentence)
        if view.state is DisputeState.CHECKING:
            self._watch(spot, receipt_id)

    async def close(self) -> None:
        """End the watches."""
        tasks = list(self._watched.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _replied(self, said: Said) -> str:
        if said.replied_author is not Author.US:
            return ""
        chat, number = str(said.spot.chat), str(said.replied_id)
        part = await self._state.find_part(str(self._bot.id), chat, number)
        return "" if part is None else part.receipt_id

    def _watch(self, spot: Spot, receipt_id: str) -> None:
        if receipt_id in self._watched or len(self._watched) >= MAX_WATCHED:
            return
        task = asyncio.create_task(self._wait_for(spot, receipt_id))
        self._watched[receipt_id] = task
        task.add_done_callback(lambda _: self._watched.pop(receipt_id, None))

    async def _wait_for(self, spot: Spot, receipt_id: str) -> None:
        """Wait until a dispute is decided; the decision is among the notices."""
        wait = self._pace.dispute_s
        for _ in range(WATCHES):
            await asyncio.sleep(wait)
            wait = min(wait * 2, self._pace.dispute_max_s)
            try:
                views = await self._credit.disputes(_person_of(spot))
            except BotError as error:
                _log.warning("telegram.dispute_unknown", kind=type(error).__name__)
                continue
            except Exception as error:  # noqa: BLE001 - nobody waits for this task
                _log.error("telegram.dispute_failed", error=locate(error))
                return
            found = next((one for one in views if one.receipt_id == receipt_id), None)
            if found is None or found.state is not DisputeState.CHECKING:
                await self._hints.tell(spot)
                return


def _person_of(spot: Spot) -> Person:
    return Person(PLATFORM, str(spot.fan))
