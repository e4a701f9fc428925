"""Where a creator's statement comes from, and who gives it out."""

from datetime import date
from typing import Protocol

from bot.domain.monthly import FeeRecords, MonthlyStatement


class FeeReader(Protocol):
    """Reads what statements are made of."""

    async def fees(self, twin: bytes) -> FeeRecords:
        """Return all fees of a twin and the epochs that cover them."""
        ...


class StatementDesk(Protocol):
    """What the page of a creator's statement calls."""

    async def statement(self, token: str, month: date | None) -> MonthlyStatement:
        """Return the statement that a private link leads to; this month's without a month.

        Raises:
            UserError: no such link.
            LinkExpiredError: it worked once.
        """
        ...
