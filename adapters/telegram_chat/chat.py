"""Telegram as a surface: every bot of this process, behind one start and one stop."""

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from telegram.ext import ExtBot
from telegram.request import HTTPXRequest

from adapters.telegram_chat.account import BotAccount, Webhook
from adapters.telegram_chat.commands import Commands
from adapters.telegram_chat.delivery import Delivery
from adapters.telegram_chat.desk import Desk
from adapters.telegram_chat.limiter import ChatRateLimiter
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.picker import Picker
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.talking import Talking
from adapters.telegram_chat.webhook import WebhookIntake
from bot.domain.errors import ConfigurationError, InvariantError
from bot.ports.chat import ChatInbox
from bot.ports.proofs import ProofSource
from bot.ports.telegram_state import TelegramState

API_BASE = "https://api.telegram.org/bot"
FILE_BASE = "https://api.telegram.org/file/bot"
CONNECTIONS = 32
_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{1,128}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


@dataclass(frozen=True, slots=True)
class TelegramBotSettings:
    """One bot.

    Attributes:
        token: as BotFather gave it; never shown, never logged.
        solo: slug of its only twin; None for a lobby with all of them.
    """

    token: str = field(repr=False)
    solo: str | None = None


class TelegramChat:
    """The surface.

    `_runs` holds one task for each bot while the surface is started.
    """

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        proofs: ProofSource,
        state: TelegramState,
        bots: Sequence[TelegramBotSettings],
        api_base: str | None,
        file_base: str | None,
        public_base_url: str,
        webhook: tuple[str, str] | None,
        pace: Pace | None = None,
    ) -> None:
        """Prepare the surface; nothing is sent before `start`.

        Args:
            inbox: the core's door.
            proofs: tells whether a proof is public already.
            state: what must survive a restart.
            bots: at least one; one entry for each account.
            api_base: where a self-hosted Bot API server or a proxy is, up to and with `/bot`.
            file_base: the same for files.
            public_base_url: what proof links begin with; named in /about and /privacy.
            webhook: public address of our web server and a secret of 16 to 256 letters, digits,
                - and _; None for polling.
            pace: limits and waits; tests make them short.

        Raises:
            ConfigurationError: a token or the secret is not one, or a bot stands there twice.
        """
        silence_libraries()
        self._inbox = inbox
        self._proofs = proofs
        self._state = state
        self._base_url = public_base_url.rstrip("/")
        self._pace = pace or Pace()
        self._webhook = _check_webhook(webhook)
        self._api_base = api_base or API_BASE
        self._file_base = file_base or FILE_BASE
        self._bots: dict[str, ExtBot[Any]] = {}
        self._accounts: dict[str, BotAccount] = {}
        for number, settings in enumerate(bots, start=1):
            self._add(number, settings)
        self._runs: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to serve every bot; those that can't connect keep trying, alone."""
        if self._runs:
            raise InvariantError("the Telegram surface runs already")
        self._runs = [asyncio.create_task(account.run()) for account in self._accounts.values()]

    async def run(self) -> None:
        """Serve until `stop`; a bot that fails is alone with it."""
        await self.start()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def stop(self) -> None:
        """Stop taking updates, let running replies end for some seconds, close. Idempotent."""
        runs, self._runs = self._runs, []
        for run in runs:
            run.cancel()
        await asyncio.gather(*runs, return_exceptions=True)

    def ready_bots(self) -> list[str]:
        """Return the numeric ids of the bots that are connected."""
        return [name for name, account in self._accounts.items() if account.is_ready]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes that our web server has to mount; none when polling."""
        if self._webhook is None:
            return []
        intake = WebhookIntake(
            secret=self._webhook.secret, accounts=self._accounts, bots=self._bots
        )
        return intake.routes()

    def _add(self, number: int, settings: TelegramBotSettings) -> None:
        name = _id_of(number, settings.token)
        if name in self._accounts:
            raise ConfigurationError(f"Telegram bot {name} is configured twice.")
        bot = self._bot(settings.token)
        sender = Sender(bot=bot, pace=self._pace)
        delivery = Delivery(bot=bot, sender=sender, inbox=self._inbox, state=self._state)
        picker = Picker(
            bot=bot, sender=sender, inbox=self._inbox, state=self._state, solo=settings.solo
        )
        commands = Commands(
            bot=bot,
            sender=sender,
            picker=picker,
            inbox=self._inbox,
            proofs=self._proofs,
            state=self._state,
            base_url=self._base_url,
        )
        talking = Talking(
            bot=bot, sender=sender, delivery=delivery, inbox=self._inbox, pace=self._pace
        )
        self._bots[name] = bot
        self._accounts[name] = BotAccount(
            bot=bot,
            name=name,
            sender=sender,
            desk=Desk(picker=picker, commands=commands, talking=talking),
            delivery=delivery,
            inbox=self._inbox,
            state=self._state,
            pace=self._pace,
            webhook=self._webhook,
            is_solo=settings.solo is not None,
        )

    def _bot(self, token: str) -> ExtBot[Any]:
        answer_s = self._pace.answer_s

        def request(connections: int) -> HTTPXRequest:
            return HTTPXRequest(
                connection_pool_size=connections,
                read_timeout=answer_s,
                write_timeout=answer_s,
                connect_timeout=answer_s,
                pool_timeout=answer_s,
            )

        return ExtBot(
            token,
            base_url=self._api_base,
            base_file_url=self._file_base,
            request=request(CONNECTIONS),
            get_updates_request=request(1),
            rate_limiter=ChatRateLimiter(self._pace),
        )


def silence_libraries() -> None:
    """Keep the libraries' own loggers quiet: they write addresses with tokens, and payloads."""
    for name in ("telegram", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _id_of(number: int, token: str) -> str:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise ConfigurationError(
            f"The token of Telegram bot {number} is not one: it must look like 123456:ABC-DEF."
        )
    return found[1]


def _check_webhook(webhook: tuple[str, str] | None) -> Webhook | None:
    if webhook is None:
        return None
    url, secret = webhook
    if not url.startswith("https://"):
        raise ConfigurationError("Telegram calls webhooks at https:// addresses only.")
    if _SECRET.fullmatch(secret) is None:
        raise ConfigurationError(
            "The Telegram webhook secret must be 16 to 256 letters, digits, - or _."
        )
    return Webhook(url, secret)
