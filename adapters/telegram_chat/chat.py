"""Telegram as a surface: every bot of this process, behind one start and one stop."""

import asyncio
import logging
import re
from collections.abc import Sequence

from aiohttp import web

from adapters.telegram_chat.account import BotAccount, Webhook
from adapters.telegram_chat.assembly import Surroundings, TelegramBotSettings, build_account
from adapters.telegram_chat.managed.bots import ManagedBots, Voice
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.shared import SharedRequest
from adapters.telegram_chat.talkativeness import GroupTurns
from adapters.telegram_chat.webhook import WebhookIntake
from bot.domain.errors import ConfigurationError, InvariantError
from bot.ports.chat import ChatInbox
from bot.ports.creators import CreatorDesk
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.ports.secrets import SecretStore
from bot.ports.telegram_state import TelegramState

__all__ = ["TelegramBotSettings", "TelegramChat"]

API_BASE = "https://api.telegram.org/bot"
FILE_BASE = "https://api.telegram.org/file/bot"
CONNECTIONS = 64  # of all bots together; calls wait for one in their order
POLLS = 4096  # as many bots may poll, each with a connection of its own; opened when used
_TOKEN = re.compile(r"([0-9]{1,20}):[A-Za-z0-9_-]{1,128}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{16,256}")


class TelegramChat:
    """The surface; also what runs the managed bots.

    `_accounts` has all bots, `_runs` a task for each while the surface is started, `_hosted` the
    settings of those that came while it ran.
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
        creators: CreatorDesk | None = None,
        secrets: SecretStore | None = None,
        credit: FanCredit | None = None,
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
            webhook: our web server's public address, and a secret (`_SECRET`); None for polling.
            creators: the creators' door; None for no creators' commands.
            secrets: keeps the tokens of managed bots; None for no managed bots.
            credit: the core's door for fans' money; None for no credit.
            pace: limits and waits; tests make them short.

        Raises:
            ConfigurationError: a token or the secret is not one, or a bot stands there twice.
        """
        pace = pace or Pace()
        self._managed = self._manage(state, secrets, creators, pace)
        self._around = Surroundings(
            inbox=inbox,
            proofs=proofs,
            state=state,
            creators=creators,
            managed=self._managed,
            credit=credit,
            shop=self._shop,
            turns=GroupTurns(state),
            pace=pace,
            base_url=public_base_url.rstrip("/"),
            api_base=api_base or API_BASE,
            file_base=file_base or FILE_BASE,
            webhook=_check_webhook(webhook),
            calls=SharedRequest(connections=CONNECTIONS, answer_s=pace.answer_s),
            polls=SharedRequest(connections=POLLS, answer_s=pace.answer_s),
        )
        self._accounts: dict[str, BotAccount] = {}
        self._hosted: dict[str, TelegramBotSettings] = {}
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._is_started = False
        self._over = asyncio.Event()
        self._configure(bots)

    async def start(self) -> None:
        """Begin to serve every bot; those that can't connect keep trying, alone."""
        if self._is_started:
            raise InvariantError("the Telegram surface runs already")
        self._is_started = True
        self._over.clear()
        await asyncio.gather(self._around.calls.open(), self._around.polls.open())
        for account in self._accounts.values():
            self._begin(account)
        if self._managed is not None:
            self._managed.start()

    async def run(self) -> None:
        """Serve until `stop`; a bot that fails is alone with it."""
        await self.start()
        await self._over.wait()

    async def stop(self) -> None:
        """Stop taking updates, let running replies end for some seconds, close. Idempotent."""
        self._is_started = False
        self._over.set()
        if self._managed is not None:
            await self._managed.stop()
        runs, self._runs = self._runs, {}
        for run in runs.values():
            run.cancel()
        await asyncio.gather(*runs.values(), return_exceptions=True)
        for name in self._hosted:  # started again from the secret store
            self._accounts.pop(name, None)
        self._hosted.clear()
        await asyncio.gather(self._around.calls.close(), self._around.polls.close())

    def ready_bots(self) -> list[str]:
        """Return the numeric ids of the bots that are connected."""
        return [name for name, account in self._accounts.items() if account.is_ready]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes that our web server has to mount; none when polling."""
        webhook = self._around.webhook
        if webhook is None:
            return []
        return WebhookIntake(secret=webhook.secret, accounts=self._accounts).routes()

    async def host(self, token: str, *, twin: str, owner: str) -> None:
        """See `BotHost`."""
        name = _id_of("a managed Telegram bot", token)
        settings = TelegramBotSettings(token, solo=twin, owner=owner)
        if self._hosted.get(name) == settings:
            return
        if name in self._accounts and name not in self._hosted:
            raise ConfigurationError(f"Telegram bot {name} is configured, and managed as well.")
        await self.unhost(name)
        self._hosted[name] = settings
        account = self._accounts[name] = build_account(name, settings, self._around)
        if self._is_started:
            self._begin(account)

    async def unhost(self, bot: str) -> None:
        """See `BotHost`."""
        if self._hosted.pop(bot, None) is None:
            return
        self._accounts.pop(bot, None)
        run = self._runs.pop(bot, None)
        if run is not None:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

    def voice(self, bot: str) -> Voice | None:
        """See `BotHost`."""
        account = self._accounts.get(bot)
        return None if account is None else Voice(account.bot, account.sender)

    def _shop(self) -> str:
        """Return the name of a bot of the operator's, which sells credit; empty while none runs."""
        own = [account for name, account in self._accounts.items() if name not in self._hosted]
        return next((account.username for account in own if account.username), "")

    def _manage(
        self,
        state: TelegramState,
        secrets: SecretStore | None,
        creators: CreatorDesk | None,
        pace: Pace,
    ) -> ManagedBots | None:
        if creators is None or secrets is None:
            return None
        return ManagedBots(state=state, secrets=secrets, creators=creators, host=self, pace=pace)

    def _configure(self, bots: Sequence[TelegramBotSettings]) -> None:
        silence_libraries()
        names = _ids_of([settings.token for settings in bots])
        for name, settings in zip(names, bots, strict=True):
            self._accounts[name] = build_account(name, settings, self._around)

    def _begin(self, account: BotAccount) -> None:
        self._runs[account.name] = asyncio.create_task(account.run())


def silence_libraries() -> None:
    """Keep the libraries' own loggers quiet: they write addresses with tokens, and payloads."""
    for name in ("telegram", "httpx", "httpcore", "aiohttp.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _id_of(which: str, token: str) -> str:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise ConfigurationError(
            f"The token of {which} is not one: it must look like 123456:ABC-DEF."
        )
    return found[1]


def check_bots(tokens: Sequence[str], webhook: tuple[str, str] | None) -> None:
    """See, before anything is built, whether these tokens and this webhook can be used.

    Raises:
        ConfigurationError: a token or the secret is not one, or a bot stands there twice.
    """
    _check_webhook(webhook)
    _ids_of(tokens)


def _ids_of(tokens: Sequence[str]) -> list[str]:
    names: list[str] = []
    for number, token in enumerate(tokens, start=1):
        name = _id_of(f"Telegram bot {number}", token)
        if name in names:
            raise ConfigurationError(f"Telegram bot {name} is configured twice.")
        names.append(name)
    return names


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
