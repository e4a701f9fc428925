"""Tells one person something, and nobody else: by direct message, else at the next chance."""

from collections import OrderedDict

import discord
import structlog

from adapters.discord_chat.credit import wording
from adapters.discord_chat.mapping import OutOfReachError, discord_errors
from bot.domain.errors import BotError
from bot.ports.credit import FanCredit
from bot.ports.people import Person

PLATFORM = "discord"
REMEMBERED = 1024
MOST_OWED = 5
_log = structlog.get_logger("discord")


class Teller:
    """Sends direct messages, and keeps what could not be sent.

    `_owed` is lost with the process: what counts stands in `/credit` all the same.
    """

    def __init__(self, *, client: discord.Client, credit: FanCredit) -> None:
        self._client = client
        self._credit = credit
        self._owed: OrderedDict[str, list[str]] = OrderedDict()

    async def tell(self, fan: str, *sentences: str) -> None:
        """Tell a person by direct message; what they don't take is kept for `due`."""
        try:
            with discord_errors():
                direct = await self._client.create_dm(discord.Object(int(fan)))
                await direct.send(wording.fit(sentences))
        except BotError as error:
            if not isinstance(error, OutOfReachError):
                _log.warning("discord.not_told", error=type(error).__name__)
            self.owe(fan, *sentences)

    def owe(self, fan: str, *sentences: str) -> None:
        """Keep sentences for the next chance to tell them."""
        kept = self._owed.pop(fan, [])
        kept += [one for one in sentences if one and one not in kept]
        self._owed[fan] = kept[-MOST_OWED:]
        if len(self._owed) > REMEMBERED:
            self._owed.popitem(last=False)

    async def due(self, fan: str) -> tuple[str, ...]:
        """Return what a person should be told now; whoever asks says it, or gives it back."""
        owed = self._owed.pop(fan, [])
        try:
            fresh = await self._credit.take_notices(Person(PLATFORM, fan))
        except BotError as error:
            _log.warning("discord.no_notices", error=type(error).__name__)
            fresh = ()
        return (*owed, *fresh)
