"""One look at Discord with a token: which application it is, what it may read, where it may speak.

Plain requests, none of which changes anything; the SDK's client would connect to the gateway, where
a second connection with the same token disturbs a running service.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import aiohttp
import discord

from bot.domain.errors import ConfigurationError, TransientError
from bot.ports.checks import DiscordFacts, DiscordServer

API_BASE = "https://discord.com/api/v10"
TIMEOUT_S = 10.0
PAGE = 200
MAX_PAGES = 50
# Flags of an application (Discord, "Application Flags"): the intent, and for unverified ones.
MESSAGE_CONTENT, MESSAGE_CONTENT_LIMITED = 1 << 18, 1 << 19


async def fetch_discord_facts(
    token: str, *, api_base: str | None, now: Callable[[], datetime]
) -> DiscordFacts:
    """Ask Discord about the application that a token belongs to.

    Args:
        token: of the bot; never part of an error.
        api_base: address of the HTTP API; None for Discord's own.
        now: this machine's time, to compare with Discord's.

    Raises:
        ConfigurationError: Discord refuses the token.
        TransientError: Discord can't be reached, or answers nonsense.
    """
    async with _asking(token) as session:
        probe = _Probe(session, (api_base or API_BASE).rstrip("/"), now)
        with _readable():
            app = await probe.get("/oauth2/applications/@me")
            servers = await probe.servers()
            flags = int(app.get("flags") or 0) | int(app.get("flags_new") or 0)
            return DiscordFacts(
                application=str(app["name"]),
                application_id=str(app["id"]),
                reads_messages=bool(flags & (MESSAGE_CONTENT | MESSAGE_CONTENT_LIMITED)),
                is_limited=not flags & MESSAGE_CONTENT,
                servers=servers,
                skew_s=probe.skew_s,
            )


async def fetch_discord_skus(
    token: str, *, application_id: str, api_base: str | None
) -> dict[int, int]:
    """Ask Discord what an application sells.

    Returns:
        the types of its SKUs, by number.

    Raises:
        ConfigurationError: Discord refuses the token.
        TransientError: Discord can't be reached, or answers nonsense.
    """
    async with _asking(token) as session:
        probe = _Probe(session, (api_base or API_BASE).rstrip("/"), discord.utils.utcnow)
        with _readable():
            skus = await probe.get(f"/applications/{application_id}/skus")
            return {int(sku["id"]): int(sku["type"]) for sku in skus}


def _asking(token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        headers={"Authorization": f"Bot {token}", "User-Agent": "DiscordBot (twinproof, 0.1)"},
    )


@contextmanager
def _readable() -> Iterator[None]:
    """Run requests; what can't be reached or read leaves as an error of our tree."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError, too
        raise TransientError("Discord can't be reached.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TransientError("Discord's answer can't be read.") from error


class _Probe:
    """Asks, and keeps how far this machine's clock is ahead."""

    def __init__(
        self, session: aiohttp.ClientSession, base: str, now: Callable[[], datetime]
    ) -> None:
        self._session = session
        self._base = base
        self._now = now
        self.skew_s: float | None = None

    async def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - JSON
        async with self._session.get(self._base + path, params=query) as answer:
            if date := answer.headers.get("Date"):
                self.skew_s = (self._now() - parsedate_to_datetime(date)).total_seconds()
            if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
                raise ConfigurationError("Discord refuses the token.")
            if answer.status != HTTPStatus.OK:
                raise TransientError(f"Discord answers with status {answer.status}.")
            return await answer.json()

    async def servers(self) -> tuple[DiscordServer, ...]:
        """Return all servers, page after page."""
        found: list[DiscordServer] = []
        for _ in range(MAX_PAGES):
            after = {"after": found[-1].id} if found else {}
            page = await self.get("/users/@me/guilds", limit=str(PAGE), **after)
            found += [
                DiscordServer(str(one["id"]), str(one["name"]), int(one["permissions"]))
                for one in page
            ]
            if len(page) < PAGE:
                break
        return tuple(found)
