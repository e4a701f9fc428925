"""The life of managed bots: pending, linked, expired or failed; their tokens only in the vault.

Every step is written down before the next one, and each can be taken again: the same update twice,
or after a crash, changes nothing more. Updates about one creator's bots are handled one by one.
"""

import asyncio
import re
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import structlog
from telegram import ReplyKeyboardRemove
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat.events import BotMade, Spot
from adapters.telegram_chat.managed import words
from adapters.telegram_chat.mapping import FailureKind, classify, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Backoff, Sender
from bot.domain.errors import BotError, ConfigurationError, TransientError, UserError
from bot.ports.creators import Actor, CreatorDesk
from bot.ports.secrets import SecretStore
from bot.ports.telegram_state import LinkState, ManagedBot, TelegramState

OFFER_S = 3600.0
FETCH_TRIES = 5
_SECRETS = "telegram/managed/"
_GONE = frozenset({FailureKind.REFUSED, FailureKind.UNREACHABLE})
_log = structlog.get_logger("telegram")


@dataclass(frozen=True, slots=True)
class Voice:
    """A bot of this process, to act and to speak through."""

    bot: ExtBot[Any] = field(repr=False)  # its own `repr` has the token in it
    sender: Sender = field(repr=False)


class BotHost(Protocol):
    """What runs bots; adding and removing is possible at any time."""

    async def host(self, token: str, *, twin: str, owner: str) -> None:
        """Run a bot; nothing happens if it runs with this token, an older token is replaced."""
        ...

    async def unhost(self, bot: str) -> None:
        """Stop running a bot. Idempotent."""
        ...

    def voice(self, bot: str) -> Voice | None:
        """Return a bot that runs; None if it does not."""
        ...


class ManagedBots:
    """All managed bots of one surface.

    `_turns` has one lock for each creator, `_tasks` what runs beside the updates.
    """

    def __init__(
        self,
        *,
        state: TelegramState,
        secrets: SecretStore,
        creators: CreatorDesk,
        host: BotHost,
        pace: Pace,
    ) -> None:
        self._state = state
        self._secrets = secrets
        self._creators = creators
        self._host = host
        self._pace = pace
        self._turns: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to run every bot that is linked; one that fails stops no other."""
        self._beside(self._run_all())

    async def _run_all(self) -> None:
        backoff, records = Backoff(self._pace), None
        while records is None:
            try:
                records = await self._state.managed()
            except TransientError:
                await backoff.wait()
        for record in records:
            if record.state is LinkState.LINKED:
                try:
                    await self._run(record)
                except (BotError, ValueError) as error:
                    _log.warning("telegram.managed_failed", bot=record.bot, error=locate(error))
                    self._beside(self._renew(record.bot))
            elif record.state is LinkState.PENDING and record.bot:
                self._beside(self._renew(record.bot))

    async def stop(self) -> None:
        """End what runs beside the updates; it is done again after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def rejected(self, bot: str, token: str) -> None:
        """Look for another token: Telegram refuses the one that a bot runs with."""
        self._beside(self._renew(bot, token))

    async def offer(self, manager: str, account: str, twin: str) -> ManagedBot:
        """Write an offer down, instead of an earlier one; or link a bot that is there already.

        Returns:
            The bot as it is now: linked, or pending and, if its `bot` is empty, still to be made.
        """
        async with self._turn(account):
            await self._state.expire_offers(older_than_s=OFFER_S)
            mine = [
                one
                for one in await self._state.managed()
                if (one.manager, one.account) == (manager, account)
            ]
            known = next((one for one in mine if one.twin == twin and one.bot), None)
            orphan = next((one for one in mine if one.twin == "" and one.bot), None)
            if known is not None and known.state is LinkState.LINKED:
                return known
            if known is None and orphan is not None:
                known = replace(orphan, twin=twin, state=LinkState.PENDING)
                await self._state.keep_managed(known)
                await self._state.keep_managed(replace(orphan, bot="", state=LinkState.EXPIRED))
            if known is not None:
                now = await self._link(known, quiet=True) or await self._look(known.bot)
                if now is not None and now.state is not LinkState.FAILED:
                    return now
            for one in mine:
                if one.state is LinkState.PENDING and not one.bot:
                    await self._state.keep_managed(replace(one, state=LinkState.EXPIRED))
            fresh = ManagedBot(manager, account, twin)
            await self._state.keep_managed(fresh)
            return fresh

    async def made(self, manager: str, made: BotMade) -> None:
        """Take the news that a bot was made, or has another token."""
        account = str(made.spot.fan)
        async with self._turn(account):
            await self._state.expire_offers(older_than_s=OFFER_S)
            records = [one for one in await self._state.managed() if one.manager == manager]
            known = next((one for one in records if one.bot == made.bot), None)
            if known is None:
                offered = [
                    one
                    for one in records
                    if one.account == account and one.state is LinkState.PENDING and not one.bot
                ]
                twin = offered[-1].twin if offered else ""
                state = LinkState.PENDING if offered else LinkState.EXPIRED
                known = ManagedBot(manager, account, twin, made.bot, made.username, state)
                await self._state.keep_managed(known)
                if not offered:
                    await self._tell(known, words.UNKNOWN)
            if known.twin:
                await self._link(known)

    async def _link(self, record: ManagedBot, *, quiet: bool = False) -> ManagedBot | None:
        """Fetch the token and run the bot with it; None if Telegram has no token for us."""
        try:
            token = await self._fetch_token(record)
        except TelegramError as error:
            kind = classify(error).kind
            _log.warning("telegram.managed_token_missing", bot=record.bot, kind=kind)
            if kind in _GONE:
                await self._fail(record, quiet=quiet)
            return None
        if record.state is LinkState.LINKED and token == await self._find_token(record.bot):
            await self._host.host(token, twin=record.twin, owner=record.account)
            return record
        await self._secrets.put(_SECRETS + record.bot, token)
        linked = replace(record, state=LinkState.LINKED)
        await self._state.keep_managed(linked)
        await self._host.host(token, twin=record.twin, owner=record.account)
        _log.info("telegram.managed_linked", bot=record.bot, twin=record.twin)
        if record.state is not LinkState.LINKED:
            name = await self._introduce(record)
            if not quiet:
                await self._tell(record, words.linked(name, record.username))
        return linked

    async def _renew(self, bot: str, refused: str | None = None) -> None:
        """Get a bot a token, or write it off if the refused one is all there is."""
        known = await self._look(bot)
        if known is None:
            return
        async with self._turn(known.account):
            record = await self._look(bot)
            stored = await self._find_token(bot)
            if record is None or record.state is LinkState.FAILED:
                return
            if refused is not None and stored not in {None, refused}:
                return  # it has another one by now
            linked = await self._link(record)
            if refused is None or linked is None:
                return
            if await self._find_token(bot) == refused:
                await self._fail(record)

    async def _look(self, bot: str) -> ManagedBot | None:
        return next((one for one in await self._state.managed() if one.bot == bot), None)

    async def _run(self, record: ManagedBot) -> None:
        token = await self._secrets.find(_SECRETS + record.bot)
        if token is None:
            raise ConfigurationError("the token of a managed bot is not in the secret store")
        await self._host.host(token, twin=record.twin, owner=record.account)

    async def _find_token(self, bot: str) -> str | None:
        try:
            return await self._secrets.find(_SECRETS + bot)
        except ConfigurationError:
            return None  # the vault has another key now; the token is fetched again

    async def _fetch_token(self, record: ManagedBot) -> str:
        voice, backoff = self._host.voice(record.manager), Backoff(self._pace)
        if voice is None:
            raise TelegramError("the manager does not run")
        for remaining in reversed(range(FETCH_TRIES)):
            try:
                token = await voice.bot.get_managed_bot_token(int(record.bot))
            except TelegramError as error:
                failure = classify(error)
                if failure.kind in _GONE or remaining == 0:
                    raise
                await backoff.wait(failure)
            else:
                if re.fullmatch(rf"{record.bot}:[A-Za-z0-9_-]{{1,128}}", token):
                    return token
                break
        raise TelegramError("no token")

    async def _fail(self, record: ManagedBot, *, quiet: bool = False) -> None:
        if record.state is LinkState.FAILED:
            return
        await self._state.keep_managed(replace(record, state=LinkState.FAILED))
        await self._host.unhost(record.bot)
        await self._secrets.remove(_SECRETS + record.bot)
        _log.warning("telegram.managed_lost", bot=record.bot, twin=record.twin)
        if not quiet:
            await self._tell(record, words.failed(record.twin, record.username))

    async def _introduce(self, record: ManagedBot) -> str:
        """Give a new bot its name and texts, with the AI label; return the twin's name."""
        name, role = record.twin, ""
        try:
            view = await self._creators.show(Actor("telegram", record.account, ""), record.twin)
            name, role = view.draft.name, view.draft.role
        except UserError:
            _log.warning("telegram.managed_twin_unknown", bot=record.bot)
        voice = self._host.voice(record.bot)
        if voice is not None:
            bot, attempt = voice.bot, voice.sender.attempt
            await attempt("setMyName", lambda: bot.set_my_name(words.name_of(name)))
            await attempt(
                "setMyDescription", lambda: bot.set_my_description(words.about_of(name, role))
            )
            await attempt(
                "setMyShortDescription",
                lambda: bot.set_my_short_description(words.short_of(name)),
            )
        return name

    async def _tell(self, record: ManagedBot, text: str) -> None:
        voice = self._host.voice(record.manager)
        if voice is not None:
            account = int(record.account)
            spot = Spot(account, None, is_private=True, fan=account)
            await voice.sender.say(spot, text, buttons=ReplyKeyboardRemove())

    def _turn(self, account: str) -> asyncio.Lock:
        return self._turns.setdefault(account, asyncio.Lock())

    def _beside(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - one bot's failure must not stop the others
            _log.error("telegram.managed_failed", error=locate(error))
