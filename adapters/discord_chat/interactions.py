"""Where a reply to a command or a window is written, while its interaction lives and after."""

import discord

from adapters.discord_chat.mapping import InteractionOverError, discord_errors
from adapters.discord_chat.sheets import MessageSheet, Room, Sheet, View


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

    @property
    def confides(self) -> bool:
        """A refusal is a follow-up that only the fan sees."""
        return True

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

    async def read(self, message: str) -> str:
        """Fetch a part from the channel."""
        return await self._late.read(message)

    async def delete(self, message: str) -> None:
        """Delete a part from the channel: that works when the interaction is over, too."""
        await self._late.delete(message)

    async def whisper(self, content: str) -> None:
        """Follow up for the fan's eyes only."""
        with discord_errors():
            await self._interaction.followup.send(content, ephemeral=True)

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        """Take the public place away and tell the fan alone."""
        shown = discord.utils.MISSING if view is None else view
        with discord_errors():
            await self._interaction.delete_original_response()
            await self._interaction.followup.send(sentence, ephemeral=True, view=shown)


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

    @property
    def confides(self) -> bool:
        """The deferred answer is the fan's alone."""
        return True

    async def whisper(self, content: str) -> None:
        """Fill the deferred answer."""
        await self.refuse(content)

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        """Fill the deferred answer with the reason."""
        with discord_errors():
            await self._interaction.edit_original_response(content=sentence, view=view)
