"""What the Discord surface must remember over a restart; no message text, no token, no key."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Post:
    """One platform message that shows a reply, or a part of one.

    Attributes:
        message: the platform's id of the message that shows it.
        asked: id of the message or interaction that it answers.
        part: number of the part, from 0.
        chat: the channel of the conversation, as in the slot.
        thread: the thread within it, or empty.
        sender: the account or webhook that wrote it.
        twin: slug of the twin.
        fan: who was answered.
        receipt: id of the reply's receipt; empty while the reply grows.
        digest: SHA-256 of the text as shown, hex; empty while the reply grows.
    """

    message: str
    asked: str
    part: int
    chat: str
    thread: str
    sender: str
    twin: str
    fan: str
    receipt: str
    digest: str


@dataclass(frozen=True, slots=True)
class Followed:
    """How far an application's list of entitlements was followed, by their ids, which grow.

    Attributes:
        since: the newest that was listed at the first look. What was consumed up to it is not known
            to be our doing.
        until: nothing is left to be done about any up to this one.
    """

    since: int
    until: int


class DiscordState(Protocol):
    """The surface's memory. Every write is durable when the call returns.

    Errors that may leave it: `StoreBusyError`; then nothing was changed. Calls may run
    concurrently.
    """

    async def pick(self, guild: str, channel: str, twin: str) -> None:
        """Let a twin speak in a place; replaces the earlier one.

        Args:
            guild: the server, empty for direct messages.
            channel: the channel, empty for the whole server.
            twin: its slug.
        """
        ...

    async def picked(self, guild: str, channel: str) -> str | None:
        """Return the twin that was picked for exactly this place."""
        ...

    async def keep_webhook(self, channel: str, webhook: str) -> None:
        """Remember that a webhook of this channel is ours; idempotent, never forgotten."""
        ...

    async def is_webhook(self, webhook: str) -> bool:
        """Say whether a webhook is, or was, ours."""
        ...

    async def keep_post(self, post: Post) -> None:
        """Remember a post; replaces what was known of the same platform message."""
        ...

    async def post(self, message: str) -> Post | None:
        """Return what a platform message shows; None if it shows no reply of ours."""
        ...

    async def posts_of(self, asked: str) -> tuple[Post, ...]:
        """Return the posts that answer one message or interaction, by part, then by message."""
        ...

    async def posts_showing(self, receipt: str) -> tuple[Post, ...]:
        """Return the posts that show one reply, by part, then by message."""
        ...

    async def posts_in(self, chat: str, thread: str | None) -> tuple[Post, ...]:
        """Return the first part of each answer in a channel, oldest first.

        Args:
            chat: the channel, as in the slot.
            thread: a thread of it, empty for the channel itself; None for it and all its threads.
        """
        ...

    async def drop_post(self, message: str) -> None:
        """Forget one post; idempotent."""
        ...

    async def posts_for(self, fan: str) -> tuple[Post, ...]:
        """Return every post that answers a person, oldest first."""
        ...

    async def forget_fan(self, fan: str) -> int:
        """Forget every post that answers a person, and return how many these were.

        With them go the picks of the direct channels in which they stand.
        """
        ...

    async def set_talkativeness(self, guild: str, channel: str, percent: int) -> None:
        """Keep how many of a hundred messages a twin answers unasked in a channel."""
        ...

    async def talkativeness(self, guild: str, channel: str) -> int:
        """Return that percentage; 0 where it was never set."""
        ...

    async def entitlements_followed(self, application: str) -> Followed | None:
        """Return how far an application's list was followed; None before the first look."""
        ...

    async def follow_entitlements(self, application: str, followed: Followed) -> None:
        """Remember how far it was; `since` stays as it was first, `until` never goes back."""
        ...
