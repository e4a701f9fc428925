"""What the platform holds: people, servers, channels, messages, webhooks, one application."""

import itertools
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
EPOCH_MS = 1_420_070_400_000
DAY_MS = 24 * 60 * 60 * 1000

MANAGE_CHANNELS, MANAGE_GUILD = 1 << 4, 1 << 5
VIEW_CHANNEL, SEND_MESSAGES, READ_HISTORY = 1 << 10, 1 << 11, 1 << 16
CHANGE_NICKNAME, MANAGE_WEBHOOKS, SEND_IN_THREADS = 1 << 26, 1 << 29, 1 << 38
PLAIN = VIEW_CHANNEL | SEND_MESSAGES | READ_HISTORY | SEND_IN_THREADS
EVERYTHING = PLAIN | CHANGE_NICKNAME | MANAGE_WEBHOOKS
TEXT, DM, THREAD = 0, 1, 11
EPHEMERAL, LOADING = 64, 128
TOKEN = "MTExMTExMTExMTExMTExMTEx.Local.test-token"  # noqa: S105  of the local server


class Refused(Exception):  # noqa: N818  an answer of the platform, not a failure of the server
    """The platform says no, as it says it: a status, a code, a sentence."""

    def __init__(self, status: int, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.body: Json = {"message": sentence, "code": code}


@dataclass(slots=True)
class Person:
    """A user; `closed` is one who takes no direct messages from this application."""

    id: str
    name: str
    bot: bool = False
    closed: bool = False

    def as_json(self) -> Json:
        """Write the user object."""
        plain: Json = {"id": self.id, "username": self.name, "discriminator": "0000"}
        plain |= {"global_name": None, "avatar": None, "public_flags": 0, "flags": 0}
        return plain | {"bot": self.bot, "system": False, "primary_guild": None}


@dataclass(slots=True)
class Channel:
    """A channel of any kind; `denied` is what the application may not do in it."""

    id: str
    kind: int
    guild: "Guild | None" = None
    parent: "Channel | None" = None
    person: Person | None = None
    denied: int = 0
    messages: dict[str, Json] = field(default_factory=dict)

    def as_json(self, app: "Person") -> Json:
        """Write the channel object."""
        plain: Json = {"id": self.id, "type": self.kind, "flags": 0, "last_message_id": None}
        if self.person is not None:
            return plain | {"recipients": [self.person.as_json()]}
        plain |= {"name": f"room-{self.id[-3:]}", "rate_limit_per_user": 0}
        if self.guild is not None:
            plain |= {"guild_id": self.guild.id}
        if self.parent is not None:
            meta: Json = {"archived": False, "locked": False, "auto_archive_duration": 60}
            meta |= {"archive_timestamp": stamp(), "create_timestamp": stamp()}
            plain |= {"parent_id": self.parent.id, "thread_metadata": meta, "owner_id": app.id}
            return plain | {"message_count": 0, "member_count": 1, "total_message_sent": 0}
        overwrites: list[Json] = []
        if self.denied:
            overwrites = [{"id": app.id, "type": 1, "allow": "0", "deny": str(self.denied)}]
        plain |= {"position": 0, "parent_id": None, "topic": None, "nsfw": False}
        return plain | {"permission_overwrites": overwrites}


@dataclass(slots=True)
class Guild:
    """A server; `allowed` is what the application may do in it."""

    id: str
    owner: Person
    allowed: int = EVERYTHING
    nick: str | None = None
    avatar: str | None = None
    channels: list[Channel] = field(default_factory=list)
    powers: dict[str, int] = field(default_factory=dict)

    def may(self, person: Person) -> int:
        """Return a person's permissions; the owner has all that matter here."""
        everything = EVERYTHING | MANAGE_GUILD | MANAGE_CHANNELS
        return everything if person is self.owner else PLAIN | self.powers.get(person.id, 0)


@dataclass(slots=True)
class Hook:
    """An incoming webhook; `app` is None for one that a person made by hand."""

    id: str
    token: str
    channel: Channel
    name: str
    app: str | None


@dataclass(slots=True)
class Interaction:
    """One interaction and what has been said to it."""

    id: str
    token: str
    kind: int
    person: Person
    channel: Channel
    sent_at: float
    answer: Json | None = None
    original: Json | None = None
    message: str | None = None
    target: Json | None = None
    expired: bool = False
    private: list[Json] = field(default_factory=list)


def stamp() -> str:
    """Return the time now, as the platform writes it."""
    return (
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time.time_ns() // 1000)
    ).isoformat()


class World:
    """The state of the platform; knows no sockets."""

    def __init__(self) -> None:
        self._count = itertools.count(1)
        self.app = Person(self.snowflake(), "twinproof", bot=True)
        self.content_allowed = True
        self.token = TOKEN
        self.commands: list[Json] = []
        self.people: dict[str, Person] = {self.app.id: self.app}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.hooks: dict[str, Hook] = {}
        self.interactions: dict[str, Interaction] = {}
        self.entitlements: dict[str, Json] = {}
        self.typing: list[str] = []
        self.nonces: dict[tuple[str, str], str] = {}

    def snowflake(self, *, days_ago: int = 0) -> str:
        """Return the next id; ids grow and carry the time, as the platform's do."""
        millis = time.time_ns() // 1_000_000 - EPOCH_MS - days_ago * DAY_MS
        return str((millis << 22) + next(self._count))

    def person(self, name: str, *, bot: bool = False) -> Person:
        """Add a user."""
        person = Person(self.snowflake(), name, bot=bot)
        self.people[person.id] = person
        return person

    def guild(self, owner: Person, *, allowed: int = EVERYTHING) -> Guild:
        """Add a server that has installed the application."""
        guild = Guild(self.snowflake(), owner, allowed)
        self.guilds[guild.id] = guild
        return guild

    def room(self, guild: Guild, *, parent: Channel | None = None, denied: int = 0) -> Channel:
        """Add a text channel, or a thread of one."""
        kind = TEXT if parent is None else THREAD
        channel = Channel(self.snowflake(), kind, guild, parent, denied=denied)
        guild.channels.append(channel)
        self.channels[channel.id] = channel
        return channel

    def direct(self, person: Person) -> Channel:
        """Return the direct channel of a person and the application."""
        for channel in self.channels.values():
            if channel.person is person:
                return channel
        channel = Channel(self.snowflake(), DM, person=person)
        self.channels[channel.id] = channel
        return channel

    def powers(self, channel: Channel) -> int:
        """Return what the application may do in a channel."""
        if channel.guild is None:
            return PLAIN
        denied = channel.denied | (channel.parent.denied if channel.parent else 0)
        return channel.guild.allowed & ~denied

    def need(self, channel: Channel, power: int) -> None:
        """Refuse what the application may not do, as the platform words it."""
        have = self.powers(channel)
        if not have & VIEW_CHANNEL:
            raise Refused(403, 50001, "Missing Access")
        if power & ~have:
            raise Refused(403, 50013, "Missing Permissions")
        if channel.person is not None and channel.person.closed and power & SEND_MESSAGES:
            raise Refused(403, 50007, "Cannot send messages to this user")

    def channel_of(self, channel_id: str) -> Channel:
        """Find a channel."""
        if channel_id not in self.channels:
            raise Refused(404, 10003, "Unknown Channel")
        return self.channels[channel_id]

    def message_of(self, channel: Channel, message_id: str) -> Json:
        """Find a message that is not private."""
        if message_id not in channel.messages:
            raise Refused(404, 10008, "Unknown Message")
        return channel.messages[message_id]

    def write(self, channel: Channel, author: Json, content: str, **more: Any) -> Json:  # noqa: ANN401
        """Make a message object; the caller decides where it is kept."""
        mentioned = [p for p in self.people.values() if f"<@{p.id}>" in content]
        message: Json = {"id": self.snowflake(), "channel_id": channel.id, "author": author}
        message |= {"content": content, "timestamp": stamp(), "edited_timestamp": None, "type": 0}
        message |= {"tts": False, "mention_everyone": False, "pinned": False, "flags": 0}
        message |= {"mentions": [p.as_json() for p in mentioned], "mention_roles": []}
        message |= {"attachments": [], "embeds": [], "components": []}
        return message | more

    def member(self, guild: Guild, person: Person) -> Json:
        """Write a member object without its user."""
        nick = guild.nick if person is self.app else None
        plain: Json = {"roles": [], "joined_at": stamp(), "deaf": False, "mute": False, "flags": 0}
        avatar = guild.avatar if person is self.app else None
        return plain | {"nick": nick, "avatar": avatar, "banner": None, "pending": False}
