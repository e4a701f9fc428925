"""The Discord surface's memory in memory; it outlives the surface that a test abandons."""

from dataclasses import dataclass, field

from bot.domain.errors import InvariantError, StoreBusyError
from bot.ports.discord_state import DiscordState, Followed, Post


@dataclass(slots=True)
class MemoryDiscordState(DiscordState):
    """Picks, webhooks, posts and talkativeness in dictionaries.

    Attributes:
        fail_writes: how many of the next writes are lost.
    """

    fail_writes: int = 0
    picks: dict[tuple[str, str], str] = field(default_factory=dict)
    hooks: dict[str, str] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    talk: dict[tuple[str, str], int] = field(default_factory=dict)
    followed: dict[str, Followed] = field(default_factory=dict)

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

    async def posts_showing(self, receipt: str) -> tuple[Post, ...]:
        """Return the posts of one reply."""
        if not receipt:
            raise InvariantError("the port: a reply that is shown has a receipt")
        found = [post for post in self.posts.values() if post.receipt == receipt]
        return tuple(sorted(found, key=lambda p: (p.part, len(p.message), p.message)))

    async def posts_in(self, chat: str, thread: str | None) -> tuple[Post, ...]:
        """Return the first parts in a channel."""
        found = [
            post
            for post in self.posts.values()
            if post.chat == chat and post.part == 0 and thread in {None, post.thread}
        ]
        return tuple(sorted(found, key=lambda p: (len(p.message), p.message)))

    async def drop_post(self, message: str) -> None:
        """Forget a post."""
        self._write()
        self.posts.pop(message, None)

    async def posts_for(self, fan: str) -> tuple[Post, ...]:
        """Return a person's posts."""
        found = [post for post in self.posts.values() if post.fan == fan]
        return tuple(sorted(found, key=lambda p: (len(p.message), p.message)))

    async def forget_fan(self, fan: str) -> int:
        """Forget a person's posts and direct channels."""
        self._write()
        theirs = [message for message, post in self.posts.items() if post.fan == fan]
        for message in theirs:
            self.picks.pop(("", self.posts[message].chat), None)
            del self.posts[message]
        return len(theirs)

    async def set_talkativeness(self, guild: str, channel: str, percent: int) -> None:
        """Keep a percentage."""
        if not 0 <= percent <= 100:
            raise InvariantError("the port: a percentage is between 0 and 100")
        self._write()
        self.talk[guild, channel] = percent

    async def talkativeness(self, guild: str, channel: str) -> int:
        """Return the percentage of exactly this channel."""
        return self.talk.get((guild, channel), 0)

    async def entitlements_followed(self, application: str) -> Followed | None:
        """Return how far the list was followed."""
        return self.followed.get(application)

    async def follow_entitlements(self, application: str, followed: Followed) -> None:
        """Keep the first `since` and the furthest `until`."""
        if followed.until < 0 or followed.since < 0:
            raise InvariantError("the port: ids of entitlements are not below 0")
        self._write()
        known = self.followed.get(application, followed)
        self.followed[application] = Followed(known.since, max(known.until, followed.until))

    def _write(self) -> None:
        if self.fail_writes:
            self.fail_writes -= 1
            raise StoreBusyError("the database is locked")
