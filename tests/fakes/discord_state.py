"""The Discord surface's memory in memory; it outlives the surface that a test abandons."""

from dataclasses import dataclass, field

from bot.domain.errors import StoreBusyError
from bot.ports.discord_state import DiscordState, Post


@dataclass(slots=True)
class MemoryDiscordState(DiscordState):
    """Picks, webhooks and posts in dictionaries.

    Attributes:
        fail_writes: how many of the next writes are lost.
    """

    fail_writes: int = 0
    picks: dict[tuple[str, str], str] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)

    async def pick(self, guild: str, channel: str, twin: str) -> None:
        """Let a twin speak in a place."""
        self._write()
        self.picks[guild, channel] = twin

    async def picked(self, guild: str, channel: str) -> str | None:
        """Return the twin of exactly this place."""
        return self.picks.get((guild, channel))

    async def keep_webhook(self, channel: str, webhook: str) -> None:
        """Remember a webhook."""
        self._write()
        self.hooks[webhook] = channel

    async def is_webhook(self, webhook: str) -> bool:
        """Say whether a webhook is ours."""
        return webhook in self.hooks

    async def keep_post(self, post: Post) -> None:
        """Remember a post."""
        self._write()
        self.posts[post.message] = post

    async def post(self, message: str) -> Post | None:
        """Return what a message shows."""
        return self.posts.get(message)

    async def posts_of(self, asked: str) -> tuple[Post, ...]:
        """Return the posts of one answer."""
        found = [post for post in self.posts.values() if post.asked == asked]
        return tuple(sorted(found, key=lambda p: (p.part, len(p.message), p.message)))

    def _write(self) -> None:
        if self.fail_writes:
            self.fail_writes -= 1
            raise StoreBusyError("the database is locked")
