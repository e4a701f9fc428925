"""The Telegram surface's memory, in memory; faults on demand, as a busy database has them."""

from dataclasses import dataclass, field

from bot.domain.errors import BotError, InvariantError
from bot.ports.telegram_state import ChatPlace, SentPart, TakenUpdate, TelegramState


@dataclass(slots=True)
class MemoryTelegramState(TelegramState):
    """Keeps what the port says; hand it to a second surface to play a restart.

    Attributes:
        fail_take: error that the next `take` raises, once; nothing is written.
        fail_add: the same for the next `add_part`.
        open: unfinished updates by bot and number, in order.
        seen: numbers of updates by bot.
        messages: fans' messages that were taken.
    """

    fail_take: BotError | None = None
    fail_add: BotError | None = None
    open: dict[tuple[str, int], TakenUpdate] = field(default_factory=dict)
    seen: set[tuple[str, int]] = field(default_factory=set)
    messages: set[tuple[str, str, str]] = field(default_factory=set)
    picks: dict[ChatPlace, str] = field(default_factory=dict)
    sent: list[SentPart] = field(default_factory=list)

    async def take(self, update: TakenUpdate) -> bool:
        """Keep an update, unless it is known; see the port."""
        if self.fail_take is not None:
            error, self.fail_take = self.fail_take, None
            raise error
        number = (update.bot, update.update_id)
        message = (update.bot, update.chat, update.message_id)
        if number in self.seen or (update.message_id and message in self.messages):
            return False
        self.seen.add(number)
        self.messages.add(message)
        self.open[number] = update
        return True

    async def unfinished(self, bot: str) -> list[TakenUpdate]:
        """Return the open updates of one bot."""
        return [update for (owner, _), update in self.open.items() if owner == bot]

    async def finish(self, bot: str, update_id: int) -> None:
        """Forget a payload."""
        self.open.pop((bot, update_id), None)

    async def pick(self, place: ChatPlace, twin: str) -> None:
        """Remember a twin."""
        self.picks[place] = twin

    async def picked(self, place: ChatPlace) -> str | None:
        """Return the twin of a place."""
        return self.picks.get(place)

    async def add_part(self, part: SentPart) -> None:
        """Remember a message of ours."""
        if self.fail_add is not None:
            error, self.fail_add = self.fail_add, None
            raise error
        known = await self.parts(part.place.bot, part.receipt_id)
        if part.number > len(known):
            raise InvariantError(f"part {part.number} of {part.receipt_id} came too early")
        if part.number == len(known):
            self.sent.append(part)

    async def parts(self, bot: str, receipt_id: str) -> list[SentPart]:
        """Return the parts of a reply."""
        return [
            part for part in self.sent if (part.place.bot, part.receipt_id) == (bot, receipt_id)
        ]

    async def find_part(self, bot: str, chat: str, message_id: str) -> SentPart | None:
        """Return the part that a message of ours is."""
        for part in self.sent:
            if (part.place.bot, part.place.chat, part.message_id) == (bot, chat, message_id):
                return part
        return None
