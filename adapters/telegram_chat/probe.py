"""One look at Telegram with a token: which bot it is, how updates reach it, and who else polls.

Addresses of the Bot API hold the token, so no error of the HTTP library leaves this module.
"""

from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp

from adapters.telegram_chat.chat import API_BASE
from bot.domain.errors import ConfigurationError, TransientError
from bot.ports.checks import TELEGRAM_TOKEN, TelegramFacts

TIMEOUT_S = 15.0
# Longer than other pollers wait before they ask again after they were thrown out.
CONTEST_S = 4


async def fetch_telegram_facts(
    token: str, *, api_base: str | None, now: Callable[[], datetime], contest: bool
) -> TelegramFacts:
    """Ask Telegram about the bot that a token belongs to.

    Args:
        token: as BotFather gave it; never part of an error.
        api_base: where a Bot API server is, up to and with `/bot`; None for Telegram's own.
        now: this machine's time, to compare with Telegram's.
        contest: poll for some seconds to see whether somebody else does. It confirms nothing and
            throws another poller out for a moment, so it is not for a bot that is being served.

    Raises:
        ConfigurationError: Telegram refuses the token.
        TransientError: Telegram can't be reached, or answers nonsense.
    """
    if TELEGRAM_TOKEN.fullmatch(token) is None:
        raise ConfigurationError("This is no Telegram token: one looks like 123456:ABC-DEF.")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        probe = _Probe(session, address_of(api_base, token), now)
        try:
            return await probe.facts(contest=contest)
        except (aiohttp.ClientError, OSError):  # a time-out is an OSError, too
            raise TransientError("Telegram can't be reached.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TransientError("Telegram's answer can't be read.") from None


def address_of(api_base: str | None, token: str) -> str:
    """Return where a bot's methods are; the token stands at the end, or where `{token}` says."""
    base = api_base or API_BASE
    return base.replace("{token}", token) if "{token}" in base else base + token


class _Probe:
    """Asks, and keeps how far this machine's clock is ahead."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, now: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._base = base
        self._now = now
        self._skew_s: float | None = None

    async def facts(self, *, contest: bool) -> TelegramFacts:
        me = _accepted(await self._call("getMe"))
        hook = _accepted(await self._call("getWebhookInfo"))
        contested = await self._is_contested() if contest and not hook["url"] else None
        return TelegramFacts(
            number=str(me["id"]),
            username=str(me["username"]),
            reads_all=bool(me.get("can_read_all_group_messages")),
            makes_bots=bool(me.get("can_manage_bots")),
            joins_groups=bool(me.get("can_join_groups")),
            webhook=str(hook["url"]),
            pending=int(hook["pending_update_count"]),
            last_error=str(hook.get("last_error_message") or ""),
            is_contested=contested,
            skew_s=self._skew_s,
        )

    async def _is_contested(self) -> bool:
        status, body = await self._call("getUpdates", timeout=CONTEST_S, limit=1)
        if status != HTTPStatus.CONFLICT:
            _accepted((status, body))
        return status == HTTPStatus.CONFLICT

    async def _call(self, method: str, **values: int) -> tuple[int, Any]:
        """Call a method; return the status and the body."""
        async with self._session.post(f"{self._base}/{method}", data=values) as answer:
            if date := answer.headers.get("Date"):
                self._skew_s = (self._now() - parsedate_to_datetime(date)).total_seconds()
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TransientError(f"Telegram answers with status {answer.status}.")
            return answer.status, await answer.json()


def _accepted(answered: tuple[int, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the result of a call that Telegram has accepted."""
    status, body = answered
    # An unknown token is 401; one that is not even shaped like one is 404.
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        raise ConfigurationError("Telegram refuses the token.")
    if status != HTTPStatus.OK or not body["ok"]:
        raise TransientError(f"Telegram answers with status {status}.")
    return body["result"]
