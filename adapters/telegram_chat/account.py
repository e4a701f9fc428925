"""One bot's life: connect, recover, take updates; no bot stops another.

The polling loop is ours because the library's confirms to Telegram what it has merely queued.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
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
from adapters.telegram_chat.mapping import FailureKind, classify, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.reading import ALLOWED_UPDATES
from adapters.telegram_chat.sending import Backoff, Sender
from adapters.telegram_chat.works import Works
from bot.domain.errors import BotError

WEBHOOK_CONNECTIONS = 20
DISPUTE_QUIET_S = 600.0
STORE_WAIT_S = 1.0
_log = structlog.get_logger("telegram")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where Telegram shall send updates to, and the secret by which we know that it is Telegram."""

    url: str
    secret: str = field(repr=False)


class BotAccount:
    """One bot; `run` ends only when it is cancelled.

    Attributes:
        bot: the library's bot.
        sender: speaks for it.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        name: str,
        sender: Sender,
        works: Works,
        pace: Pace,
        webhook: Webhook | None,
        is_solo: bool,
        has_creators: bool,
        has_credit: bool,
        follows: Callable[[], Awaitable[None]] | None,
        rejected: Callable[[], None] | None,
    ) -> None:
        """Prepare the bot; nothing is sent before `run`.

        Args:
            bot: the library's bot.
            name: its number.
            sender: speaks for it.
            works: handles its updates.
            pace: waits.
            webhook: None for polling.
            is_solo: whether it has one twin only.
            has_creators: whether creators can work here.
            has_credit: whether fans have credit here.
            follows: runs beside the updates once these can be taken, until it is cancelled.
            rejected: called each time that its token is refused.
        """
        self.bot = bot
        self.sender = sender
        self._name = name
        self._works = works
        self._pace = pace
        self._webhook = webhook
        self._is_solo = is_solo
        self._has_creators = has_creators
        self._has_credit = has_credit
        self._follows = follows
        self._follower: asyncio.Future[None] | None = None
        self._rejected = rejected
        self._is_ready = False
        self._disputed_at = -DISPUTE_QUIET_S
        self._offset: int | None = None

    @property
    def name(self) -> str:
        """The bot's numeric id, as it stands before the colon of its token."""
        return self._name

    @property
    def is_ready(self) -> bool:
        """Whether updates can be taken."""
        return self._is_ready

    @property
    def username(self) -> str:
        """The bot's name without @; empty until it has connected."""
        return self.bot.username if self._is_ready else ""

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
            if self._follower is not None:
                self._follower.cancel()
                await asyncio.gather(self._follower, return_exceptions=True)
            await self._works.close()
            await self.bot.shutdown()

    async def take(self, updates: Sequence[Update]) -> None:
        """Make updates durable and begin to handle them; return before they are handled.

        Raises:
            StoreBusyError: nothing was taken; Telegram shall send them again.
        """
        await self._works.take(updates)

    async def _serve(self, backoff: Backoff) -> None:
        """Connect, recover once, and take updates until something fails."""
        await self.bot.initialize()
        if not self._is_ready:
            await self._introduce()
            await self._works.recover()
            self._is_ready = True
            if self._follows is not None:
                self._follower = asyncio.ensure_future(self._follows())
            _log.info("telegram.bot_started", bot=self._name, solo=self._is_solo)
        if self._webhook is None:
            await self._poll(backoff)
        else:
            await self._await_webhook(self._webhook)

    async def _introduce(self) -> None:
        """Set the commands that clients offer; their lack stops nothing."""
        for private in (True, False):
            texts = wording.commands(
                solo=self._is_solo,
                creators=self._has_creators,
                credit=self._has_credit,
                private=private,
            )
            commands = [BotCommand(name, about) for name, about in texts.items()]
            scope = BotCommandScopeAllPrivateChats() if private else BotCommandScopeAllGroupChats()
            await self.sender.attempt(
                "setMyCommands", functools.partial(self.bot.set_my_commands, commands, scope)
            )

    async def _poll(self, backoff: Backoff) -> None:
        await self.bot.delete_webhook()
        while True:
            updates = await self.bot.get_updates(
                offset=self._offset, timeout=self._pace.poll_s, allowed_updates=ALLOWED_UPDATES
            )
            backoff.reset()
            await self.take(updates)
            if updates:
                self._offset = max(update.update_id for update in updates) + 1

    async def _await_webhook(self, webhook: Webhook) -> None:
        await self.bot.set_webhook(
            f"{webhook.url.rstrip('/')}/telegram/{self._name}",
            secret_token=webhook.secret,
            allowed_updates=ALLOWED_UPDATES,
            max_connections=WEBHOOK_CONNECTIONS,
        )
        while True:  # our web server calls `take`; here it is seen when the token is refused
            await asyncio.sleep(self._pace.token_retry_s)
            await self.bot.get_me()

    async def _pause(self, error: TelegramError | BotError, backoff: Backoff) -> None:
        if isinstance(error, BotError):
            _log.warning("telegram.bot_waits", bot=self._name, kind=type(error).__name__)
            # Not longer: among the updates that wait may be a payment's last question.
            await asyncio.sleep(min(STORE_WAIT_S, self._pace.backoff_max_s))
            return
        failure = classify(error)
        if failure.kind is FailureKind.TOKEN:
            _log.error("telegram.token_rejected", bot=self._name)
            if self._rejected is not None:
                self._rejected()
            await asyncio.sleep(self._pace.token_retry_s)
            return
        if failure.kind is FailureKind.CONFLICT:
            self._say_disputed()
        else:
            _log.warning("telegram.bot_waits", bot=self._name, kind=failure.kind)
        await backoff.wait(failure)

    def _say_disputed(self) -> None:
        """Say that somebody else polls with this token: once, until it was quiet for long."""
        now = asyncio.get_running_loop().time()
        if now - self._disputed_at >= DISPUTE_QUIET_S:
            _log.error("telegram.second_poller", bot=self._name)
        self._disputed_at = now
