"""One bot's life: connect, recover, take updates, handle each once; no bot stops another.

An update is confirmed to Telegram only when it is durable here, and forgotten when it is handled:
so a crash loses no message, and a repeated update gives no second answer. That is why the polling
loop is ours: the library's confirms what it has merely queued.
"""

import asyncio
import functools
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import structlog
from telegram import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    Update,
)
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat import wording
from adapters.telegram_chat.delivery import Delivery
from adapters.telegram_chat.desk import Desk
from adapters.telegram_chat.events import (
    ALLOWED_UPDATES,
    Said,
    encode_event,
    parse_event,
    read_update,
)
from adapters.telegram_chat.mapping import FailureKind, classify, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Backoff, Sender
from bot.domain.errors import BotError, InvariantError, TransientError, UserError
from bot.ports.chat import ChatInbox, PendingReply
from bot.ports.telegram_state import TakenUpdate, TelegramState

PLATFORM = "telegram"
MAX_OPEN = 256  # updates in the works; the poll waits beyond
WEBHOOK_CONNECTIONS = 20
_log = structlog.get_logger("telegram")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where Telegram shall send updates to, and the secret by which we know that it is Telegram."""

    url: str
    secret: str


class BotAccount:
    """One bot; `run` ends only when it is cancelled.

    `_tasks` holds the updates and replies in the works; it is owned by the loop that `run` is in.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        name: str,
        sender: Sender,
        desk: Desk,
        delivery: Delivery,
        inbox: ChatInbox,
        state: TelegramState,
        pace: Pace,
        webhook: Webhook | None,
        is_solo: bool,
    ) -> None:
        self._bot = bot
        self._name = name
        self._sender = sender
        self._desk = desk
        self._delivery = delivery
        self._inbox = inbox
        self._state = state
        self._pace = pace
        self._webhook = webhook
        self._is_solo = is_solo
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_ready = False
        self._offset: int | None = None

    @property
    def name(self) -> str:
        """The bot's numeric id, as it stands before the colon of its token."""
        return self._name

    @property
    def is_ready(self) -> bool:
        """Whether updates can be taken."""
        return self._is_ready

    async def run(self) -> None:
        """Serve; whatever fails, back off and go on."""
        backoff = Backoff(self._pace)
        try:
            while True:
                try:
                    await self._serve(backoff)
                except (TelegramError, BotError) as error:
                    await self._pause(error, backoff)
                except Exception as error:  # noqa: BLE001 - one bot's bug must not stop the others
                    _log.error("telegram.bot_failed", bot=self._name, error=locate(error))
                    await backoff.wait()
        finally:
            self._is_ready = False
            await self._close()

    async def take(self, update: Update) -> None:
        """Make an update durable and begin to handle it; return before it is handled.

        Raises:
            StoreBusyError: nothing was taken; Telegram shall send it again.
        """
        event = read_update(update, self._bot.bot)
        if event is None:
            return
        taken = TakenUpdate(
            bot=self._name,
            update_id=event.update_id,
            chat=str(event.spot.chat),
            message_id=str(event.message_id) if isinstance(event, Said) else "",
            payload=encode_event(event),
        )
        if await self._state.take(taken):
            while len(self._tasks) >= MAX_OPEN:
                await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
            self._start(self._handle(taken, is_late=False))

    async def _serve(self, backoff: Backoff) -> None:
        """Connect, recover once, and take updates until something fails."""
        await self._bot.initialize()
        if not self._is_ready:
            await self._introduce()
            await self._recover()
            self._is_ready = True
            _log.info("telegram.bot_started", bot=self._name, solo=self._is_solo)
        if self._webhook is None:
            await self._poll(backoff)
        else:
            await self._await_webhook(self._webhook)

    async def _introduce(self) -> None:
        """Set the commands that clients offer; their lack stops nothing."""
        texts = wording.SOLO_COMMANDS if self._is_solo else wording.LOBBY_COMMANDS
        commands = [BotCommand(name, about) for name, about in texts.items()]
        for scope in (BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats()):
            await self._sender.attempt(
                "setMyCommands", functools.partial(self._bot.set_my_commands, commands, scope)
            )

    async def _recover(self) -> None:
        """Go on with what an earlier run left: replies without an outcome, then open updates."""
        unfinished = await self._state.unfinished(self._name)
        waiting = {(update.chat, update.message_id): update for update in unfinished}
        presses = [update for update in unfinished if not update.message_id]
        for pending in await self._inbox.pending(PLATFORM, self._name):
            message = pending.message
            update = waiting.pop((message.surface.chat, message.message_id), None)
            self._start(self._redeliver(pending, update))
        for update in waiting.values():
            if update.message_id:
                self._start(self._handle(update, is_late=True))
        for update in presses:  # too old to be acknowledged; their buttons can be pressed again
            await self._state.finish(self._name, update.update_id)

    async def _poll(self, backoff: Backoff) -> None:
        await self._bot.delete_webhook()
        while True:
            updates = await self._bot.get_updates(
                offset=self._offset, timeout=self._pace.poll_s, allowed_updates=ALLOWED_UPDATES
            )
            backoff.reset()
            for update in updates:
                await self.take(update)
                self._offset = update.update_id + 1

    async def _await_webhook(self, webhook: Webhook) -> None:
        await self._bot.set_webhook(
            f"{webhook.url.rstrip('/')}/telegram/{self._name}",
            secret_token=webhook.secret,
            allowed_updates=ALLOWED_UPDATES,
            max_connections=WEBHOOK_CONNECTIONS,
        )
        await asyncio.Event().wait()  # our web server calls `take`

    async def _handle(self, taken: TakenUpdate, *, is_late: bool) -> None:
        """Handle one update to its end; the boundary where every error becomes a sentence."""
        try:
            event = parse_event(taken.payload)
        except InvariantError:
            _log.warning("telegram.update_unreadable", bot=self._name, update=taken.update_id)
            await self._finish(taken)
            return
        reply_to = 0 if event.spot.is_private else event.message_id
        try:
            await self._desk.handle(event, is_late=is_late)
        except (UserError, TransientError) as error:
            await self._sender.say(event.spot, str(error), reply_to=reply_to)
        except Exception as error:  # noqa: BLE001 - the boundary of the surface
            number, where = taken.update_id, locate(error)
            _log.error("telegram.update_failed", bot=self._name, update=number, error=where)
            await self._sender.say(event.spot, wording.BROKEN, reply_to=reply_to)
        await self._finish(taken)

    async def _redeliver(self, pending: PendingReply, update: TakenUpdate | None) -> None:
        try:
            await self._delivery.deliver(pending.message, pending.reply)
        except BotError as error:
            receipt, name = pending.reply.receipt_id, type(error).__name__
            _log.warning("telegram.redelivery_failed", receipt=receipt, error=name)
        if update is not None:
            await self._finish(update)

    async def _finish(self, taken: TakenUpdate) -> None:
        try:
            await self._state.finish(taken.bot, taken.update_id)
        except TransientError:
            # Handled again after the next start; what was sent is known by its receipt.
            _log.warning("telegram.update_unfinished", bot=self._name, update=taken.update_id)

    async def _pause(self, error: TelegramError | BotError, backoff: Backoff) -> None:
        if isinstance(error, BotError):
            _log.warning("telegram.bot_waits", bot=self._name, kind=type(error).__name__)
            await backoff.wait()
            return
        failure = classify(error)
        if failure.kind is FailureKind.TOKEN:
            _log.error("telegram.token_rejected", bot=self._name)
            await asyncio.sleep(self._pace.token_retry_s)
            return
        _log.warning("telegram.bot_waits", bot=self._name, kind=failure.kind)
        await backoff.wait(failure)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("telegram.task_failed", bot=self._name, error=locate(error))

    async def _close(self) -> None:
        """Let what runs end for some seconds; the rest is finished after the next start."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bot.shutdown()
