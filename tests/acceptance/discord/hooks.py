"""The platform's webhooks and interactions: what a token in the address opens."""

import secrets
import time
from typing import cast

from aiohttp import web

from tests.acceptance.discord.files import Files, body_of, parts_of, uploads_of
from tests.acceptance.discord.gateway import Gateway
from tests.acceptance.discord.rest import (
    PREFIX,
    answer,
    change,
    check_components,
    check_text,
    with_ids,
)
from tests.acceptance.discord.world import (
    EPHEMERAL,
    LOADING,
    MANAGE_WEBHOOKS,
    TEXT,
    Channel,
    Hook,
    Interaction,
    Json,
    Refused,
    World,
)

DEADLINE_S = 3.0
PER_CHANNEL = 15
# Which answers each kind of interaction may get: command, component, autocomplete, modal.
ALLOWED = {2: {4, 5, 9}, 3: {4, 5, 6, 7, 9}, 4: {8}, 5: {4, 5, 6, 7}}


class Hooks:
    """Routes of webhooks and interactions."""

    def __init__(self, world: World, gateway: Gateway, files: Files) -> None:
        self._world = world
        self._gateway = gateway
        self._files = files
        self.late = 0

    def routes(self) -> list[web.RouteDef]:
        """Return this part's routes."""
        hook = PREFIX + "/webhooks/{id}/{token}"
        return [
            web.get(PREFIX + "/channels/{channel}/webhooks", self.list_hooks),
            web.post(PREFIX + "/channels/{channel}/webhooks", self.make_hook),
            web.post(PREFIX + "/interactions/{id}/{token}/callback", self.callback),
            web.post(hook, self.execute),
            web.get(hook + "/messages/{message}", self.fetch),
            web.patch(hook + "/messages/{message}", self.edit),
            web.delete(hook + "/messages/{message}", self.delete),
        ]

    async def list_hooks(self, request: web.Request) -> web.Response:
        """GET a channel's webhooks; foreign applications' tokens are not shown."""
        channel = self._world.channel_of(request.match_info["channel"])
        self._world.need(channel, MANAGE_WEBHOOKS)
        found = [hook for hook in self._world.hooks.values() if hook.channel is channel]
        return answer([self._hook_json(hook) for hook in found])

    async def make_hook(self, request: web.Request) -> web.Response:
        """POST: make an incoming webhook that belongs to the application."""
        channel = self._world.channel_of(request.match_info["channel"])
        self._world.need(channel, MANAGE_WEBHOOKS)
        if channel.kind != TEXT:
            raise Refused(400, 50024, "Cannot execute action on this channel type")
        name = (await body_of(request))["name"]
        if "clyde" in name.lower() or "discord" in name.lower():
            raise Refused(400, 50035, "Invalid Form Body")
        if sum(hook.channel is channel for hook in self._world.hooks.values()) >= PER_CHANNEL:
            raise Refused(400, 30007, "Maximum number of webhooks reached (15)")
        return answer(self._hook_json(self.add_hook(channel, name, self._world.app.id)))

    def add_hook(self, channel: Channel, name: str, app: str | None) -> Hook:
        """Keep a new webhook."""
        token = secrets.token_urlsafe(48)
        hook = Hook(self._world.snowflake(), token, channel, name, app)
        self._world.hooks[hook.id] = hook
        return hook

    def _hook_json(self, hook: Hook) -> Json:
        guild = hook.channel.guild
        plain: Json = {"id": hook.id, "type": 1, "name": hook.name, "avatar": None}
        plain |= {"channel_id": hook.channel.id, "guild_id": guild.id if guild else None}
        maker = self._world.app if hook.app else guild.owner if guild else self._world.app
        plain |= {"application_id": hook.app, "user": maker.as_json()}
        if hook.app in {None, self._world.app.id}:
            plain |= {"token": hook.token}
        return plain

    def _hook(self, request: web.Request) -> Hook | None:
        """Return the webhook that is addressed, or None for an interaction's token."""
        hook_id, token = request.match_info["id"], request.match_info["token"]
        if hook_id == self._world.app.id:
            return None
        hook = self._world.hooks.get(hook_id)
        if hook is None:
            raise Refused(404, 10015, "Unknown Webhook")
        if hook.token != token:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return hook

    def _interaction(self, request: web.Request) -> Interaction:
        token = request.match_info["token"]
        found = self._world.interactions.get(token)
        if found is None or found.answer is None:
            raise Refused(404, 10015, "Unknown Webhook")
        if found.expired:
            raise Refused(401, 50027, "Invalid Webhook Token")
        return found

    async def execute(self, request: web.Request) -> web.Response:
        """POST to a webhook, or a follow-up to an interaction."""
        body = await body_of(request)
        check_text(body)
        check_components(body.get("components") or [])
        hook = self._hook(request)
        if hook is None:
            interaction = self._interaction(request)
            uploads = await uploads_of(request)
            kept = [self._files.keep(interaction.channel, *upload) for upload in uploads]
            return answer(await self._follow_up(interaction, body, kept))
        channel = hook.channel
        if thread := request.query.get("thread_id"):
            channel = self._world.channel_of(thread)
            if channel.parent is not hook.channel:
                raise Refused(404, 10003, "Unknown Channel")
        name = body.get("username") or hook.name
        if "clyde" in name.lower() or "discord" in name.lower() or len(name) > 80:
            raise Refused(400, 50035, "Invalid Form Body")
        rows = body.get("components") or []
        if rows and hook.app is None:
            rows = []  # only an application's webhook may carry buttons
        message = self.webhook_message(hook, channel, name, body["content"], with_ids(rows))
        await self._gateway.publish_message("MESSAGE_CREATE", message, channel)
        if request.query.get("wait") not in {"1", "true"}:
            return web.Response(status=204)
        return answer(message)

    def webhook_message(
        self, hook: Hook, channel: Channel, name: str, content: str, rows: list[Json]
    ) -> Json:
        """Keep a message of a webhook under any name."""
        author: Json = {"id": hook.id, "username": name, "discriminator": "0000", "bot": True}
        author |= {"global_name": None, "avatar": None, "public_flags": 0, "flags": 0}
        author |= {"primary_guild": None}
        more: Json = {"webhook_id": hook.id, "components": rows}
        if hook.app is not None:
            more["application_id"] = hook.app
        message = self._world.write(channel, author, content, **more)
        channel.messages[message["id"]] = message
        return message

    async def _follow_up(self, interaction: Interaction, body: Json, files: list[Json]) -> Json:
        original = interaction.original
        if original is not None and original["flags"] & LOADING:
            original["attachments"] = files
            return await self._fill(interaction, original, body)
        return await self._say(interaction, body, int(body.get("flags") or 0), files)

    async def _say(
        self, interaction: Interaction, body: Json, flags: int, files: list[Json] | None = None
    ) -> Json:
        channel = interaction.channel
        kind = {2: 2, 3: 3, 5: 5}[interaction.kind]
        meta: Json = {"id": interaction.id, "type": kind, "user": interaction.person.as_json()}
        meta |= {
            "authorizing_integration_owners": {"0": channel.guild.id if channel.guild else "0"}
        }
        if kind == 3:
            meta |= {"interacted_message_id": interaction.message or "0"}
        if kind == 5:
            opened = {**meta, "id": self._world.snowflake(), "type": 3}
            opened |= {"interacted_message_id": interaction.message or "0"}
            meta |= {"triggering_interaction_metadata": opened}
        message = self._world.write(
            channel,
            self._world.app.as_json(),
            body.get("content") or "",
            flags=flags,
            attachments=files or [],
            components=with_ids(body.get("components") or []),
            interaction_metadata=meta,
            application_id=self._world.app.id,
            webhook_id=self._world.app.id,
            type=20 if interaction.kind == 2 else 19 if interaction.kind == 3 else 0,
        )
        if flags & EPHEMERAL:
            interaction.private.append(message)
        else:
            channel.messages[message["id"]] = message
            await self._gateway.publish_message("MESSAGE_CREATE", message, channel)
        return message

    async def _fill(self, interaction: Interaction, original: Json, body: Json) -> Json:
        original["flags"] &= ~LOADING
        await change(self._gateway, interaction.channel, original, body)
        return original

    def _addressed(self, request: web.Request) -> tuple[Channel, Json, Interaction | None]:
        wanted = request.match_info["message"]
        hook = self._hook(request)
        if hook is not None:
            channel = hook.channel
            if thread := request.query.get("thread_id"):
                channel = self._world.channel_of(thread)
            message = self._world.message_of(channel, wanted)
            if message.get("webhook_id") != hook.id:
                raise Refused(404, 10008, "Unknown Message")
            return channel, message, None
        interaction = self._interaction(request)
        channel = interaction.channel
        if wanted == "@original":
            if interaction.original is None:
                raise Refused(404, 10008, "Unknown Message")
            return channel, interaction.original, interaction
        for message in interaction.private:
            if message["id"] == wanted:
                return channel, message, interaction
        return channel, self._world.message_of(channel, wanted), interaction

    async def fetch(self, request: web.Request) -> web.Response:
        """GET a message by its webhook or interaction: with all its words."""
        return answer(self._addressed(request)[1])

    async def edit(self, request: web.Request) -> web.Response:
        """PATCH a message by its webhook or interaction."""
        channel, message, interaction = self._addressed(request)
        body = await body_of(request)
        if interaction is not None and message is interaction.original:
            return answer(await self._fill(interaction, message, body))
        await change(self._gateway, channel, message, body)
        return answer(message)

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE a message by its webhook or interaction."""
        channel, message, interaction = self._addressed(request)
        if message["id"] in channel.messages:
            await self._gateway.remove(channel, message["id"])
        if interaction is not None:
            if message is interaction.original:
                interaction.original = None
            interaction.private = [m for m in interaction.private if m is not message]
        return web.Response(status=204)

    async def callback(self, request: web.Request) -> web.Response:
        """POST the one answer to an interaction, within three seconds."""
        token = request.match_info["token"]
        found = self._world.interactions.get(token)
        if found is None or found.id != request.match_info["id"]:
            raise Refused(404, 10062, "Unknown interaction")
        if found.answer is None and time.monotonic() - found.sent_at > DEADLINE_S:
            self.late += 1
            raise Refused(404, 10062, "Unknown interaction")
        if found.answer is not None:
            raise Refused(400, 40060, "Interaction has already been acknowledged.")
        body = await body_of(request)
        kind = cast("int", body["type"])
        if kind not in ALLOWED[found.kind]:
            raise Refused(400, 50035, "Invalid Form Body")
        if kind == 9:
            check_modal(body["data"])
        found.answer = body
        resource = await self._answered(found, kind, body.get("data") or {})
        if request.query.get("with_response") not in {"1", "true"}:
            return web.Response(status=204)
        made: Json = {"interaction": {"id": found.id, "type": found.kind}}
        if found.original is not None:
            made["interaction"]["response_message_id"] = found.original["id"]
        return answer(made | ({"resource": resource} if resource else {}))

    async def _answered(self, found: Interaction, kind: int, data: Json) -> Json | None:
        """Do what an answer says; return what it has made."""
        if kind in {6, 7}:
            found.original = found.target
        if kind not in {4, 5}:
            return None
        flags = int(data.get("flags") or 0) | (LOADING if kind == 5 else 0)
        if kind == 4:
            check_text(data)
        found.original = await self._say(found, data, flags)
        return {"type": kind, "message": found.original} if kind == 4 else None


def check_modal(modal: Json) -> None:
    """Refuse a window whose fields hold more than they may."""
    for field in parts_of(modal):
        if len(field.get("value") or "") > (field.get("max_length") or 4000):
            raise Refused(400, 50035, "Invalid Form Body")
