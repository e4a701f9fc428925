"""Who may be answered now: a live twin, a sane message, a fan within quota."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.errors import AdmissionError
from bot.ports.chat import IncomingMessage
from bot.ports.stores import StoreTransaction
from bot.twins.paying import WhoPays
from bot.twins.registered import Registered
from bot.twins.roster import LiveTwin

DAY = timedelta(days=1)


def none_erased(_platform: str, _fan: str, _since: datetime) -> int:
    """Know of no messages that were forgotten."""
    return 0


@dataclass(frozen=True, slots=True)
class AdmissionPolicy:
    """The operator's limits for one fan.

    Attributes:
        erased: counts a person's messages since a time that were forgotten, and so are not in the
            store any more: to be forgotten is no way around the quota.
        cooldown: how long a fan waits between two messages.
        paying: says whose money pays a reply.
        registered: says whom the registry of twins lets speak.
    """

    daily_messages: int
    message_chars: int
    erased: Callable[[str, str, datetime], int] = none_erased
    cooldown: timedelta = timedelta(0)
    paying: WhoPays = field(default_factory=WhoPays)
    registered: Registered = field(default_factory=Registered)

    def check_message(self, message: IncomingMessage, twin: LiveTwin, moment: datetime) -> str:
        """Return the text that is answered, without outer whitespace.

        Raises:
            AdmissionError: empty, too long, unprintable, or the twin is not valid now.
        """
        twin.check_valid(moment)
        text = message.text.strip()
        if not text:
            raise AdmissionError("Please write something: the message is empty.")
        if len(text) > self.message_chars:
            raise AdmissionError(
                f"Please write at most {self.message_chars} characters; that were {len(text)}."
            )
        if any(ord(char) < ord(" ") and char not in "\n\t" for char in text) or _half(text):
            raise AdmissionError("Please write plain text: the message has control characters.")
        return text

    async def check_quota(
        self, tx: StoreTransaction, message: IncomingMessage, moment: datetime
    ) -> None:
        """Refuse a fan beyond today's quota, or too soon after their last message.

        Raises:
            AdmissionError: over quota, or within the cool-down.
        """
        await self.check_daily(tx, message, moment)
        if not self.cooldown:
            return
        whose = message.surface.platform, message.fan, moment - self.cooldown
        if await tx.count_intents(*whose) + self.erased(*whose):
            seconds = int(self.cooldown.total_seconds())
            raise AdmissionError(
                f"Please wait {seconds} seconds between two messages, and send this one again."
            )

    async def check_daily(
        self, tx: StoreTransaction, message: IncomingMessage, moment: datetime, *, beyond: int = 0
    ) -> None:
        """Refuse a fan beyond today's quota and `beyond` messages more.

        Raises:
            AdmissionError: over quota.
        """
        whose = message.surface.platform, message.fan, moment - DAY
        sent = await tx.count_intents(*whose) + self.erased(*whose)
        if sent >= self.daily_messages + beyond:
            raise AdmissionError(
                f"You have sent {sent} messages in the last 24 hours, which is the limit. "
                "Please come back tomorrow."
            )


def _half(text: str) -> bool:
    """Return whether the text holds half a character, which has no UTF-8."""
    return any("\ud800" <= char <= "\udfff" for char in text)
