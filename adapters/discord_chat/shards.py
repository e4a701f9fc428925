"""Connections that come back with what was missed, also after a longer silence."""

import asyncio
import threading
from contextlib import suppress

from discord.gateway import KeepAliveHandler, ReconnectWebSocket
from discord.shard import Shard, ShardInfo

CLOSE_WITHIN_S = 2.0


class ResumingShard(Shard):
    """A shard that goes on asking for its session.

    The library's own asks once. If Discord can't be reached at that moment, it begins a new session
    and what was written meanwhile is lost, though Discord keeps it for minutes. If the session is
    gone, Discord says so and the library begins a new one by itself.
    """

    async def reidentify(self, exc: ReconnectWebSocket) -> None:
        """Come back, unless the surface is being stopped: the library hides that it was."""
        await super().reidentify(exc)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            await self._drop()
            raise asyncio.CancelledError

    async def _drop(self) -> None:
        """Close a connection that was not finished: nobody but its heartbeat knows it."""
        for thread in threading.enumerate():
            if not isinstance(thread, KeepAliveHandler) or thread.shard_id != self.id:
                continue
            if thread.ws._connection is self._client._connection:  # noqa: SLF001  there is no door
                thread.stop()
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_WITHIN_S):
                        await thread.ws.close(code=1000)

    async def reconnect(self) -> None:
        """Ask for the session again, where there was one."""
        if self.ws.session_id is None:
            await super().reconnect()
        else:
            await self.reidentify(ReconnectWebSocket(self.id, resume=True))


def make_resuming(shard: ShardInfo | None) -> None:
    """Give a shard that the library has just made the better way to come back."""
    if shard is not None:
        shard._parent.__class__ = ResumingShard  # noqa: SLF001  the library has no door for it
