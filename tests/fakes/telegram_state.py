"""The Telegram surface's memory, in memory; faults on demand, as a busy database has them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from bot.domain.errors import BotError, InvariantError
from bot.ports.telegram_state import (
    ChatPlace,
    LinkState,
    ManagedBot,
    OpenQuestion,
    SentPart,
    TakenUpdate,
    TelegramState,
)


@dataclass(slots=True)
class MemoryTelegramState(TelegramState):
    """Keeps what the port says; hand it to a second surface to play a restart.

    Attributes:
        fail_take: error that the next `take` raises, once; nothing is written.
        fail_add: the same for the next `add_part`.
        open: unfinished updates by bot and number, in order.
        seen: numbers of updates by bot.
        messages: fans' messages that were taken.
        now: the time, in seconds, by which questions and offers grow old.
    """

    fail_take: BotError | None = None
    fail_add: BotError | None = None
    open: dict[tuple[str, int], TakenUpdate] = field(default_factory=dict)
    seen: set[tuple[str, int]] = field(default_factory=set)
    messages: set[tuple[str, str, str]] = field(default_factory=set)
    picks: dict[ChatPlace, str] = field(default_factory=dict)
    sent: list[SentPart] = field(default_factory=list)
    now: float = 1000.0
    kept_notices: list[tuple[str, str, str]] = field(default_factory=list)
    percents: dict[tuple[str, str], int] = field(default_factory=dict)
    questions: dict[tuple[str, str, str], tuple[float, OpenQuestion]] = field(default_factory=dict)
    bots: dict[tuple[str, str, str], tuple[float, ManagedBot]] = field(default_factory=dict)

    stars: dict[str, int] = field(default_factory=dict)

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

    async def take_all(self, updates: Sequence[TakenUpdate]) -> list[bool]:
        """Keep several updates; see the port."""
        return [await self.take(update) for update in updates]

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

    async def parts_of_answer(self, bot: str, chat: str, answers: str) -> list[SentPart]:
        """Return the parts of all replies to one message."""
        found = [
            part
            for part in self.sent
            if (part.place.bot, part.place.chat, part.answers) == (bot, chat, answers)
        ]
        return sorted(found, key=lambda part: int(part.message_id))

    async def last_part(self, place: ChatPlace, fan: str) -> SentPart | None:
        """Return the latest message of a reply to a fan in a place."""
        found = [part for part in self.sent if (part.place, part.fan) == (place, fan)]
        return max(found, key=lambda part: int(part.message_id), default=None)

    async def drop_parts(self, bot: str, receipt_id: str) -> None:
        """Forget the messages of a reply."""
        gone = await self.parts(bot, receipt_id)
        self.sent = [part for part in self.sent if part not in gone]

    async def add_notice(self, bot: str, chat: str, message_id: str) -> None:
        """Remember a notice."""
        self.kept_notices.append((bot, chat, message_id))

    async def notices(self, bot: str) -> list[tuple[str, str]]:
        """Return the notices of a bot."""
        return [(chat, number) for owner, chat, number in self.kept_notices if owner == bot]

    async def drop_notice(self, bot: str, chat: str, message_id: str) -> None:
        """Forget a notice."""
        self.kept_notices = [n for n in self.kept_notices if n != (bot, chat, message_id)]

    async def set_talkative(self, bot: str, chat: str, percent: int) -> None:
        """Remember a percentage."""
        if not 0 <= percent <= 100:
            raise InvariantError("the port: a percentage is 0 to 100")
        self.percents[bot, chat] = percent

    async def talkative(self, chat: str) -> dict[str, int]:
        """Return the percentages of a group."""
        return {
            bot: percent for (bot, at), percent in self.percents.items() if at == chat and percent
        }

    async def ask(self, question: OpenQuestion) -> None:
        """Remember a question."""
        key = (question.bot, question.chat, question.account)
        self.questions[key] = (self.now, question)

    async def question(
        self, bot: str, chat: str, account: str, *, within_s: float
    ) -> OpenQuestion | None:
        """Return a question that is not too old."""
        asked_at, question = self.questions.get((bot, chat, account), (0.0, None))
        return question if self.now - asked_at <= within_s else None

    async def drop_question(self, bot: str, chat: str, account: str) -> None:
        """Forget a question."""
        self.questions.pop((bot, chat, account), None)

    async def keep_managed(self, managed: ManagedBot) -> None:
        """Remember a managed bot."""
        key = (managed.manager, managed.account, managed.twin)
        offered_at, _ = self.bots.pop(key, (self.now, None))
        if managed.state is LinkState.PENDING:
            offered_at = self.now
        self.bots[key] = (offered_at, managed)

    async def managed(self) -> list[ManagedBot]:
        """Return all, the latest offers last."""
        ordered = sorted((offered_at, key) for key, (offered_at, _) in self.bots.items())
        return [self.bots[key][1] for _, key in ordered]

    async def expire_offers(self, *, older_than_s: float) -> None:
        """Let old offers expire."""
        for key, (offered_at, bot) in self.bots.items():
            is_open = bot.state is LinkState.PENDING and not bot.bot
            if is_open and self.now - offered_at > older_than_s:
                self.bots[key] = (offered_at, replace(bot, state=LinkState.EXPIRED))

    async def stars_followed(self, bot: str) -> int:
        """Return how far a list was followed."""
        return self.stars.get(bot, 0)

    async def follow_stars(self, bot: str, count: int) -> None:
        """Remember how far."""
        if count < 0:
            raise InvariantError("the port: nobody follows fewer than none")
        self.stars[bot] = max(count, self.stars.get(bot, 0))

    async def forget(self, fan: str) -> None:
        """Forget a person."""
        self.sent = [part for part in self.sent if part.fan != fan]
        self.picks = {place: twin for place, twin in self.picks.items() if place.chat != fan}
        self.questions = {key: value for key, value in self.questions.items() if key[2] != fan}
        self.kept_notices = [notice for notice in self.kept_notices if notice[1] != fan]
        self.messages = {key for key in self.messages if key[1] != fan}
        self.open = {
            key: update for key, update in self.open.items() if _fan_of(update.payload) != fan
        }


def _fan_of(payload: str) -> str:
    try:
        return str(json.loads(payload)["spot"]["fan"])
    except (ValueError, KeyError, TypeError):
        return ""
