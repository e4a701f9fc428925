"""Where a reply is written: messages of the bot's own, or a webhook's."""

from contextlib import suppress
from typing import Any, Protocol

import discord

from adapters.discord_chat.cards import Face
from adapters.discord_chat.layout import webhook_name
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from adapters.discord_chat.once import once_adapter

Room = (
    discord.TextChannel
    | discord.VoiceChannel
    | discord.StageChannel
    | discord.Thread
    | discord.DMChannel
)
View = discord.ui.View
_ONCE = once_adapter()


def place_of(room: Room | discord.abc.Snowflake) -> tuple[str, str]:
    """Return the (chat, thread) of a room, as they enter the slot."""
    if isinstance(room, discord.Thread):
        return str(room.parent_id), str(room.id)
    return str(room.id), ""


class Sheet(Protocol):
    """One place for the parts of one reply; parts are sent in order.

    Errors that may leave it: `OutOfReachError` and its kinds, `TransientError` (the part may be
    there: the same call again makes no second one where the platform offers that).
    """

    @property
    def sender(self) -> str:
        """The account or webhook that writes here."""
        ...

    @property
    def confides(self) -> bool:
        """Whether a refusal reaches the fan alone."""
        ...

    async def working(self) -> None:
        """Show that a reply is being made; shown for some seconds."""
        ...

    async def send(self, part: int, content: str, view: View | None) -> str:
        """Write a part and return the platform's id of it."""
        ...

    async def edit(self, message: str, content: str, view: View | None) -> None:
        """Change a part that was written here."""
        ...

    async def read(self, message: str) -> str:
        """Return what stands in a part that was written here."""
        ...

    async def delete(self, message: str) -> None:
        """Take a part away; nothing happens if it is gone."""
        ...

    async def whisper(self, content: str) -> None:
        """Tell the fan alone, where the place has a way to do so; else tell nobody."""
        ...

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        """Tell the fan why there is no reply, to the fan alone where that is possible."""
        ...


class MessageSheet(Sheet):
    """Messages of the bot's own, the first one a reply to the fan's."""

    def __init__(
        self,
        room: Room,
        *,
        asked: str,
        account: str,
        reference: discord.MessageReference | None,
        is_silent: bool = False,
    ) -> None:
        """Prepare a sheet; a silent one tells nobody why there is no reply."""
        self._is_silent = is_silent
        self._room = room
        self._asked = asked
        self._account = account
        self._reference = reference

    @property
    def sender(self) -> str:
        """The bot's account."""
        return self._account

    @property
    def confides(self) -> bool:
        """Only in a direct channel: an ordinary message has no private answer."""
        return isinstance(self._room, discord.DMChannel)

    async def working(self) -> None:
        """Show the typing indicator."""
        with discord_errors():
            await self._room.typing()

    async def send(self, part: int, content: str, view: View | None) -> str:
        """Write a part; the nonce makes the platform drop a repetition."""
        nonce = f"{self._asked}-{part}"
        more: dict[str, Any] = {}
        if part == 0 and self._reference is not None:
            more["reference"] = self._reference
        if view is not None:
            more["view"] = view
        with discord_errors():
            sent: discord.Message = await self._room.send(content, nonce=nonce, **more)
        if sent.content.strip() != content.strip():  # what the first try with this nonce said
            await self.edit(str(sent.id), content, view)
        return str(sent.id)

    async def edit(self, message: str, content: str, view: View | None) -> None:
        """Change a message."""
        with discord_errors():
            partial = self._room.get_partial_message(int(message))
            await partial.edit(content=content, view=view)

    async def read(self, message: str) -> str:
        """Fetch a message."""
        with discord_errors():
            return (await self._room.fetch_message(int(message))).content

    async def delete(self, message: str) -> None:
        """Delete a message."""
        with suppress(OutOfReachError), discord_errors():
            await self._room.get_partial_message(int(message)).delete()

    async def whisper(self, content: str) -> None:
        """Do nothing: a message has a button for that."""

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        """Answer in the open: an ordinary message has no private answer."""
        if self._is_silent:
            return
        more: dict[str, Any] = {}
        if self._reference is not None:
            more["reference"] = self._reference
        if view is not None:
            more["view"] = view
        with discord_errors():
            await self._room.send(sentence, **more)


class WebhookSheet(Sheet):
    """Messages of the channel's webhook, under the twin's name."""

    def __init__(self, webhook: discord.Webhook, room: Room, *, face: Face, spare: Sheet) -> None:
        """Prepare a sheet; `spare` is where typing and refusals go."""
        self._webhook = webhook
        self._room = room
        self._face = face
        self._spare = spare
        is_thread = isinstance(room, discord.Thread)
        self._thread = discord.Object(room.id) if is_thread else discord.utils.MISSING

    @property
    def sender(self) -> str:
        """The webhook."""
        return str(self._webhook.id)

    @property
    def confides(self) -> bool:
        """As the spare sheet."""
        return self._spare.confides

    async def working(self) -> None:
        """Show the bot's typing indicator: webhooks have none."""
        await self._spare.working()

    async def send(self, part: int, content: str, view: View | None) -> str:  # noqa: ARG002  the port
        """Write a part; webhooks have no nonce, so a lost answer is read back."""
        with discord_errors(), _ONCE.used():
            sent = await self._webhook.send(
                content,
                username=webhook_name(self._face.name),
                avatar_url=self._face.picture or discord.utils.MISSING,
                view=discord.utils.MISSING if view is None else view,
                thread=self._thread,
                wait=True,
            )
        return str(sent.id)

    async def edit(self, message: str, content: str, view: View | None) -> None:
        """Change a message."""
        with discord_errors():
            await self._webhook.edit_message(
                int(message), content=content, view=view, thread=self._thread
            )

    async def read(self, message: str) -> str:
        """Fetch a message through the webhook, which shows it with or without intents."""
        with discord_errors():
            found = await self._webhook.fetch_message(int(message), thread=self._thread)
        return found.content

    async def delete(self, message: str) -> None:
        """Delete a message."""
        with suppress(OutOfReachError), discord_errors():
            await self._webhook.delete_message(int(message), thread=self._thread)

    async def whisper(self, content: str) -> None:
        """Whisper where the spare sheet can."""
        await self._spare.whisper(content)

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        """Refuse under the bot's own name."""
        await self._spare.refuse(sentence, view)
