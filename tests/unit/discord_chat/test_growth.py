"""How often a growing reply is written: once where it is complete at once, else with edits."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.discord_chat.draft import Draft
from adapters.discord_chat.growth import SETTLE_S, grow
from adapters.discord_chat.layout import Frame
from adapters.discord_chat.sheets import Sheet, View
from bot.ports.chat import IncomingMessage, ReplyEvent, ReplyShown, Surface, TextPiece
from tests.fakes.discord_state import MemoryDiscordState

MESSAGE = IncomingMessage("nova", Surface("discord", "1", "2", ""), "3", "4", "hello")
SHOWN = ReplyShown("receipt-00000000000001", "Ships come home.", "l", "p", 1, "t", "Nova", "end")
FRAME = Frame("Nova", "", private=False)


class Paper(Sheet):
    """A sheet that keeps what is done to it."""

    def __init__(self) -> None:
        self.written: list[str] = []

    @property
    def sender(self) -> str:
        return "1"

    async def working(self) -> None:
        """Do nothing."""

    async def send(self, part: int, content: str, view: View | None) -> str:
        del part, view
        self.written.append(content)
        return "5"

    async def edit(self, message: str, content: str, view: View | None) -> None:
        del message, view
        self.written.append(content)

    async def read(self, message: str) -> str:
        raise NotImplementedError

    async def delete(self, message: str) -> None:
        raise NotImplementedError

    async def whisper(self, content: str) -> None:
        raise NotImplementedError

    @property
    def confides(self) -> bool:
        raise NotImplementedError

    async def refuse(self, sentence: str, view: View | None = None) -> None:
        raise NotImplementedError


async def _answer(pause_s: float) -> AsyncIterator[ReplyEvent]:
    yield TextPiece("Ships ")
    await asyncio.sleep(pause_s)
    yield TextPiece("come home.")
    yield SHOWN


@pytest.mark.parametrize(("pause_s", "times"), [(SETTLE_S / 10, 1), (SETTLE_S * 2, 2)])
async def test_reply_is_shown_while_it_grows_unless_it_is_complete_at_once(
    pause_s: float, times: int
) -> None:
    paper, state = Paper(), MemoryDiscordState()
    draft = Draft(sheet=paper, state=state, message=MESSAGE, private=False)

    reply = await grow(_answer(pause_s), draft, FRAME)
    await draft.show(FRAME.final(SHOWN), SHOWN.receipt_id)

    assert reply == SHOWN
    assert len(paper.written) == times
    assert ["is writing" in text for text in paper.written] == [True, False][-times:]
    (post,) = await state.posts_of("4")
    assert (post.receipt, post.part) == (SHOWN.receipt_id, 0)
