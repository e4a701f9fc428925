"""A small message with a Stop button, while a reply takes long; gone with the reply.

A draft can have no buttons (sendMessageDraft has no `reply_markup`), so the button needs a message
of its own. It is remembered until it is deleted: a crash leaves none behind.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import structlog
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot

from adapters.telegram_chat import texts
from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.layout import Piece
from adapters.telegram_chat.mapping import Failure, FailureKind, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Outgoing, Sender
from bot.domain.errors import TransientError
from bot.ports.telegram_state import TelegramState

STOP_PREFIX = "stop:"
CLOSE_S = 5.0
_log = structlog.get_logger("telegram")


class StopOffer:
    """The offer to stop one reply; it appears when the reply takes longer than a moment."""

    def __init__(
        self,
        *,
        notices: "Notices",
        spot: Spot,
        message_id: str,
        pace: Pace,
        begun: asyncio.Event,
        shown: Callable[[], None],
    ) -> None:
        """Prepare the offer.

        Args:
            notices: of the bot.
            spot: where the reply is written.
            message_id: the fan's message.
            pace: how long a moment is.
            begun: set when the replies before this one are there.
            shown: called when the offer is there, which takes a draft away.
        """
        self._notices = notices
        self._spot = spot
        self._message_id = message_id
        self._pace = pace
        self._begun = begun
        self._shown = shown
        self._task: asyncio.Task[None] | None = None
        self._over = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        if self._task is None:
            return
        if self._notices.is_sending(self._task):
            await asyncio.wait({self._task}, timeout=CLOSE_S)
        self._task.cancel()
        (result,) = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(result, Exception):
            _log.error("telegram.offer_failed", error=locate(result))
        await self._notices.clear(self._task)

    async def _run(self) -> None:
        await self._begun.wait()
        await asyncio.sleep(self._pace.offer_s)
        button = InlineKeyboardButton(texts.STOP, callback_data=STOP_PREFIX + self._message_id)
        await self._notices.show(self._spot, texts.WRITING, button, int(self._message_id))
        if not self._over:
            self._shown()


class Notices:
    """Messages of one bot that are deleted as soon as they have done their work.

    `_shown` has the notice of each task that has shown one; `_sending` those under way.
    """

    def __init__(self, *, bot: ExtBot[Any], sender: Sender, state: TelegramState) -> None:
        self._bot = bot
        self._sender = sender
        self._state = state
        self._shown: dict[object, tuple[str, str]] = {}
        self._sending: set[object] = set()

    def is_sending(self, task: object) -> bool:
        """Return whether a task's notice is on its way now."""
        return task in self._sending

    async def show(
        self, spot: Spot, text: str, button: InlineKeyboardButton, reply_to: int
    ) -> None:
        """Show a notice for the current task, unless there is no room for it."""
        task = asyncio.current_task()
        outgoing = Outgoing(
            spot,
            Piece(text),
            InlineKeyboardMarkup([[button]]),
            reply_to=0 if spot.is_private else reply_to,
        )
        self._sending.add(task)
        try:
            sent = await self._sender.send(outgoing, tries=1)
            if isinstance(sent, Failure):
                return
            self._shown[task] = (str(spot.chat), str(sent))
            await self._state.add_notice(str(self._bot.id), str(spot.chat), str(sent))
        except TransientError:
            _log.warning("telegram.notice_unrecorded", bot=self._bot.id)
        finally:
            self._sending.discard(task)

    async def clear(self, task: object) -> None:
        """Delete a task's notice, if it has shown one."""
        notice = self._shown.pop(task, None)
        if notice is not None:
            await self.delete(*notice)

    async def clear_old(self) -> None:
        """Delete what an earlier run has left."""
        for chat, message_id in await self._state.notices(str(self._bot.id)):
            await self.delete(chat, message_id)

    async def delete(self, chat: str, message_id: str) -> bool:
        """Delete a message of ours; return whether it is gone."""
        result = await self._sender.attempt(
            "deleteMessage", lambda: self._bot.delete_message(int(chat), int(message_id))
        )
        gone = not isinstance(result, Failure) or result.kind is FailureKind.UNCHANGED
        if gone or (isinstance(result, Failure) and result.kind in _FINAL):
            try:
                await self._state.drop_notice(str(self._bot.id), chat, message_id)
            except TransientError:
                _log.warning("telegram.notice_unrecorded", bot=self._bot.id)
        return gone


_FINAL = frozenset({FailureKind.REFUSED, FailureKind.UNREACHABLE, FailureKind.MIGRATED})
