"""The operator's rate tables, as the log cites them."""

from collections.abc import Sequence

from adapters.sqlite.statements import Statements
from bot.domain.errors import InvariantError
from bot.ports.book import StoredRates

SELECT_RATES = "SELECT log_index, name, envelope FROM rate_tables ORDER BY log_index"


class RateTables(Statements):
    """The rate tables' part of a transaction."""

    async def add_rates(self, rates: StoredRates) -> None:
        """Keep a rate table for ever."""
        if await self.one("SELECT 1 FROM log_leaves WHERE idx = ?", rates.log_index) is None:
            raise InvariantError("a rate table has a leaf")
        values = {"log_index": rates.log_index, "name": rates.name, "envelope": rates.envelope}
        await self.insert("rate_tables", values)

    async def rate_tables(self) -> Sequence[StoredRates]:
        """Return every rate table, oldest first."""
        return [
            StoredRates(*row)  # type: ignore[arg-type]  # STRICT tables hold the types
            for row in await self.few(SELECT_RATES)
        ]
