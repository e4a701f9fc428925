"""The platform's HTTP API for channels and messages, as an aiohttp application."""

import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web

from tests.acceptance.discord.files import body_of
from tests.acceptance.discord.gateway import Gateway, strip
from tests.acceptance.discord.limits import Limits
from tests.acceptance.discord.specs import check_request, check_response
from tests.acceptance.discord.world import (
    CHANGE_NICKNAME,
    READ_HISTORY,
    SEND_IN_THREADS,
    SEND_MESSAGES,
    THREAD,
    VIEW_CHANNEL,
    Channel,
    Json,
    Refused,
    World,
    stamp,
)

PREFIX = "/api/v10"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(body: object, status: int = 200) -> web.Response:
    """Answer JSON with exactly the content type that the platform uses."""
    payload = json.dumps(body).encode()
    return web.Response(body=payload, status=status, headers={"Content-Type": "application/json"})


def check_text(body: Json, *, known: str = "") -> None:
    """Refuse an empty or too long content."""
    content = body.get("content", known)
    if not content and not body.get("embeds") and not body.get("components"):
        raise Refused(400, 50006, "Cannot send an empty message")
    if content and len(content) > 2000:
        raise Refused(400, 50035, "Invalid Form Body")


def check_components(rows: list[Json]) -> None:
    """Refuse what the platform refuses of buttons: ids that repeat, too many in a row."""
    items = [item for row in rows for item in row["components"]]
    selling = [item for item in items if item.get("style") == 6]
    if any(
        not item.get("sku_id") or set(item) - {"type", "style", "sku_id", "disabled"}
        for item in selling
    ):
        raise Refused(400, 50035, "Invalid Form Body")
    ids = [item["custom_id"] for item in items if "custom_id" in item]
    urls = [item["url"] for item in items if item.get("url")]
    if any(not url.startswith(("http://", "https://")) or len(url) > 512 for url in urls):
        raise Refused(400, 50035, "Invalid Form Body")
    full = any(len(row["components"]) > 5 for row in rows)
    if len(set(ids)) != len(ids) or full or any(len(name) > 100 for name in ids):
        raise Refused(400, 50035, "Invalid Form Body")


class Rest:
    """Routes that a bot token opens.

    Attributes:
        log: method, path and body of every request, in order.
        tap: called with each request before and after it is done; a test acts there.
        breaches: what clients sent against the description; the test fixture fails on any.
    """

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway
        self.limits = Limits()
        self.log: list[tuple[str, str, Json, float]] = []
        self.breaches: list[str] = []
        self.tap: Callable[[str, str, str, Json], None] = lambda *_: None

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        message = PREFIX + "/channels/{channel}/messages/{message}"
        return [
            web.get(PREFIX + "/users/@me", self.me),
            web.get(PREFIX + "/oauth2/applications/@me", self.application),
            web.get(PREFIX + "/gateway/bot", self.gateway_bot),
            web.get(PREFIX + "/applications/{app}/commands", self.commands),
            web.put(PREFIX + "/applications/{app}/commands", self.set_commands),
            web.post(PREFIX + "/users/@me/channels", self.open_direct),
            web.get(PREFIX + "/channels/{channel}", self.channel),
            web.get(PREFIX + "/channels/{channel}/messages", self.history),
            web.post(PREFIX + "/channels/{channel}/messages", self.create),
            web.post(PREFIX + "/channels/{channel}/typing", self.typing),
            web.get(message, self.fetch),
            web.patch(message, self.edit),
            web.delete(message, self.delete),
            web.patch(PREFIX + "/guilds/{guild}/members/@me", self.rename),
        ]

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Check both directions, the token and the limits."""
        path = request.path.removeprefix(PREFIX)
        if not request.path.startswith(PREFIX):
            return await handler(request)
        try:
            body = await body_of(request)
            self.log.append((request.method, path, body, time.monotonic()))
            check_request(request.method, path, body, request.query)
            self.tap("asked", request.method, path, body)
            limited = self.limits.refusal(request.method, path)
            response = limited or await self._answered(request, handler)
            self.tap("done", request.method, path, body)
            limited = limited or self.limits.refusal(request.method, path, applied=True)
            response = limited or response
            if response.body and not limited:
                parsed = json.loads(cast("bytes", cast("web.Response", response).body))
                check_response(request.method, path, response.status, parsed)
        except Exception as error:  # noqa: BLE001  a breach, or a bug of this server: both fail the test
            self.breaches.append(f"{request.method} {path}: {error!r}")
            return answer({"message": "Invalid Form Body", "code": 50035}, 400)
        response.headers.update(self.limits.headers(request.method, path))
        return response

    async def _answered(self, request: web.Request, handler: Handler) -> Any:  # noqa: ANN401
        by_token = "/webhooks/" in request.path or "/interactions/" in request.path
        authorised = request.headers.get("Authorization") == f"Bot {self._world.token}"
        if not authorised and not (by_token and request.path.count("/") > 4):
            return answer({"message": "401: Unauthorized", "code": 0}, 401)
        try:
            return await handler(request)
        except Refused as refused:
            return answer(refused.body, refused.status)

    async def me(self, _request: web.Request) -> web.Response:
        """GET /users/@me."""
        return answer(self._world.app.as_json() | {"mfa_enabled": True, "locale": "en-US"})

    async def application(self, _request: web.Request) -> web.Response:
        """GET /oauth2/applications/@me."""
        app = self._world.app
        plain: Json = {"id": app.id, "name": app.name, "icon": None, "description": ""}
        plain |= {"type": None, "verify_key": "0" * 64, "flags": 1 << 19, "redirect_uris": []}
        plain |= {"flags_new": str(1 << 19), "interactions_endpoint_url": None, "team": None}
        plain |= {"role_connections_verification_url": None, "approximate_guild_count": 1}
        plain |= {"approximate_user_install_count": 0, "approximate_user_authorization_count": 0}
        plain |= {"explicit_content_filter": 0, "eligible_oauth2_scopes": ["bot"]}
        plain |= {"bot_public": True, "bot_require_code_grant": False}
        return answer(plain | {"owner": app.as_json()})

    async def gateway_bot(self, _request: web.Request) -> web.Response:
        """GET /gateway/bot."""
        limits = {"total": 1000, "remaining": 999, "reset_after": 0, "max_concurrency": 1}
        gateway = self._gateway
        named = {"url": gateway.url, "shards": gateway.shards, "session_start_limit": limits}
        return answer(named)

    async def commands(self, _request: web.Request) -> web.Response:
        """GET the registered commands."""
        return answer(self._world.commands)

    async def set_commands(self, request: web.Request) -> web.Response:
        """PUT: replace all commands."""
        wanted = cast("list[Json]", await body_of(request))
        kept = []
        for command in wanted:
            plain: Json = {"id": self._world.snowflake(), "application_id": self._world.app.id}
            plain |= {"version": self._world.snowflake(), "type": 1, "description": ""}
            plain |= {"default_member_permissions": None, "nsfw": False}
            plain |= {key: item for key, item in command.items() if key != "id"}
            kept.append(plain | {"description": command.get("description") or ""})
        self._world.commands = kept
        return answer(kept)

    async def open_direct(self, request: web.Request) -> web.Response:
        """POST /users/@me/channels."""
        person = self._world.people.get(str((await body_of(request))["recipient_id"]))
        if person is None:
            raise Refused(400, 50033, "Invalid Recipient(s)")
        return answer(self._world.direct(person).as_json(self._world.app))

    def _channel(self, request: web.Request, power: int = VIEW_CHANNEL) -> Channel:
        channel = self._world.channel_of(request.match_info["channel"])
        self._world.need(channel, power)
        return channel

    async def channel(self, request: web.Request) -> web.Response:
        """GET a channel."""
        return answer(self._channel(request).as_json(self._world.app))

    def _shown(self, channel: Channel, message: Json) -> Json:
        intents = self._gateway.sessions[-1].intents if self._gateway.sessions else 0
        return strip(self._world, channel, message, intents)

    async def history(self, request: web.Request) -> web.Response:
        """GET messages, newest first, as with `before`, `after`, `limit`."""
        channel = self._channel(request, READ_HISTORY)
        found = list(channel.messages.values())
        after = int(request.query.get("after", "0"))
        before = int(request.query.get("before", "0")) or 1 << 63
        found = [m for m in found if after < int(m["id"]) < before]
        limit = int(request.query.get("limit", "50"))
        found = found[:limit] if after else found[-limit:]
        return answer([self._shown(channel, message) for message in reversed(found)])

    async def fetch(self, request: web.Request) -> web.Response:
        """GET one message."""
        channel = self._channel(request, READ_HISTORY)
        message = self._world.message_of(channel, request.match_info["message"])
        return answer(self._shown(channel, message))

    async def create(self, request: web.Request) -> web.Response:
        """POST a message; an enforced nonce gives the message of the first time."""
        channel = self._world.channel_of(request.match_info["channel"])
        power = SEND_IN_THREADS if channel.kind == THREAD else SEND_MESSAGES
        channel = self._channel(request, power)
        body = await body_of(request)
        check_text(body)
        check_components(body.get("components") or [])
        nonce = (channel.id, str(body.get("nonce")))
        if body.get("enforce_nonce") and nonce in self._world.nonces:
            return answer(channel.messages[self._world.nonces[nonce]])
        more: Json = {"components": with_ids(body.get("components") or [])}
        if body.get("nonce") is not None:
            more["nonce"] = body["nonce"]
        if reference := body.get("message_reference"):
            more |= self._reference(channel, reference)
        message = self._world.write(channel, self._world.app.as_json(), body["content"], **more)
        channel.messages[message["id"]] = message
        self._world.nonces[nonce] = message["id"]
        await self._gateway.publish_message("MESSAGE_CREATE", message, channel)
        return answer(message)

    def _reference(self, channel: Channel, reference: Json) -> Json:
        if not self._world.powers(channel) & READ_HISTORY:
            raise Refused(400, 160002, "Cannot reply without permission to read message history")
        wanted = str(reference["message_id"])
        target = channel.messages.get(wanted)
        if target is None and reference.get("fail_if_not_exists", True):
            raise Refused(400, 50035, "Invalid Form Body")
        if target is None:
            return {}
        made = {"type": 0, "channel_id": channel.id, "message_id": wanted}
        return {"message_reference": made, "referenced_message": target, "type": 19}

    async def edit(self, request: web.Request) -> web.Response:
        """PATCH the application's own message."""
        channel = self._channel(request)
        message = self._world.message_of(channel, request.match_info["message"])
        if message["author"]["id"] != self._world.app.id:
            raise Refused(403, 50005, "Cannot edit a message authored by another user")
        await change(self._gateway, channel, message, await body_of(request))
        return answer(message)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE the application's own message."""
        channel = self._channel(request)
        message = self._world.message_of(channel, request.match_info["message"])
        if message["author"]["id"] != self._world.app.id:
            raise Refused(403, 50013, "Missing Permissions")
        await self._gateway.remove(channel, message["id"])
        return web.Response(status=204)

    async def typing(self, request: web.Request) -> web.Response:
        """POST the typing indicator."""
        channel = self._channel(request, SEND_MESSAGES)
        self._world.typing.append(channel.id)
        return web.Response(status=204)

    async def rename(self, request: web.Request) -> web.Response:
        """PATCH the application's own member: its name and picture in one server."""
        guild = self._world.guilds.get(request.match_info["guild"])
        if guild is None:
            raise Refused(404, 10004, "Unknown Guild")
        body = await body_of(request)
        if "nick" in body:
            if not guild.allowed & CHANGE_NICKNAME:
                raise Refused(403, 50013, "Missing Permissions")
            guild.nick = body["nick"]
        if "avatar" in body:
            picture = body["avatar"]
            guild.avatar = picture and hashlib.sha256(picture.encode()).hexdigest()[:32]
        member = self._world.member(guild, self._world.app)
        member |= {"communication_disabled_until": None, "premium_since": None}
        return answer(member | {"user": self._world.app.as_json()})


def with_ids(rows: list[Json]) -> list[Json]:
    """Number components, as the platform does."""
    numbers = iter(range(1, 1000))
    return [
        row
        | {
            "id": next(numbers),
            "components": [c | {"id": next(numbers)} for c in row["components"]],
        }
        for row in rows
    ]


async def change(gateway: Gateway, channel: Channel, message: Json, body: Json) -> None:
    """Apply an edit and tell the sessions."""
    check_text(body, known=message["content"])
    if body.get("content") is not None:
        message["content"] = body["content"]
    if body.get("components") is not None:
        check_components(body["components"])
        message["components"] = with_ids(body["components"])
    message["edited_timestamp"] = stamp()
    if not message["flags"] & 64:
        await gateway.publish_message("MESSAGE_UPDATE", message, channel)
