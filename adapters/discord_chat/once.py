"""Sends to a webhook without the library's own repetition.

A webhook's message has no nonce. After a server error, or a lost answer, the message may stand
there; the library would send it again. Here that is an error which leads to reading back first.
"""

import contextlib
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

from bot.domain.errors import TransientError

SERVER_ERROR = 500
RETRY_S = 1.0


class _Answer:
    """Enters an answer of the platform, unless it leaves open what has happened."""

    def __init__(self, request: Any) -> None:  # noqa: ANN401  the library's own context manager
        self._request = request

    async def __aenter__(self) -> aiohttp.ClientResponse:
        response: aiohttp.ClientResponse = await self._request.__aenter__()
        if response.status >= SERVER_ERROR:
            response.release()
            raise TransientError("Discord is busy.", retry_after_s=RETRY_S)
        return response

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._request.__aexit__(kind, error, trace)


class _Session:
    """The library's session, as far as a webhook needs it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    def request(self, *arguments: Any, **options: Any) -> _Answer:  # noqa: ANN401  passed on
        """Make a request."""
        return _Answer(self._session.request(*arguments, **options))


class OnceAdapter(AsyncWebhookAdapter):
    """The library's adapter; refusals for too many requests are still waited for."""

    async def request(self, route: Any, session: Any, **options: Any) -> Any:  # noqa: ANN401
        """Make a request that a server error ends."""
        once = cast("aiohttp.ClientSession", _Session(session))
        return await super().request(route, once, **options)

    @contextlib.contextmanager
    def used(self) -> Iterator[Self]:
        """Let webhooks send through this adapter, in this task and for the block."""
        token = async_context.set(self)
        try:
            yield self
        finally:
            async_context.reset(token)


def once_adapter() -> OnceAdapter:
    """Make an adapter; the library does not say the types of its own maker."""
    make: Callable[[], OnceAdapter] = OnceAdapter
    return make()
