"""The check-up of the chat platforms: one look at each token, and the clock from their answers."""

import asyncio
from pathlib import Path

from bot.config import Settings, TelegramBot
from bot.domain.errors import BotError, ConfigurationError, TransientError
from bot.ports.checks import WEBHOOK_SECRET, Finding, State, TelegramFacts
from bot.wiring import platform_verdicts as verdicts
from bot.wiring.verdicts import judge_clock
from bot.wiring.web import base_url_of

AT_ONCE = 16
_NETWORK = "Check this machine's way out (DNS, firewall, proxy) and try again."
_DISCORD_TOKEN = (
    "Reset the token at https://discord.com/developers/applications (Bot, Reset Token) and put "  # noqa: S105
    "the new one into [discord] token_file."
)
_PATH = (
    "Check the path, which counts from the folder where the command runs, and that this account "
    "may read the file."
)
_FILE = "Correct the file; the token itself has not been looked at."
_TELEGRAM_TOKEN = "Ask @BotFather for it (/token) and put it into the bot's token_file."  # noqa: S105


class PlatformChecks:
    """Looks at Discord and Telegram; `clock` speaks of what the others were told."""

    def __init__(self, settings: Settings, *, is_serving: bool) -> None:
        from adapters.host.system import SystemClock

        self._settings = settings
        self._is_serving = is_serving
        self._now = SystemClock().now
        self._skews_s: list[float] = []

    async def configured(self) -> list[Finding]:
        """Say when there is nothing to serve; otherwise the platforms speak for themselves."""
        if self._settings.discord.token_file or self._settings.telegram.bots:
            return []
        what = "none is configured, so twinproof serve has nothing to do."
        remedy = "Run twinproof init, or twinproof demo to try the service on this machine."
        return [Finding("platforms", State.WARNING, what, remedy)]

    async def discord(self) -> list[Finding]:
        """Look at the application: token, intent, permissions server by server."""
        from adapters.discord_chat.probe import fetch_discord_facts

        settings = self._settings.discord
        if not settings.token_file:
            return [Finding("Discord", State.SKIPPED, "it is off: [discord] token_file is empty.")]
        token = _token("Discord", settings.token_file, "Discord token")
        if isinstance(token, Finding):
            return [token]
        try:
            facts = await fetch_discord_facts(
                token, api_base=settings.api_base or None, now=self._now
            )
        except BotError as error:
            return [_failed("Discord", error, _DISCORD_TOKEN)]
        self._note(facts.skew_s)
        return [
            verdicts.judge_discord(facts),
            verdicts.judge_intent(facts, asked=settings.message_content),
            *verdicts.judge_permissions(facts),
            *await self._discord_skus(token, facts.application_id),
        ]

    async def _discord_skus(self, token: str, application: str) -> list[Finding]:
        """Look at what the rate table sells on Discord, if it does."""
        from adapters.discord_chat.credit.shop import UNIT, judge_skus
        from adapters.discord_chat.probe import fetch_discord_skus

        settings = self._settings
        units = [rate.unit for rate in settings.money.rates if rate.unit.startswith(UNIT)]
        if not units:
            return []
        base = settings.discord.api_base or None
        try:
            kinds = await fetch_discord_skus(token, application_id=application, api_base=base)
        except BotError as error:
            return [_failed("Discord's SKUs", error, _DISCORD_TOKEN)]
        return verdicts.judge_discord_skus(judge_skus(units, kinds), len(units))

    async def telegram(self) -> list[Finding]:
        """Look at every bot, some at once."""
        bots = self._settings.telegram.bots
        if not bots:
            return [Finding("Telegram", State.SKIPPED, "it is off: [telegram] bots is empty.")]
        turns = asyncio.Semaphore(AT_ONCE)
        looks = [self._bot(number, bot, turns) for number, bot in enumerate(bots, start=1)]
        seen: set[str] = set()
        findings = self._webhook_secret()
        for found in await asyncio.gather(*looks):
            findings += self._judge(found, seen)
        return findings

    async def clock(self) -> list[Finding]:
        """Compare this machine's clock with what the platforms have said."""
        return [judge_clock(self._skews_s, "no platform has answered, so nobody tells the time.")]

    async def _bot(
        self, number: int, bot: TelegramBot, turns: asyncio.Semaphore
    ) -> TelegramFacts | Finding:
        from adapters.telegram_chat.probe import fetch_telegram_facts

        contest = not self._is_serving and not self._settings.telegram.webhook_secret_file
        check = f"Telegram bot {number} ({bot.token_file})"
        token = _token(check, bot.token_file, "Telegram token")
        if isinstance(token, Finding):
            return token
        try:
            async with turns:
                return await fetch_telegram_facts(
                    token,
                    api_base=self._settings.telegram.api_base or None,
                    now=self._now,
                    contest=contest,
                )
        except BotError as error:
            return _failed(check, error, _TELEGRAM_TOKEN)

    def _judge(self, found: TelegramFacts | Finding, seen: set[str]) -> list[Finding]:
        if isinstance(found, Finding):
            return [found]
        self._note(found.skew_s)
        if found.number in seen:
            check = f"Telegram bot @{found.username}"
            remedy = "Name each token once in [telegram] bots."
            return [Finding(check, State.FAULT, "it is configured twice.", remedy)]
        seen.add(found.number)
        wanted = ""
        if self._settings.telegram.webhook_secret_file:
            wanted = f"{base_url_of(self._settings)}/telegram/{found.number}"
        findings = [
            verdicts.judge_telegram(found, wants_webhook=wanted, is_serving=self._is_serving),
            verdicts.judge_privacy(found),
            verdicts.judge_managed(found),
        ]
        return [finding for finding in findings if finding is not None]

    def _webhook_secret(self) -> list[Finding]:
        from adapters.files.secrets import read_secret

        path = self._settings.telegram.webhook_secret_file
        if not path:
            return []
        remedy = f"Make one: openssl rand -hex 32 > {path}; chmod 600 {path}"
        check = "Telegram's webhook secret"
        try:
            secret = read_secret(Path(path), "Telegram webhook secret")
        except ConfigurationError as error:
            return [Finding(check, State.FAULT, str(error), remedy)]
        if WEBHOOK_SECRET.fullmatch(secret) is None:
            what = "it must be 16 to 256 letters, digits, - or _."
            return [Finding(check, State.FAULT, what, remedy)]
        return [Finding(check, State.OK, "it can be used.")]

    def _note(self, skew_s: float | None) -> None:
        if skew_s is not None:
            self._skews_s.append(skew_s)


def _token(check: str, file: str, meaning: str) -> str | Finding:
    """Read a token; a file that is no good says nothing about the token."""
    from adapters.files.secrets import read_secret

    try:
        return read_secret(Path(file), meaning)
    except ConfigurationError as error:
        remedy = _PATH if isinstance(error.__cause__, OSError) else _FILE
        return Finding(check, State.FAULT, str(error), remedy)


def _failed(check: str, error: BotError, remedy: str) -> Finding:
    if isinstance(error, TransientError):
        remedy = _NETWORK
    return Finding(check, State.FAULT, str(error), remedy)
