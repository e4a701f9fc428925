"""What the Telegram surface must not forget: open updates, picked twins, sent messages."""

from dataclasses import dataclass
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
    """

    place: ChatPlace
    message_id: str
    receipt_id: str
    number: int
    twin: str
    fan: str


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
