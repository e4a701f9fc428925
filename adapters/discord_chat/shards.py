"""Connections that come back with what was missed, also after a longer silence."""

from discord.gateway import ReconnectWebSocket
from discord.shard import Shard, ShardInfo


class ResumingShard(Shard):
    """A shard that goes on asking for its session.

    The library's own asks once. If Discord can't be reached at that moment, it begins a new session
    and what was written meanwhile is lost, though Discord keeps it for minutes. If the session is
    gone, Discord says so and the library begins a new one by itself.
    """

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
