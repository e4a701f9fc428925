"""Which twin is talked to where, and the buttons that choose it."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot

from adapters.telegram_chat import wording
from adapters.telegram_chat.events import Pressed, Spot
from adapters.telegram_chat.mapping import Failure, FailureKind
from adapters.telegram_chat.sending import Sender
from bot.ports.chat import ChatInbox
from bot.ports.telegram_state import ChatPlace, TelegramState
from bot.ports.views import TwinCard

PAGE = 16
COLUMNS = 2
_PICK, _PAGE = "pick:", "page:"
_DIGEST_CHARS = 24


class Picker:
    """The choice of a twin for one bot; a solo bot has no choice.

    Attributes:
        solo: slug of the only twin; None in a lobby.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        inbox: ChatInbox,
        state: TelegramState,
        solo: str | None,
        silence: Callable[[], Awaitable[str]],
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._inbox = inbox
        self._state = state
        self.solo = solo
        self._silence = silence

    async def nobody(self) -> str:
        """Return why nobody answers here."""
        return wording.NOBODY if self.solo is None else await self._silence()

    async def cards(self) -> list[TwinCard]:
        """Return the twins that this bot has."""
        cards = await self._inbox.twins()
        return [card for card in cards if self.solo in (None, card.slug)]

    async def current(self, spot: Spot) -> TwinCard | None:
        """Return who is talked to in a place; None if nobody was chosen or that twin has gone."""
        cards = await self.cards()
        slug = self.solo or await self._state.picked(self._place(spot))
        if slug is None and len(cards) == 1:
            return cards[0]
        return next((card for card in cards if card.slug == slug), None)

    async def question(self, spot: Spot) -> str:
        """Return what to say where `current` finds nobody."""
        if not await self.cards():
            return await self.nobody()
        chosen = await self._state.picked(self._place(spot))
        return wording.CHOOSE_FIRST if chosen is None else wording.CHOOSE_ANOTHER

    async def pick(self, spot: Spot, name: str) -> TwinCard | None:
        """Choose by slug or display name; None if nobody has it."""
        wanted = name.strip().lower()
        for card in await self.cards():
            if wanted in (card.slug.lower(), card.name.lower()):
                await self._state.pick(self._place(spot), card.slug)
                return card
        return None

    async def show(self, spot: Spot, text: str, *, reply_to: int = 0) -> None:
        """Say something with the buttons below it."""
        cards = await self.cards()
        buttons = keyboard(cards, 0) if cards and self.solo is None else None
        await self._sender.say(spot, text, buttons=buttons, reply_to=reply_to)

    async def press(self, pressed: Pressed) -> None:
        """Do what a button says; the fan's client waits for the acknowledgement first."""
        cards = await self.cards()
        if pressed.data.startswith(_PAGE) and pressed.data[len(_PAGE) :].isdecimal():
            await self._acknowledge(pressed, None)
            page = int(pressed.data[len(_PAGE) :])
            await self._turn_page(pressed, keyboard(cards, page))
            return
        digest = pressed.data.removeprefix(_PICK)
        card = next((card for card in cards if _digest(card.slug) == digest), None)
        if card is None or not pressed.data.startswith(_PICK):
            await self._acknowledge(pressed, wording.BUTTON_OLD)
            return
        await self._state.pick(self._place(pressed.spot), card.slug)
        await self._acknowledge(pressed, None)
        result = await self._sender.attempt(
            "editMessageText",
            lambda: self._bot.edit_message_text(
                wording.introduce(card),
                chat_id=pressed.spot.chat,
                message_id=pressed.message_id,
                reply_markup=keyboard(cards, 0),
            ),
        )
        if isinstance(result, Failure) and result.kind is not FailureKind.UNCHANGED:
            await self._sender.say(pressed.spot, wording.introduce(card))  # that message is gone

    async def _turn_page(self, pressed: Pressed, buttons: InlineKeyboardMarkup) -> None:
        await self._sender.attempt(
            "editMessageReplyMarkup",
            lambda: self._bot.edit_message_reply_markup(
                chat_id=pressed.spot.chat, message_id=pressed.message_id, reply_markup=buttons
            ),
        )

    async def _acknowledge(self, pressed: Pressed, text: str | None) -> None:
        await self._sender.attempt(
            "answerCallbackQuery",
            lambda: self._bot.answer_callback_query(pressed.query_id, text=text),
        )

    def _place(self, spot: Spot) -> ChatPlace:
        thread = "" if spot.thread is None else str(spot.thread)
        return ChatPlace(str(self._bot.id), str(spot.chat), thread)


def keyboard(cards: list[TwinCard], page: int) -> InlineKeyboardMarkup:
    """Return one page of buttons; a button's data has 64 bytes, so it names a slug's digest."""
    pages = max(1, -(-len(cards) // PAGE))
    page = page % pages
    buttons = [
        InlineKeyboardButton(card.name, callback_data=_PICK + _digest(card.slug))
        for card in cards[page * PAGE : (page + 1) * PAGE]
    ]
    rows = [buttons[at : at + COLUMNS] for at in range(0, len(buttons), COLUMNS)]
    if pages > 1:
        data = f"{_PAGE}{(page + 1) % pages}"
        rows.append([InlineKeyboardButton(f"More ({page + 1}/{pages})", callback_data=data)])
    return InlineKeyboardMarkup(rows)


def _digest(slug: str) -> str:
    return hashlib.sha256(slug.encode()).hexdigest()[:_DIGEST_CHARS]
