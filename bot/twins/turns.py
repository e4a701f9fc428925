"""One turn at a time in each conversation, in the order in which people came.

A message that may be merged can be taken along by the one before it while it waits. A message that
is taken back while it waits, or before it was decided what it gets, gets nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bot.domain.errors import UserError
from bot.domain.fields import MessagePart
from bot.ports.chat import IncomingMessage, Surface


class TakenBackError(UserError):
    """The message was withdrawn before its reply was there."""

    def __init__(self) -> None:
        super().__init__("The message was taken back; nothing was charged.")


@dataclass(slots=True, eq=False)
class Turn:
    """Somebody in a conversation's line.

    Attributes:
        message: what waits for an answer; None for other work on the conversation.
        called: set when the turn has come, or never will.
        merged_into: id of the message that has taken this one along.
        withdrawn: whether the message was taken back.
    """

    message: IncomingMessage | None
    called: asyncio.Event = field(default_factory=asyncio.Event)
    merged_into: str | None = None
    withdrawn: bool = False


class ConversationTurns:
    """A line for each conversation in which there is somebody; the first in it has the turn.

    `_lines` is owned by the event loop.
    """

    def __init__(self) -> None:
        self._lines: dict[bytes, list[Turn]] = {}

    @asynccontextmanager
    async def of(
        self, conversation: bytes, message: IncomingMessage | None = None
    ) -> AsyncIterator[Turn]:
        """Hold the conversation's turn for the block; a merged message never gets it.

        Raises:
            TakenBackError: the message was withdrawn while it waited.
        """
        line = self._lines.setdefault(conversation, [])
        turn = Turn(message)
        line.append(turn)
        line[0].called.set()
        try:
            await turn.called.wait()
            if turn.withdrawn:
                raise TakenBackError
            yield turn
        finally:
            self._leave(conversation, turn)

    def waiting_behind(self, conversation: bytes) -> list[Turn]:
        """Return those that the first in line may take along: the next ones that may be merged."""
        found: list[Turn] = []
        for turn in self._lines[conversation][1:]:
            if turn.message is None or not turn.message.may_merge:
                break
            found.append(turn)
        return found

    def merge(
        self, conversation: bytes, turns: Sequence[Turn], *, into: Sequence[MessagePart]
    ) -> None:
        """Send away those whose messages became parts of one that is answered."""
        for turn in turns:
            if turn.message and turn.message.message_id in {part.id for part in into}:
                turn.merged_into = into[0].id
                self._leave(conversation, turn)
                turn.called.set()

    def withdraw(self, surface: Surface, message_id: str) -> None:
        """Take a message back wherever it waits or is just being considered."""
        self._take_back(lambda one: (one.surface, one.message_id) == (surface, message_id))

    def forget(self, platform: str, fan: str) -> None:
        """Take back every message of a person's that waits or is just being considered."""
        self._take_back(lambda one: (one.surface.platform, one.fan) == (platform, fan))

    def _take_back(self, is_meant: Callable[[IncomingMessage], bool]) -> None:
        for conversation, line in list(self._lines.items()):
            for turn in list(line):
                if turn.message is not None and is_meant(turn.message):
                    turn.withdrawn = True
                    if not turn.called.is_set():
                        self._leave(conversation, turn)
                        turn.called.set()

    def _leave(self, conversation: bytes, turn: Turn) -> None:
        line = self._lines.get(conversation, [])
        if turn not in line:
            return
        line.remove(turn)
        if line:
            line[0].called.set()
        else:
            del self._lines[conversation]
