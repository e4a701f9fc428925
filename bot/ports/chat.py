"""What a chat surface calls: one fan's message in, the reply as it grows out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


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
    """

    twin: str
    surface: Surface
    fan: str
    message_id: str
    text: str


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
        finish: `end`, `length` or `stop`.
    """

    receipt_id: str
    text: str
    link: str
    public_link: str
    fee_nano: int
    token: str
    twin_name: str
    finish: str


ReplyEvent = TextPiece | ReplyShown


@dataclass(frozen=True, slots=True)
class PendingReply:
    """A reply whose delivery is unknown, with the message that it answers."""

    message: IncomingMessage
    reply: ReplyShown


@dataclass(frozen=True, slots=True)
class TwinCard:
    """What a fan sees of a twin before choosing it.

    Attributes:
        slug: name of the twin in addresses and commands.
        name: display name.
        role: one line on who the twin is.
        price: the price of a reply in words, as the creator signed it (`0.002 TPT per reply`).
    """

    slug: str
    name: str
    role: str
    price: str


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """One committed turn of a conversation.

    Attributes:
        fan_text: the fan's message.
        reply_text: the twin's reply.
        link: proof link with the opening key.
        fee_nano: what the reply cost.
        token: symbol of the settlement token.
    """

    fan_text: str
    reply_text: str
    link: str
    fee_nano: int
    token: str


@dataclass(frozen=True, slots=True)
class EarningsLine:
    """What one twin has earned, in the book and on the chain; all amounts in nano-units.

    Attributes:
        twin_name: display name.
        token: symbol of the settlement token.
        accrued_nano: earned by delivered replies since ever, by the book.
        committed_nano: cumulative amount in the last epoch that is final on-chain.
        claimed_nano: cumulative amount that the chain has paid out.
        payout: address that is paid, EIP-55.
        chain_balance_nano: token balance of that address; None when the chain does not answer.
        last_tx: hash of the last epoch's transaction, `0x…`; None before the first epoch.
    """

    twin_name: str
    token: str
    accrued_nano: int
    committed_nano: int
    claimed_nano: int
    payout: str
    chain_balance_nano: int | None
    last_tx: str | None


class ChatInbox(Protocol):
    """The core's door for chat surfaces.

    Errors that may leave it: `UserError` (say its sentence), `TransientError` (may be sent again
    with the same message id; where the first try was voided, that answers with a `UserError`).
    Calls for different fans may run concurrently; an adapter has at most one `answer` running for
    one message id.
    """

    def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the reply: any number of pieces, then exactly one `ReplyShown`, last.

        Idempotent by (surface, message_id): a message whose reply is committed is answered from
        the store with the same `ReplyShown` (perhaps in one piece), neither generated nor charged
        again. The caller exhausts the iterator or closes it; closed early, the reply runs to its
        end all the same and waits in the outbox.

        Raises:
            UserError: before or during the stream; nothing was charged.
            TransientError: before or during the stream; nothing was charged.
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
        more with the same receipt where it can't read back, and says what became of it.
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
