"""What the Telegram surface must not forget.

Open updates, picked twins, sent messages, questions to creators, bots that creators have made, and
how far the platform's list of payments was followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class TakenUpdate:
    """An update that was accepted from Telegram and is to be handled once.

    Attributes:
        bot: numeric id of the bot's account, as text.
        update_id: Telegram's number of the update, unique within the bot for a week.
        chat: the chat's id as text.
        message_id: the fan's message; empty for a pressed button.
        payload: what the surface needs to handle it; forgotten when it is finished.
    """

    bot: str
    update_id: int
    chat: str
    message_id: str
    payload: str


@dataclass(frozen=True, slots=True)
class ChatPlace:
    """Where one twin is picked: a thread of a chat with a bot; an empty thread is the main one."""

    bot: str
    chat: str
    thread: str


@dataclass(frozen=True, slots=True)
class SentPart:
    """One platform message of a reply, accepted by Telegram.

    Attributes:
        message_id: the platform's number of our message.
        receipt_id: the reply of which this is a part.
        number: 0 for the first part.
        twin: slug of the twin.
        fan: whose message it answers.
        answers: the platform's number of that message.
    """

    place: ChatPlace
    message_id: str
    receipt_id: str
    number: int
    twin: str
    fan: str
    answers: str


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What a creator was asked last, and has not answered yet.

    Attributes:
        account: who was asked.
        step: what was asked, in the surface's own words.
        slug: the twin that it is about; empty while there is none.
        note: what was answered before, in the surface's own form.
    """

    bot: str
    chat: str
    account: str
    step: str
    slug: str = ""
    note: str = ""


class LinkState(StrEnum):
    """How far a managed bot has come."""

    PENDING = "pending"  # offered to its creator, or made and its token not fetched yet
    LINKED = "linked"  # its token is in the secret store, and it serves its twin
    EXPIRED = "expired"  # the offer was not taken in time
    FAILED = "failed"  # its token is not valid any more, or can't be had


@dataclass(frozen=True, slots=True)
class ManagedBot:
    """A bot that a creator makes, or has made, for a twin; its token is never here.

    Attributes:
        manager: numeric id of the bot that manages it.
        account: the creator.
        twin: slug of its twin; empty for a bot that was made without being asked for.
        bot: its own numeric id; empty while it is not made.
        username: its name, without @; empty while it is not made.
    """

    manager: str
    account: str
    twin: str
    bot: str = ""
    username: str = ""
    state: LinkState = LinkState.PENDING


class TelegramState(Protocol):
    """Durable memory of the Telegram surface.

    Each call is one transaction: durable when it returns. Calls may run concurrently.
    StoreBusyError may leave each of them; then nothing was written.
    """

    async def take(self, update: TakenUpdate) -> bool:
        """Keep an update until it is finished.

        Returns:
            False, with nothing written, if this update or this message was taken before.
        """
        ...

    async def take_all(self, updates: Sequence[TakenUpdate]) -> list[bool]:
        """Keep several updates, all or none; return for each what `take` returns."""
        ...

    async def unfinished(self, bot: str) -> list[TakenUpdate]:
        """Return what a bot has taken and not finished, in the order of taking."""
        ...

    async def finish(self, bot: str, update_id: int) -> None:
        """Forget an update's payload; its number stays known for a while. Idempotent."""
        ...

    async def pick(self, place: ChatPlace, twin: str) -> None:
        """Remember the twin that is talked to in a place, instead of any earlier one."""
        ...

    async def picked(self, place: ChatPlace) -> str | None:
        """Return the slug of the twin that is talked to in a place."""
        ...

    async def add_part(self, part: SentPart) -> None:
        """Remember a message of ours. Idempotent by bot, receipt and number; the first one stays.

        Raises:
            InvariantError: the parts before it are missing.
        """
        ...

    async def parts(self, bot: str, receipt_id: str) -> list[SentPart]:
        """Return the accepted parts of a reply, in order; none if none was sent."""
        ...

    async def find_part(self, bot: str, chat: str, message_id: str) -> SentPart | None:
        """Return what a message of ours is a part of; None if it is no part of a reply."""
        ...

    async def parts_of_answer(self, bot: str, chat: str, answers: str) -> list[SentPart]:
        """Return the parts of all replies to one message of a fan, in the order of sending."""
        ...

    async def last_part(self, place: ChatPlace, fan: str) -> SentPart | None:
        """Return the latest message of a reply to a fan in a place."""
        ...

    async def drop_parts(self, bot: str, receipt_id: str) -> None:
        """Forget the messages of a reply, which are not in the chat any more. Idempotent."""
        ...

    async def add_notice(self, bot: str, chat: str, message_id: str) -> None:
        """Remember a message of ours that is to be deleted as soon as it has done its work."""
        ...

    async def notices(self, bot: str) -> list[tuple[str, str]]:
        """Return (chat, message id) of the notices that are not deleted yet."""
        ...

    async def drop_notice(self, bot: str, chat: str, message_id: str) -> None:
        """Forget a notice. Idempotent."""
        ...

    async def set_talkative(self, bot: str, chat: str, percent: int) -> None:
        """Remember how many of a group's messages a bot answers unasked; 0 for none."""
        ...

    async def talkative(self, chat: str) -> dict[str, int]:
        """Return the percentages above 0 of the bots in a group, by bot."""
        ...

    async def ask(self, question: OpenQuestion) -> None:
        """Remember what an account was asked, instead of anything before; its time begins now."""
        ...

    async def question(
        self, bot: str, chat: str, account: str, *, within_s: float
    ) -> OpenQuestion | None:
        """Return what an account was asked and has not answered, unless that is too long ago."""
        ...

    async def drop_question(self, bot: str, chat: str, account: str) -> None:
        """Forget a question. Idempotent."""
        ...

    async def keep_managed(self, managed: ManagedBot) -> None:
        """Remember a managed bot, one for each manager, account and twin; the last word counts.

        The time of an offer begins with the call that keeps it as pending.
        """
        ...

    async def managed(self) -> list[ManagedBot]:
        """Return all managed bots, the latest offers last."""
        ...

    async def expire_offers(self, *, older_than_s: float) -> None:
        """Let offers that nobody took expire: pending, without a bot, and too old."""
        ...

    async def stars_followed(self, bot: str) -> int:
        """Return how many transactions of a bot's list of Stars were followed; 0 at first."""
        ...

    async def follow_stars(self, bot: str, count: int) -> None:
        """Remember how many were followed; a smaller number than before changes nothing."""
        ...

    async def forget(self, fan: str) -> None:
        """Forget what leads to a person: parts, picks in private, questions, open updates."""
        ...
