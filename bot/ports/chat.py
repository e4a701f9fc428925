"""What a chat surface calls: one fan's message in, the reply as it grows out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from bot.ports.views import EarningsLine, HistoryTurn, TwinCard


@dataclass(frozen=True, slots=True)
class Surface:
    """The place of a conversation, in the platform's own identifiers.

    All four enter the slot (docs/spec/formats.md section 4), so an adapter never invents or
    changes them; empty where the platform has none.

    Attributes:
        platform: `terminal` or `web`, which number messages themselves, `discord`, `telegram`.
        bot: the bot's account on the platform, `local` where there are no accounts.
        chat: the chat; on the local web, the fan's random id.
        thread: the thread within the chat.
    """

    platform: str
    bot: str
    chat: str
    thread: str


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """One message of a fan to a twin.

    Attributes:
        twin: the twin's slug.
        surface: where it was written.
        fan: who wrote it, as the platform names that person.
        message_id: unique within the surface; the same id means the same message, sent again.
        text: what was written, not yet trimmed or limited by the core.
        may_merge: whether it may be answered together with the fan's next ones; an ordinary
            message may, a command or a form, which each wait for an answer of their own, may not.
        unasked: nobody asked the twin to answer this: it spends nothing of the fan's credit.
        server: the community that the place belongs to, as the platform names it: all channels of
            a server, all topics of a group; empty where one person talks to a twin alone. It enters
            no proof; what the sponsorship budget pays there in a day is counted by it.
    """

    twin: str
    surface: Surface
    fan: str
    message_id: str
    text: str
    may_merge: bool = False
    unasked: bool = False
    server: str = ""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of the reply, to be appended to what is shown."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplyShown:
    """The end of a reply: its receipt is durable and its text is final.

    Attributes:
        receipt_id: 22 characters of base64url.
        text: the whole reply; equals the joined pieces.
        link: proof link with the opening key in its fragment; for the fan's eyes only.
        public_link: the same link without the key.
        fee_nano: what the reply cost, in 1e-9 of the token.
        token: symbol of the settlement token.
        twin_name: display name.
        finish: `end`, `length` or `stop`; `stopped` by the fan, or `cut` off by the creator.
        attempt: above 0 if it is another reply to the same message, which the fan wished for.
    """

    receipt_id: str
    text: str
    link: str
    public_link: str
    fee_nano: int
    token: str
    twin_name: str
    finish: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class MergedInto:
    """The message is answered together with an earlier one, whose `answer` has the reply.

    The surface takes away what it may have shown for this message, and says nothing more.

    Attributes:
        message_id: the earlier message, on the same surface.
    """

    message_id: str


ReplyEvent = TextPiece | ReplyShown | MergedInto


@dataclass(frozen=True, slots=True)
class PendingReply:
    """A reply whose delivery is unknown, with the message that it answers."""

    message: IncomingMessage
    reply: ReplyShown


class ChatInbox(Protocol):
    """The core's door for chat surfaces.

    Errors that may leave it: `UserError` (say its sentence), `TransientError` (may be sent again
    with the same message id; where the first try was voided, that answers with a `UserError`).
    Calls for different fans may run concurrently; an adapter has at most one `answer` running for
    one message id.
    """

    def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the reply: any number of pieces, then exactly one `ReplyShown`, last.

        A message that may be merged, and that waits while the twin answers this fan's earlier one
        in the same place, may get a single `MergedInto` instead: then it is part of the next reply,
        which another call streams.

        Idempotent by (surface, message_id): a message whose reply is committed is answered from
        the store with the same `ReplyShown` (perhaps in one piece), neither generated nor charged
        again. The caller exhausts the iterator or closes it; closed early, the reply runs to its
        end all the same and waits in the outbox.

        Raises:
            UserError: before or during the stream; nothing was charged.
            TransientError: before or during the stream; nothing was charged.
        """
        ...

    def regenerate(
        self, receipt_id: str, platform: str, fan: str, event_id: str
    ) -> AsyncIterator[ReplyEvent]:
        """Stream another reply to the same message, in place of one that was shown.

        As `answer`, with its own receipt and fee; idempotent by `event_id`. The replaced reply
        leaves the twin's memory; its receipt stays.

        Args:
            receipt_id: the reply to be replaced; the latest of its conversation.
            platform: where the wish comes from: a fan's id is theirs on one platform only.
            fan: who asks; only the person who was answered may.
            event_id: the platform's id of the wish (an interaction, a callback query).

        Raises:
            UserError: not this fan's, not the latest reply, withdrawn, or what `answer` may raise.
            TransientError: nothing was charged.
        """
        ...

    async def stop(self, surface: Surface, message_id: str, fan: str, event_id: str) -> bool:
        """Stop the reply to a message while it grows; its `answer` ends with what there is.

        Args:
            surface: where the message was written.
            message_id: the fan's message, or the first of those that were merged.
            fan: who asks; only the person who was answered may.
            event_id: the platform's id of the wish; it will stand in the receipt.

        Returns:
            False if no reply to it is being made now (it has ended, or never began).

        Raises:
            UserError: another fan's reply.
        """
        ...

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Take a message back, because the fan has deleted it; idempotent.

        A reply that is being made is stopped and not charged; one that was shown leaves the twin's
        memory, and its fee stays. Of merged messages, any one takes back the whole turn.

        Returns:
            Ids of the receipts whose replies the surface should take away.
        """
        ...

    async def link_of(self, receipt_id: str, platform: str, fan: str) -> str:
        """Return the proof link with the opening key, for the eyes of the person who was answered.

        Raises:
            UserError: no such reply, another fan's, or it was forgotten.
        """
        ...

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Keep a person's complaint about a reply for operator and creator; once per person.

        Args:
            receipt_id: the reply.
            platform: where the complaint comes from.
            fan: who complains; anybody may.
            reason: in their words, at most 1,000 characters; may be empty.

        Raises:
            UserError: no such reply, or the reason is too long.
        """
        ...

    async def export(self, platform: str, fan: str) -> bytes:
        """Return all that is stored about a person on a platform, as readable JSON (UTF-8)."""
        ...

    async def forget(self, platform: str, fan: str) -> int:
        """Delete what was said by and to a person on a platform, its keys and its ids, for good.

        Replies that are being made are stopped first. Receipts stay, without anything that opens
        them, so that log and fees still add up.

        Returns:
            How many replies were forgotten.
        """
        ...

    async def delivered(self, receipt_id: str) -> None:
        """Record that the person has this reply; idempotent. Captures the held fee.

        Raises:
            TransientError: not recorded; the core resolves the outcome by itself later.
        """
        ...

    async def undelivered(self, receipt_id: str) -> None:
        """Record that this reply can't reach the person; idempotent. Releases the held fee.

        Raises:
            TransientError: not recorded; the core resolves the outcome by itself later.
        """
        ...

    async def pending(self, platform: str, bot: str) -> list[PendingReply]:
        """Return the outbox of one account on one platform, oldest first.

        What a crash left undecided: the surface shows each reply where its message stands, once
        more with the same receipt where it can't read back, and says what became of it. A reply
        whose message was withdrawn is not among them.
        """
        ...

    async def twins(self) -> list[TwinCard]:
        """Return the live twins, ordered by name."""
        ...

    async def history(self, twin: str, surface: Surface, fan: str) -> list[HistoryTurn]:
        """Return the committed turns of one conversation, oldest first; empty if there is none.

        Raises:
            UnknownTwinError: no live twin has that slug.
        """
        ...

    async def earnings(self) -> list[EarningsLine]:
        """Return one line for each twin, ordered by name."""
        ...
