"""Where a reply is written: a message of the bot's own, a webhook's, or an interaction's answer."""

from typing import Any, Protocol

import discord

from adapters.discord_chat.mapping import InteractionOverError, discord_errors

Room = (
    discord.TextChannel
    | discord.VoiceChannel
    | discord.StageChannel
    | discord.Thread
    | discord.DMChannel
)
View = discord.ui.View


class Sheet(Protocol):
    """One place for the parts of one reply; parts are sent in order.

    Errors that may leave it: `OutOfReachError` and its kinds, `TransientError` (the part may be
    there: the same call again makes no second one where the platform offers that).
    """

    @property
    def sender(self) -> str:
        """The account or webhook that writes here."""
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

    async def whisper(self, content: str) -> None:
        """Tell the fan alone, where the place has a way to do so; else tell nobody."""
        ...

    async def refuse(self, sentence: str) -> None:
        """Tell the fan why there is no reply, to the fan alone where that is possible."""
        ...


class MessageSheet(Sheet):
    """Messages of the bot's own, the first one a reply to the fan's."""

    def __init__(
        self, room: Room, *, asked: str, account: str, reference: discord.MessageReference | None
    ) -> None:
        self._room = room
        self._asked = asked
        self._account = account
        self._reference = reference

    @property
    def sender(self) -> str:
        """The bot's account."""
        return self._account

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

    async def whisper(self, content: str) -> None:
        """Do nothing: a message has a button for that."""

    async def refuse(self, sentence: str) -> None:
        """Answer in the open: an ordinary message has no private answer."""
        with discord_errors():
            if self._reference is None:
                await self._room.send(sentence)
            else:
                await self._room.send(sentence, reference=self._reference)


class WebhookSheet(Sheet):
    """Messages of the channel's webhook, under the twin's name."""

    def __init__(self, webhook: discord.Webhook, room: Room, *, name: str, spare: Sheet) -> None:
        """Prepare a sheet; `spare` is where typing and refusals go."""
        self._webhook = webhook
        self._room = room
        self._name = name
        self._spare = spare
        is_thread = isinstance(room, discord.Thread)
        self._thread = discord.Object(room.id) if is_thread else discord.utils.MISSING

    @property
    def sender(self) -> str:
        """The webhook."""
        return str(self._webhook.id)

    async def working(self) -> None:
        """Show the bot's typing indicator: webhooks have none."""
        await self._spare.working()

    async def send(self, part: int, content: str, view: View | None) -> str:  # noqa: ARG002  the port
        """Write a part; webhooks have no nonce, so a lost answer is read back."""
        with discord_errors():
            sent = await self._webhook.send(
                content,
                username=self._name,
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

    async def whisper(self, content: str) -> None:
        """Whisper where the spare sheet can."""
        await self._spare.whisper(content)

    async def refuse(self, sentence: str) -> None:
        """Refuse under the bot's own name."""
        await self._spare.refuse(sentence)


class InteractionSheet(Sheet):
    """The answer of an interaction that was deferred in the open, then follow-ups to it.

    Its token lives 15 minutes; `late` writes when that is over.
    """

    def __init__(
        self, interaction: discord.Interaction[discord.Client], *, late: MessageSheet
    ) -> None:
        self._interaction = interaction
        self._late = late
        self._first = ""

    @property
    def sender(self) -> str:
        """The bot's account."""
        return self._late.sender

    async def working(self) -> None:
        """Do nothing: the platform shows that the bot is thinking."""

    async def send(self, part: int, content: str, view: View | None) -> str:
        """Fill the deferred answer, or follow up."""
        try:
            with discord_errors():
                if part == 0:
                    first = await self._interaction.edit_original_response(
                        content=content, view=view
                    )
                    self._first = str(first.id)
                    return self._first
                sent = await self._interaction.followup.send(
                    content, view=discord.utils.MISSING if view is None else view, wait=True
                )
        except InteractionOverError:
            return await self._late.send(part, content, view)
        return str(sent.id)

    async def edit(self, message: str, content: str, view: View | None) -> None:
        """Change a part."""
        try:
            with discord_errors():
                if message == self._first:
                    await self._interaction.edit_original_response(content=content, view=view)
                else:
                    await self._interaction.followup.edit_message(
                        int(message), content=content, view=view
                    )
        except InteractionOverError:
            await self._late.edit(message, content, view)

    async def whisper(self, content: str) -> None:
        """Follow up for the fan's eyes only."""
        with discord_errors():
            await self._interaction.followup.send(content, ephemeral=True)

    async def refuse(self, sentence: str) -> None:
        """Take the public place away and tell the fan alone."""
        with discord_errors():
            await self._interaction.delete_original_response()
            await self._interaction.followup.send(sentence, ephemeral=True)


class EphemeralSpare(MessageSheet):
    """Beside a webhook that answers an interaction: the deferred answer is the fan's alone."""

    def __init__(
        self,
        interaction: discord.Interaction[discord.Client],
        room: Room,
        *,
        asked: str,
        account: str,
    ) -> None:
        super().__init__(room, asked=asked, account=account, reference=None)
        self._interaction = interaction

    async def working(self) -> None:
        """Do nothing: the platform shows that the bot is thinking."""

    async def whisper(self, content: str) -> None:
        """Fill the deferred answer."""
        with discord_errors():
            await self._interaction.edit_original_response(content=content)

    async def refuse(self, sentence: str) -> None:
        """Fill the deferred answer with the reason."""
        await self.whisper(sentence)
