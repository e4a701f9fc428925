"""One reply's messages while they grow: what is shown, changed only where it must be."""

import hashlib
from collections.abc import Sequence

import discord

from adapters.discord_chat.buttons import final_view, growing_view
from adapters.discord_chat.sheets import Sheet
from bot.domain.errors import TransientError
from bot.ports.chat import IncomingMessage
from bot.ports.discord_state import DiscordState, Post

GROWING, BARE = "growing", "bare"


def digest_of(content: str) -> str:
    """Return the digest by which a shown text is recognised; the platform trims what it shows."""
    return hashlib.sha256(content.strip().encode()).hexdigest()


class Draft:
    """The parts of one reply in one place.

    Attributes:
        doubtful: whether a part may have been sent without our learning its id.
        changed: whether anything was written or changed.
    """

    def __init__(
        self,
        *,
        sheet: Sheet,
        state: DiscordState,
        message: IncomingMessage,
        private: bool,
        known: Sequence[str] = (),
    ) -> None:
        """Prepare a draft.

        Args:
            sheet: where it is written.
            state: remembers which message shows what.
            message: what is answered.
            private: whether only the fan reads this place.
            known: ids of parts that were written there before, in order.
        """
        self.sheet = sheet
        self.doubtful = self.changed = False
        self._state = state
        self._message = message
        self._private = private
        self._ids = list(known)
        self._faces: list[tuple[str, str] | None] = [None] * len(self._ids)

    @property
    def count(self) -> int:
        """How many parts were written."""
        return len(self._ids)

    async def show(self, parts: Sequence[str], receipt: str = "") -> None:
        """Write what is new and change what is different; the end takes away what is too much.

        Raises:
            OutOfReachError: this place can't show it.
            TransientError: not all of it is shown.
        """
        for part, content in enumerate(parts):
            is_last = part == len(parts) - 1
            kind = GROWING if not receipt else receipt if is_last else BARE
            shown = (receipt, digest_of(content)) if receipt else ("", "")
            is_new = part == len(self._ids)
            await self._show_part(part, (content, kind), shown)
            if receipt and not is_new:
                await self._keep(part, *shown)
        if receipt:
            await self._trim(len(parts))

    async def close(self, sentence: str) -> None:
        """Show a sentence in place of all parts."""
        await self._show_part(0, (sentence, BARE))
        await self._trim(1)

    async def _show_part(
        self, part: int, face: tuple[str, str], shown: tuple[str, str] = ("", "")
    ) -> None:
        self.changed = True
        if part == len(self._ids):
            await self._send(part, face)
            await self._keep(part, *shown)
        elif self._faces[part] != face:
            await self.sheet.edit(self._ids[part], face[0], self._view(face[1]))
        self._faces[part] = face

    async def _trim(self, count: int) -> None:
        while len(self._ids) > count:
            await self.sheet.delete(self._ids[-1])
            await self._state.drop_post(self._ids[-1])
            del self._ids[-1], self._faces[-1]

    async def _send(self, part: int, face: tuple[str, str]) -> None:
        try:
            self._ids.append(await self.sheet.send(part, face[0], self._view(face[1])))
        except TransientError:
            self.doubtful = True
            raise
        self._faces.append(face)

    def _view(self, kind: str) -> discord.ui.View | None:
        asked = self._message.message_id
        if kind == BARE:
            return None
        if kind == GROWING:
            return growing_view(asked)
        return final_view(asked, self._message.twin, kind, private=self._private)

    async def _keep(self, part: int, receipt: str, digest: str) -> None:
        surface = self._message.surface
        await self._state.keep_post(
            Post(
                message=self._ids[part],
                asked=self._message.message_id,
                part=part,
                chat=surface.chat,
                thread=surface.thread,
                sender=self.sheet.sender,
                twin=self._message.twin,
                fan=self._message.fan,
                receipt=receipt,
                digest=digest,
            )
        )
