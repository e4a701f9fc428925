"""What people do with their clients; the platform lets them do no more than this."""

import asyncio
import secrets
import time
from typing import Any, cast

from tests.acceptance.discord.files import Files, parts_of
from tests.acceptance.discord.gateway import Gateway
from tests.acceptance.discord.world import (
    EPHEMERAL,
    SEND_MESSAGES,
    Channel,
    Interaction,
    Json,
    Person,
    World,
    stamp,
)

SUBCOMMAND, SUBGROUP, STRING, INTEGER, ATTACHMENT = 1, 2, 3, 4, 11
Option = str | int | Json

PATIENCE_S = 15


class People:
    """Writes messages, runs commands, presses buttons, as a person's client does."""

    def __init__(self, world: World, gateway: Gateway, files: Files) -> None:
        self._world = world
        self._gateway = gateway
        self._files = files

    async def say(
        self, person: Person, channel: Channel, text: str, *, reply_to: str | None = None
    ) -> str:
        """Write a message, perhaps as a reply with its ping; return its id."""
        more: Json = {}
        target = channel.messages.get(reply_to or "", {})
        if reply_to is not None:
            reference = {"type": 0, "channel_id": channel.id, "message_id": reply_to}
            more = {"message_reference": reference, "referenced_message": target, "type": 19}
        message = self._world.write(channel, person.as_json(), text, **more)
        # The ping of a reply reaches accounts, but never webhooks or answers to interactions.
        if reply_to is not None and "webhook_id" not in target:
            mentioned = {entry["id"]: entry for entry in [*message["mentions"], target["author"]]}
            message["mentions"] = list(mentioned.values())
        channel.messages[message["id"]] = message
        await self._gateway.publish_message("MESSAGE_CREATE", message, channel)
        return cast("str", message["id"])

    async def change(self, person: Person, channel: Channel, message_id: str, text: str) -> None:
        """Edit a message of one's own."""
        message = channel.messages[message_id]
        if message["author"]["id"] != person.id:
            raise AssertionError("nobody edits another one's message")
        message |= {"content": text, "edited_timestamp": stamp()}
        await self._gateway.publish_message("MESSAGE_UPDATE", message, channel)

    async def delete(self, channel: Channel, *message_ids: str, bulk: bool = False) -> None:
        """Delete messages: one's own, or any as a moderator; only others' bots do it in bulk."""
        await self._gateway.remove(channel, *message_ids, bulk=bulk)

    async def delete_room(self, channel: Channel) -> None:
        """Delete a channel with its threads, or a thread, as those who manage it can."""
        world, guild = self._world, channel.guild
        if guild is None:
            raise AssertionError("nobody deletes a direct channel")
        plain = channel.as_json(world.app)
        guild.channels = [c for c in guild.channels if channel not in (c, c.parent)]
        gone = [c.id for c in world.channels.values() if channel in (c, c.parent)]
        world.hooks = {h.id: h for h in world.hooks.values() if h.channel is not channel}
        for number in gone:
            del world.channels[number]
        if channel.parent is None:
            await self._gateway.publish("CHANNEL_DELETE", plain)
            return
        named = {"id": channel.id, "guild_id": guild.id, "parent_id": channel.parent.id}
        await self._gateway.publish("THREAD_DELETE", {**named, "type": channel.kind})

    async def attach(
        self, channel: Channel, name: str, data: bytes, *, claimed: int | None = None
    ) -> Json:
        """Upload a file for a command's option."""
        return self._files.keep(channel, name, data, claimed=claimed)

    async def command(
        self, person: Person, channel: Channel, name: str, /, **options: Option
    ) -> Interaction:
        """Run a slash command: `talk`, or `twin pick` with its subcommand."""
        self._may_use(person, channel, name.split(maxsplit=1)[0])
        return await self._send(person, channel, 2, self._command_data(name, options))

    async def autocomplete(
        self, person: Person, channel: Channel, name: str, /, **options: Option
    ) -> Interaction:
        """Type into an option, the last one given."""
        data = self._command_data(name, options, focused=list(options)[-1])
        return await self._send(person, channel, 4, data)

    async def menu(
        self, person: Person, channel: Channel, name: str, message_id: str
    ) -> Interaction:
        """Use a message's context menu."""
        command = self._command(name, kind=3)
        target = channel.messages[message_id]
        data: Json = {"id": command["id"], "name": name, "type": 3, "target_id": message_id}
        data |= {"resolved": {"messages": {message_id: target}}}
        return await self._send(person, channel, 2, data)

    async def press(
        self, person: Person, channel: Channel, message_id: str, label: str
    ) -> Interaction:
        """Press the button of a message."""
        return await self._press(person, channel, channel.messages[message_id], label)

    async def press_private(self, told: Interaction, label: str) -> Interaction:
        """Press the button of what only this person was told, as soon as it is there.

        A long answer is several messages, and its buttons are below the last one.
        """
        async with asyncio.timeout(PATIENCE_S):
            while not (with_it := [one for one in told.private if label in _labels(one)]):  # noqa: ASYNC110  no event for it
                await asyncio.sleep(0.02)
        return await self._press(told.person, told.channel, with_it[-1], label)

    async def _press(
        self, person: Person, channel: Channel, message: Json, label: str
    ) -> Interaction:
        buttons = [button for row in message["components"] for button in row["components"]]
        button = next(item for item in buttons if item.get("label") == label)
        if button.get("disabled") or button.get("url"):
            raise AssertionError(f"the button {label} can't be pressed")
        data = {"custom_id": button["custom_id"], "component_type": 2, "id": button["id"]}
        return await self._send(person, channel, 3, data, message=message)

    async def submit(self, opened: Interaction, *values: str) -> Interaction:
        """Fill the modal that an interaction has opened, and send it."""
        if opened.answer is None or opened.answer["type"] != 9:
            raise AssertionError("no modal is open")
        modal = opened.answer["data"]
        components: list[Json] = []
        for field, value in zip(parts_of(modal), values, strict=True):
            shortest = (field.get("min_length") or 0) if value or field.get("required", True) else 0
            if not shortest <= len(value) <= field.get("max_length", 4000):
                raise AssertionError("the field does not take this text")
            filled = {"type": 4, "custom_id": field["custom_id"], "value": value, "id": 2}
            components.append({"type": 18, "id": 1, "component": filled})
        words = [part for part in modal["components"] if part["type"] == 10]
        components += [{"type": 10, "id": 3 + number} for number, _ in enumerate(words)]
        data = {"custom_id": modal["custom_id"], "components": components}
        message = opened.channel.messages.get(opened.message or "")
        return await self._send(opened.person, opened.channel, 5, data, message=message)

    def seen(self, channel: Channel) -> list[Json]:
        """Return what the application shows in a channel to everybody, oldest first."""
        own = {self._world.app.id} | set(self._world.hooks)
        return [m for m in channel.messages.values() if m["author"]["id"] in own]

    def _command(self, name: str, kind: int = 1) -> Json:
        for command in self._world.commands:
            if command["name"] == name and command["type"] == kind:
                return command
        raise AssertionError(f"there is no command {name}")

    def _may_use(self, person: Person, channel: Channel, name: str) -> None:
        needed = int(self._command(name)["default_member_permissions"] or 0)
        if channel.guild and needed & ~channel.guild.may(person):
            raise AssertionError(f"{name} is not shown to {person.name}")

    def _command_data(self, path: str, options: dict[str, Option], focused: str = "") -> Json:
        name, _, inner = path.partition(" ")
        command = self._command(name)
        known = command.get("options", [])
        if inner:
            known = next(item for item in known if item["name"] == inner).get("options", [])
        if any(option["type"] in {SUBCOMMAND, SUBGROUP} for option in known):
            raise AssertionError(f"{path} is only the beginning of a command")
        given: list[Json] = []
        files: Json = {}
        for option in known:
            if option["name"] in options:
                given.append(_filled(option, options[option["name"]], files, typing=bool(focused)))
            elif option.get("required") and not focused:
                raise AssertionError(f"{path} needs {option['name']}")
        if len(given) != len(options):
            raise AssertionError(f"{path} has no options {set(options)}")
        for entry in given:
            if entry["name"] == focused:
                entry["focused"] = True
        if inner:
            given = [{"name": inner, "type": SUBCOMMAND, "options": given}]
        data: Json = {"id": command["id"], "name": name, "type": 1, "options": given}
        return data | ({"resolved": {"attachments": files}} if files else {})

    async def _send(
        self,
        person: Person,
        channel: Channel,
        kind: int,
        data: Json,
        *,
        message: Json | None = None,
    ) -> Interaction:
        world = self._world
        made = Interaction(
            id=world.snowflake(),
            token=secrets.token_urlsafe(60),
            kind=kind,
            person=person,
            channel=channel,
            sent_at=time.monotonic(),
            message=message["id"] if message else None,
            target=message,
        )
        world.interactions[made.token] = made
        event: Json = {"id": made.id, "token": made.token, "type": kind, "version": 1}
        event |= {"application_id": world.app.id, "channel_id": channel.id, "data": data}
        event |= {"channel": _partial(channel, world), "locale": "en-US"}
        event |= {"entitlements": self._owned_by(person)}
        event |= {"app_permissions": str(world.powers(channel)), "attachment_size_limit": 1 << 20}
        if channel.guild is not None:
            guild = channel.guild
            member = world.member(guild, person) | {"user": person.as_json()}
            event |= {"member": member | {"permissions": str(guild.may(person))}}
            event |= {"guild_id": guild.id, "guild_locale": "en-US", "context": 0}
            event |= {"guild": {"id": guild.id, "locale": "en-US", "features": []}}
            event |= {"authorizing_integration_owners": {"0": guild.id}}
        else:
            event |= {"user": person.as_json(), "context": 1}
            event |= {"authorizing_integration_owners": {"0": "0"}}
        if message is not None:
            event |= {"message": message}
        await self._gateway.publish("INTERACTION_CREATE", event)
        return made

    def _owned_by(self, person: Person) -> list[Json]:
        """Return what a person has bought and not used up."""
        return [
            dict(one)
            for one in self._world.entitlements.values()
            if one["user_id"] == person.id and not one["consumed"] and not one["deleted"]
        ]


def _filled(option: Json, value: Option, files: Json, *, typing: bool) -> Json:
    """Fill an option as a client does; a file goes beside it."""
    if not typing and not _takes(option, value):
        raise AssertionError("the option does not take this value")
    if isinstance(value, dict):
        files[value["id"]] = value
        value = value["id"]
    return {"name": option["name"], "type": option["type"], "value": value}


def _takes(option: Json, value: Option) -> bool:
    """Say whether a client lets a person give a value to an option."""
    allowed = [choice["value"] for choice in option.get("choices") or []]
    if allowed and value not in allowed:
        return False
    if option["type"] == STRING and isinstance(value, str):
        longest = option.get("max_length") or 6000
        return (option.get("min_length") or 0) <= len(value) <= longest
    if option["type"] == INTEGER and isinstance(value, int):
        return bool(option.get("min_value", 0) <= value <= option.get("max_value", 1 << 53))
    return option["type"] == ATTACHMENT and isinstance(value, dict)


def _labels(message: Json) -> list[str | None]:
    rows = message.get("components") or []
    return [button.get("label") for row in rows for button in row["components"]]


def private(interaction: Interaction) -> list[str]:
    """Return what only this person was told in answer to the interaction."""
    return [message["content"] for message in interaction.private if message["flags"] & EPHEMERAL]


def shown(interaction: Interaction) -> Any:  # noqa: ANN401  a message, as JSON
    """Return the public answer of an interaction; None if it has none yet."""
    original = interaction.original
    if original is None or original["flags"] & (EPHEMERAL | 128):
        return None
    return original


def _partial(channel: Channel, world: World) -> Json:
    plain = channel.as_json(world.app)
    if channel.guild is None:
        return plain
    return plain | {"permissions": str(world.powers(channel) | SEND_MESSAGES)}
