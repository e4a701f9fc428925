"""The platform's WebSocket: sessions, sequence numbers, heartbeats, RESUME, what intents show."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import WSMsgType, web

from tests.acceptance.discord.specs import check_event
from tests.acceptance.discord.world import EVERYTHING, Channel, Guild, Json, World, stamp

GUILDS, GUILD_MESSAGES, DIRECT_MESSAGES, CONTENT = 1, 1 << 9, 1 << 12, 1 << 15
PRIVILEGED = 1 << 1 | 1 << 8 | CONTENT


@dataclass(slots=True)
class Session:
    """One client's session; it outlives its connection."""

    intents: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sent: list[Json] = field(default_factory=list)
    socket: web.WebSocketResponse | None = None
    valid: bool = True
    shard: int = 0
    shards: int = 1

    def holds(self, guild: Guild | None) -> bool:
        """Say whether a server's events come over this connection; direct ones use the first."""
        return self.shard == (0 if guild is None else (int(guild.id) >> 22) % self.shards)


class Gateway:
    """Speaks to clients; owns the sessions.

    Attributes:
        beats: whether heartbeats are acknowledged.
        heartbeat_ms: what HELLO asks for.
        down: whether nobody gets a connection.
        shards: over how many connections a client is asked to spread its servers.
        opened: every opcode with which a client has opened a session, in order.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.sessions: list[Session] = []
        self.url = ""
        self.beats = True
        self.heartbeat_ms = 41_250
        self.opened: list[int] = []
        self.errors: list[BaseException] = []
        self.down = False
        self.shards = 1

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        if self.down:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if request.query.get("v") != "10" or request.query.get("encoding") != "json":
            await socket.close(code=4012)
            return socket
        hello = {"heartbeat_interval": self.heartbeat_ms}
        check_event("Hello", hello)
        await socket.send_json({"op": 10, "d": hello, "s": None, "t": None})
        session: Session | None = None
        try:
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT:
                    break
                session = await self._receive(socket, session, json.loads(frame.data))
        except AssertionError as error:
            self.errors.append(error)
            await socket.close(code=4013)  # ends a client, rather than let it come back for ever
        finally:
            if session is not None and session.socket is socket:
                session.socket = None
        return socket

    async def _receive(
        self, socket: web.WebSocketResponse, session: Session | None, frame: Json
    ) -> Session | None:
        match frame["op"]:
            case 1:
                if self.beats:
                    await socket.send_json({"op": 11, "d": None, "s": None, "t": None})
            case 2 if session is None:
                return await self._identify(socket, frame["d"])
            case 6 if session is None:
                return await self._resume(socket, frame["d"])
            case 3 | 4 | 8 if session is not None:
                pass
            case 2 | 6:
                await socket.close(code=4005)
            case _:
                await socket.close(code=4001 if session else 4003)
        return session

    async def _identify(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        check_event("Identify", data)
        self.opened.append(2)
        if data["token"] != self._world.token:
            await socket.close(code=4004)
            return None
        if data["intents"] & PRIVILEGED & ~(CONTENT if self._world.content_allowed else 0):
            await socket.close(code=4014)
            return None
        shard, shards = data.get("shard", [0, 1])
        session = Session(data["intents"], socket=socket, shard=shard, shards=shards)
        self.sessions.append(session)
        held = [guild for guild in self._world.guilds.values() if session.holds(guild)]
        guilds = [{"id": guild.id, "unavailable": True} for guild in held]
        app = self._world.app
        ready = {"v": 10, "user": app.as_json() | {"verified": True, "mfa_enabled": True}}
        ready |= {"guilds": guilds, "session_id": session.id, "resume_gateway_url": self.url}
        ready |= {"application": {"id": app.id, "flags": 1 << 19, "flags_new": "0"}}
        ready |= {"shard": [shard, shards]}
        await self._dispatch(session, "READY", ready)
        if data["intents"] & GUILDS:
            for guild in held:
                await self._dispatch(session, "GUILD_CREATE", self._guild_json(guild))
        return session

    async def _resume(self, socket: web.WebSocketResponse, data: Json) -> Session | None:
        check_event("Resume", data)
        self.opened.append(6)
        found = [s for s in self.sessions if s.id == data["session_id"] and s.valid]
        if not found or data["token"] != self._world.token:
            await socket.send_json({"op": 9, "d": False, "s": None, "t": None})
            return None
        session = found[0]
        session.socket = socket
        for frame in session.sent[data["seq"] :]:
            await socket.send_json(frame)
        await self._dispatch(session, "RESUMED", {})
        return session

    async def _dispatch(self, session: Session, name: str, data: Json) -> None:
        if name != "RESUMED":
            check_event(name, data)
        frame = {"op": 0, "t": name, "s": len(session.sent) + 1, "d": data}
        session.sent.append(frame)
        if session.socket is not None and not session.socket.closed:
            await session.socket.send_json(frame)

    async def publish(self, name: str, data: Json, channel: Channel | None = None) -> None:
        """Send an event to every session that may see it."""
        guild = self._world.guilds.get(data.get("guild_id") or "")
        for session in self.sessions:
            if (
                session.valid
                and session.holds(guild)
                and (channel is None or self._sees(session, channel))
            ):
                await self._dispatch(session, name, data)

    async def publish_message(self, name: str, message: Json, channel: Channel) -> None:
        """Send a message's creation or change, without what the intents don't show."""
        for session in self.sessions:
            if session.valid and self._sees(session, channel):
                shown = strip(self._world, channel, message, session.intents)
                if channel.guild is not None:
                    shown |= {"guild_id": channel.guild.id}
                    author = self._world.people.get(message["author"]["id"])
                    if author is not None and "webhook_id" not in message:
                        shown |= {"member": self._world.member(channel.guild, author)}
                await self._dispatch(session, name, shown)

    async def remove(self, channel: Channel, *messages: str, bulk: bool = False) -> None:
        """Delete messages and tell the sessions: one by one, or in one event."""
        for message in messages:
            del channel.messages[message]
        where: Json = {"channel_id": channel.id}
        if channel.guild is not None:
            where |= {"guild_id": channel.guild.id}
        if bulk:
            await self.publish("MESSAGE_DELETE_BULK", {"ids": list(messages), **where}, channel)
            return
        for message in messages:
            await self.publish("MESSAGE_DELETE", {"id": message, **where}, channel)

    def _sees(self, session: Session, channel: Channel) -> bool:
        needed = DIRECT_MESSAGES if channel.guild is None else GUILD_MESSAGES
        held = session.holds(channel.guild) and session.intents & needed
        return bool(held) and bool(self._world.powers(channel) & 1 << 10)

    async def replay(self, count: int) -> None:
        """Send the last events once more, as a resumed connection may."""
        for session in self.sessions:
            if session.socket is not None:
                for frame in session.sent[-count:]:
                    await session.socket.send_json(frame)

    async def drop(self, *, code: int = 1001) -> None:
        """Close every connection; sessions stay for RESUME."""
        for session in self.sessions:
            if session.socket is not None:
                socket, session.socket = session.socket, None
                await socket.close(code=code)

    async def invalidate(self) -> None:
        """End every session: INVALID_SESSION, not resumable."""
        for session in self.sessions:
            session.valid = False
            if session.socket is not None:
                await session.socket.send_json({"op": 9, "d": False, "s": None, "t": None})

    async def ask_to_reconnect(self) -> None:
        """Send opcode 7."""
        for session in self.sessions:
            if session.socket is not None:
                await session.socket.send_json({"op": 7, "d": None, "s": None, "t": None})

    async def wait_connected(self) -> None:
        """Wait until a client has an open, identified connection."""
        async with asyncio.timeout(20):
            while not any(s.socket is not None and s.valid for s in self.sessions):  # noqa: ASYNC110  no event for it
                await asyncio.sleep(0.02)

    def _guild_json(self, guild: Guild) -> Json:
        world, app = self._world, self._world.app
        role: Json = {"id": guild.id, "name": "@everyone", "permissions": str(guild.allowed)}
        role |= {"color": 0, "hoist": False, "position": 0, "managed": False, "mentionable": False}
        role |= {"flags": 0, "icon": None, "unicode_emoji": None}
        role |= {"colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None}}
        rooms = [room for room in guild.channels if room.parent is None]
        threads = [room for room in guild.channels if room.parent is not None]
        plain: Json = {"id": guild.id, "name": "The harbour", "icon": None, "splash": None}
        plain |= {"discovery_splash": None, "owner_id": guild.owner.id, "afk_channel_id": None}
        plain |= {"afk_timeout": 300, "verification_level": 1, "explicit_content_filter": 0}
        plain |= {"default_message_notifications": 1, "roles": [role], "emojis": [], "region": ""}
        plain |= {"features": [], "mfa_level": 0, "application_id": None, "stickers": []}
        plain |= {"system_channel_id": None, "system_channel_flags": 0, "rules_channel_id": None}
        plain |= {"vanity_url_code": None, "description": None, "banner": None, "hub_type": None}
        plain |= {"premium_tier": 0, "premium_progress_bar_enabled": False, "nsfw_level": 0}
        plain |= {"preferred_locale": "en-US", "public_updates_channel_id": None}
        plain |= {"safety_alerts_channel_id": None, "incidents_data": None, "joined_at": stamp()}
        plain |= {"large": False, "unavailable": False, "member_count": 2, "voice_states": []}
        plain |= {"members": [world.member(guild, app) | {"user": app.as_json()}]}
        plain |= {"channels": [room.as_json(app) for room in rooms], "presences": []}
        plain |= {"threads": [room.as_json(app) for room in threads], "stage_instances": []}
        return plain | {"guild_scheduled_events": [], "soundboard_sounds": []}


def strip(world: World, channel: Channel, message: Json, intents: int) -> Json:
    """Take away the words that an application without the content intent doesn't get.

    It gets its own messages, direct ones and those that mention it. Messages of webhooks count
    as foreign here, also those of its own: the stricter reading of the platform's rule.
    """
    shown = dict(message)
    referenced = shown.get("referenced_message")
    if isinstance(referenced, dict):
        shown["referenced_message"] = strip(world, channel, referenced, intents)
    mentions = [person["id"] for person in cast("list[Any]", message["mentions"])]
    own = message["author"]["id"] == world.app.id
    if intents & CONTENT or channel.guild is None or own or world.app.id in mentions:
        return shown
    return shown | {"content": "", "components": [], "embeds": [], "attachments": []}


def everything_but(*powers: int) -> int:
    """Return the usual permissions without some."""
    allowed = EVERYTHING
    for power in powers:
        allowed &= ~power
    return allowed
