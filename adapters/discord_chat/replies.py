"""What the buttons under a reply and the entries of its menu do."""

from typing import Any

import discord

from adapters.discord_chat import texts
from adapters.discord_chat.again import Again
from adapters.discord_chat.cards import Cards
from adapters.discord_chat.credit.buttons import dispute_view
from adapters.discord_chat.fans import Fans
from adapters.discord_chat.mapping import discord_errors
from adapters.discord_chat.privately import Said, privately, tell, tell_failure
from adapters.discord_chat.verify import Verifier
from adapters.discord_chat.windows import report_window, talk_window
from bot.domain.errors import BotError, UserError
from bot.ports.chat import ChatInbox
from bot.ports.discord_state import DiscordState

PLATFORM = "discord"
Interaction = discord.Interaction[Any]


class Replies:
    """Serves interactions with one reply."""

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        state: DiscordState,
        fans: Fans,
        cards: Cards,
        again: Again,
        verifier: Verifier,
        public_base_url: str,
        may_dispute: bool = False,
    ) -> None:
        self._inbox = inbox
        self._state = state
        self._fans = fans
        self._cards = cards
        self._again = again
        self._verifier = verifier
        self._base = public_base_url.rstrip("/")
        self._may_dispute = may_dispute

    async def on_proof(self, interaction: Interaction, receipt: str) -> None:
        """Give the fan who was answered the link with its key, others the one without."""

        async def answer() -> str | Said:
            try:
                link = await self._inbox.link_of(receipt, PLATFORM, str(interaction.user.id))
            except UserError:
                return texts.PUBLIC_PROOF.format(link=f"{self._base}/r/{receipt}")
            said = f"Only you see this. Your proof, with the key that opens it: <{link}>"
            return Said(said, view=dispute_view(receipt)) if self._may_dispute else said

        await privately(interaction, answer)

    async def on_reply(self, interaction: Interaction, twin: str) -> None:
        """Open the window for another message; it must be the first answer, so nothing waits."""
        name = self._cards.names.get(twin, twin)
        try:
            with discord_errors():
                await interaction.response.send_modal(talk_window(twin, name))
        except BotError as error:
            await tell_failure(interaction, error)

    async def on_stop(self, interaction: Interaction, asked: str) -> None:
        """End a reply that grows; its message then shows what there is."""

        async def answer() -> str:
            fan = str(interaction.user.id)
            room = self._fans.room_of(interaction)
            if room is None:
                raise UserError(texts.NOT_HERE)
            posts = await self._state.posts_of(asked)
            if any(post.fan != fan for post in posts):
                raise UserError(texts.NOT_YOURS)
            surface = self._fans.surface(room)
            stopped = await self._inbox.stop(surface, asked, fan, str(interaction.id))
            return "" if stopped else texts.ENDED

        await privately(interaction, answer, visible=False)

    async def on_again(self, interaction: Interaction, receipt: str) -> None:
        """Have another reply made in place of one."""
        room = self._fans.room_of(interaction)

        async def answer() -> str | Said:
            if room is None:
                raise UserError(texts.NOT_HERE)
            return await self._again.make(
                event=str(interaction.id),
                receipt=receipt,
                fan=str(interaction.user.id),
                room=room,
                guild=interaction.guild,
            )

        await privately(interaction, answer, visible=False)

    async def verify(self, interaction: Interaction, message: discord.Message) -> None:
        """Judge a message."""

        async def answer() -> str:
            return await self._verifier.judge(message)

        await privately(interaction, answer)

    async def report(self, interaction: Interaction, message: discord.Message) -> None:
        """Open the window for a complaint; whether it is a reply of ours shows when it is sent."""
        try:
            if not message.author.bot:
                await tell(interaction, texts.NO_REPLY_TO_REPORT)
                return
            with discord_errors():
                await interaction.response.send_modal(report_window(str(message.id)))
        except BotError as error:
            await tell_failure(interaction, error)

    async def reported(self, interaction: Interaction, message: str, reason: str) -> None:
        """Hand a complaint to the core."""

        def refused(sentence: str) -> str:
            return texts.with_words(sentence, reason)

        async def answer() -> str:
            post = await self._state.post(message)
            if post is None:
                raise UserError(texts.NO_REPLY_TO_REPORT)
            if not post.receipt:
                raise UserError(texts.GROWING_TO_REPORT)
            fan = str(interaction.user.id)
            await self._inbox.report(post.receipt, PLATFORM, fan, reason.strip())
            return texts.REPORTED

        await privately(interaction, answer, refused=refused)
