"""Under which name a twin speaks: the bot's own, a webhook's, or the bot's with a heading."""

from dataclasses import dataclass

import discord

from adapters.discord_chat.cards import Face
from adapters.discord_chat.interactions import EphemeralSpare, InteractionSheet
from adapters.discord_chat.layout import Frame
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.sheets import MessageSheet, Room, Sheet, WebhookSheet
from bot.ports.discord_state import DiscordState

HOOK_NAME = "Twinproof"
QUOTE_CHARACTERS = 150
_HOOKED = discord.TextChannel | discord.VoiceChannel | discord.StageChannel | discord.ForumChannel


@dataclass(frozen=True, slots=True)
class Spot:
    """Where somebody waits for an answer.

    Attributes:
        asked: id of the message or interaction.
        fan: who asked.
        room: the channel, thread or direct channel.
        guild: the server; None in direct messages.
        interaction: what is to be answered, if it was an interaction.
        whispers: whether the interaction was deferred for the fan's eyes only.
        quote: the question, where others can't see it otherwise; else empty.
        linked: whether the question is a message that can be replied to.
        header: the lines above the reply, where they stand already; None: to be made.
        unasked: whether nobody has asked for an answer, so that a refusal is not told.
    """

    asked: str
    fan: str
    room: Room
    guild: discord.Guild | None
    interaction: discord.Interaction[discord.Client] | None = None
    whispers: bool = False
    quote: str = ""
    linked: bool = True
    header: str | None = None
    unasked: bool = False

    @property
    def can_refer(self) -> bool:
        """Whether an answer may point at the question; that needs the channel's history."""
        if not self.linked or isinstance(self.room, discord.DMChannel):
            return self.linked
        return self.room.permissions_for(self.room.guild.me).read_message_history


def header_of(content: str, fan: str) -> str:
    """Return the line above a reply that names whom it answers, as `_header` has made it."""
    first, end, _ = content.partition("\n")
    is_header = first.startswith((f"-# <@{fan}>: ", f"-# to <@{fan}>"))
    return first + end if is_header else ""


def can_keep_webhooks(spot_room: object, permissions: discord.Permissions) -> bool:
    """Say whether a room takes webhooks and the bot may make them."""
    return permissions.manage_webhooks and _hooked(spot_room) is not None


def _hooked(room: object) -> _HOOKED | None:
    """Return the channel whose webhooks can write in a room; threads have none of their own."""
    if isinstance(room, discord.Thread):
        room = room.parent
    return room if isinstance(room, _HOOKED) else None


class Identity:
    """Chooses names and keeps one webhook for each channel.

    `_webhooks` holds those found since the start, by channel.
    """

    def __init__(self, *, account: int, state: DiscordState) -> None:
        self._account = account
        self._state = state
        self._webhooks: dict[int, discord.Webhook] = {}

    async def open(self, spot: Spot, face: Face) -> tuple[Sheet, Frame]:
        """Return where a twin's reply is written and what stands around it."""
        name = face.name
        is_itself = spot.guild is not None and spot.guild.me.display_name == name
        if spot.guild is not None and not is_itself and (not spot.interaction or spot.whispers):
            webhook = await self.webhook(spot.room)
            if webhook is not None:
                spare = self._own(spot)
                sheet = WebhookSheet(webhook, spot.room, face=face, spare=spare)
                return sheet, Frame(name, _header(spot, own_reply=False), private=False)
        heading = "" if is_itself else f"**{name}**\n"
        header = _header(spot, own_reply=True) + heading
        return self._own(spot), Frame(
            name, header, private=isinstance(spot.room, discord.DMChannel)
        )

    def own(self, spot: Spot) -> MessageSheet:
        """Return the sheet of the bot's own messages in a place."""
        reference = None
        if spot.can_refer:
            reference = discord.MessageReference(
                message_id=int(spot.asked), channel_id=spot.room.id, fail_if_not_exists=False
            )
        return MessageSheet(
            spot.room,
            asked=spot.asked,
            account=str(self._account),
            reference=reference,
            is_silent=spot.unasked,
        )

    def _own(self, spot: Spot) -> MessageSheet | InteractionSheet:
        if spot.interaction is None:
            return self.own(spot)
        if spot.whispers:
            return EphemeralSpare(
                spot.interaction, spot.room, asked=spot.asked, account=str(self._account)
            )
        late = MessageSheet(spot.room, asked=spot.asked, account=str(self._account), reference=None)
        return InteractionSheet(spot.interaction, late=late)

    async def webhook(self, room: Room) -> discord.Webhook | None:
        """Return our webhook for a room: known, found again, or new; None if there can be none."""
        channel = _hooked(room)
        if channel is None:
            return None
        if channel.id in self._webhooks:
            return self._webhooks[channel.id]
        if not channel.permissions_for(channel.guild.me).manage_webhooks:
            return None
        try:
            webhook = await self._find_or_make(channel)
        except OutOfReachError:
            return None
        await self._state.keep_webhook(str(channel.id), str(webhook.id))
        self._webhooks[channel.id] = webhook
        return webhook

    def forget_webhook(self, room: Room) -> None:
        """Drop what is known of a room's webhook: it is gone."""
        channel = _hooked(room)
        if channel is not None:
            self._webhooks.pop(channel.id, None)

    async def _find_or_make(self, channel: _HOOKED) -> discord.Webhook:
        with discord_errors():
            for webhook in await channel.webhooks():
                is_ours = webhook.user is not None and webhook.user.id == self._account
                if is_ours and webhook.token is not None:
                    return webhook
            return await channel.create_webhook(name=HOOK_NAME)


def _header(spot: Spot, *, own_reply: bool) -> str:
    """Return the line that says what is answered, where the platform does not show it."""
    if spot.header is not None:
        return spot.header
    if spot.guild is None and not spot.quote:
        return ""
    if spot.quote:
        line = " ".join(discord.utils.escape_markdown(spot.quote).split())
        if len(line) > QUOTE_CHARACTERS:
            line = line[:QUOTE_CHARACTERS].rstrip() + " …"
        return f"-# <@{spot.fan}>: {line}\n"
    if own_reply and spot.can_refer:
        return ""
    if spot.linked and spot.guild is not None:
        path = f"{spot.guild.id}/{spot.room.id}/{spot.asked}"
        return f"-# to <@{spot.fan}> · <https://discord.com/channels/{path}>\n"
    return f"-# to <@{spot.fan}>\n"
