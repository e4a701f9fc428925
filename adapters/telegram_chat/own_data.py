"""A person's own data: all of it as a file, or gone."""

from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import texts
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import Pressed, Said
from adapters.telegram_chat.lanes import Lanes, withdrawn
from adapters.telegram_chat.mapping import Failure
from adapters.telegram_chat.sending import Sender
from bot.ports.chat import ChatInbox
from bot.ports.credit import FanCredit
from bot.ports.people import Person
from bot.ports.telegram_state import TelegramState

FORGET_PREFIX = "forget:"
_YES, _NO = "yes", "no"


class OwnData:
    """Export and deletion, in private chats only, where nobody else reads along."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        inbox: ChatInbox,
        lanes: Lanes,
        state: TelegramState,
        credit: FanCredit | None,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._inbox = inbox
        self._lanes = lanes
        self._state = state
        self._credit = credit

    async def export(self, said: Said) -> None:
        """Send a person all that is stored about them."""
        if not await self._is_private(said):
            return
        data = await self._inbox.export(PLATFORM, str(said.spot.fan))
        sent = await self._sender.send_file(said.spot, texts.EXPORT_NAME, data, texts.EXPORTED)
        if isinstance(sent, Failure):
            await self._sender.say(said.spot, texts.EXPORT_FAILED)

    async def ask_to_forget(self, said: Said) -> None:
        """Ask whether it is meant."""
        if not await self._is_private(said):
            return
        buttons = InlineKeyboardMarkup(
            [
                [InlineKeyboardButton(texts.FORGET, callback_data=FORGET_PREFIX + _YES)],
                [InlineKeyboardButton(texts.KEEP, callback_data=FORGET_PREFIX + _NO)],
            ]
        )
        text = texts.FORGET_ASK
        if self._credit is not None:
            view = await self._credit.view(Person(PLATFORM, str(said.spot.fan)))
            text = f"{text}\n\n{view.forgetting}" if view.forgetting else text
        await self._sender.say(said.spot, text, buttons=buttons)

    async def press(self, pressed: Pressed, answer: str) -> None:
        """Forget, or not; repeated, it finds nothing more to forget."""
        await self._sender.attempt(
            "answerCallbackQuery", lambda: self._bot.answer_callback_query(pressed.query_id)
        )
        text = texts.KEPT
        if answer == _YES and pressed.spot.is_private:
            fan = str(pressed.spot.fan)
            with withdrawn(self._lanes.jobs_of(pressed.spot.fan)):
                count = await self._inbox.forget(PLATFORM, fan)
            await self._state.forget(fan)
            text = texts.forgotten(count)
        result = await self._sender.attempt(
            "editMessageText",
            lambda: self._bot.edit_message_text(
                text, chat_id=pressed.spot.chat, message_id=pressed.message_id
            ),
        )
        if isinstance(result, Failure):
            await self._sender.say(pressed.spot, text)

    async def _is_private(self, said: Said) -> bool:
        if said.spot.is_private:
            return True
        link = create_deep_linked_url(self._bot.username, said.command)
        await self._sender.say(said.spot, texts.in_private(link), reply_to=said.message_id)
        return False
