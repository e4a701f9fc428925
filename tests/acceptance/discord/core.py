"""The core in memory, as the surface's tests need it: more ways to end, to merge and to fail."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

from bot.domain.errors import BotError
from bot.ports.chat import (
    IncomingMessage,
    MergedInto,
    ReplyEvent,
    ReplyShown,
    Surface,
)
from bot.ports.views import TwinCard
from tests.fakes.chat import MemoryInbox


@dataclass(slots=True)
class Core(MemoryInbox):
    """A memory inbox whose replies may end in another way.

    Attributes:
        finish: how replies end.
        fail_withdraw: error that `withdraw` raises.
        together: words of messages that are answered together with the last one.
        merged: ids of messages that were, with that last one.
    """

    finish: str = "end"
    fail_withdraw: BotError | None = None
    together: list[str] = field(default_factory=list)
    merged: dict[str, str] = field(default_factory=dict)

    async def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Merge what is to be merged, answer the rest."""
        if message.may_merge and message.text in self.together:
            into = self.merged[message.message_id] = self.asked[-1].message_id
            yield MergedInto(into)
            return
        async for event in MemoryInbox.answer(self, message):
            yield event

    def _commit(self, message: IncomingMessage, card: TwinCard) -> ReplyShown:
        return replace(MemoryInbox._commit(self, message, card), finish=self.finish)

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Fail, or take the whole turn back."""
        if self.fail_withdraw is not None:
            raise self.fail_withdraw
        receipts = await MemoryInbox.withdraw(self, surface, message_id)
        first = self.merged.get(message_id)
        if first is None:
            return receipts
        return [receipt for receipt, message in self._said.items() if message.message_id == first]
