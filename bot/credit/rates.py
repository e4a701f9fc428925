"""What a platform's money is worth: the operator's tables, and what is on sale by the newest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.domain.errors import UserError
from bot.domain.money import format_nano
from bot.domain.rates import STAR
from bot.ports.credit import Offer

SKU_PREFIX = "discord-sku:"
NOT_SOLD = "This is not sold any more. Nothing was charged: /credit says what can be bought."


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A rate table that stands in the log.

    Attributes:
        name: its hash, 32 bytes.
        held_hours: how long a fee that its credit paid may be taken back.
        rates: nano-units of one unit.
    """

    name: bytes
    held_hours: int
    rates: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OnSale:
    """One thing that the operator sells.

    Attributes:
        counts: how many of the unit one purchase may take; of an SKU always 1.
    """

    unit: str
    counts: tuple[int, ...] = (1,)


def platform_of(unit: str) -> str:
    """Return the platform that sells a unit."""
    return "telegram" if unit == STAR else "discord"


def words_of(unit: str, count: int) -> str:
    """Return in words what was bought."""
    if unit == STAR:
        return f"{count} Star{'' if count == 1 else 's'}"
    return f"product {unit.removeprefix(SKU_PREFIX)}"


@dataclass(frozen=True, slots=True)
class RateBook:
    """Every table, oldest first, and what is on sale now.

    Attributes:
        on_sale: units of the newest table.
        token: symbol of the settlement token.
    """

    tables: Sequence[KnownTable] = ()
    on_sale: Sequence[OnSale] = field(default=())
    token: str = ""

    @property
    def in_force(self) -> KnownTable | None:
        """The newest table."""
        return self.tables[-1] if self.tables else None

    def worth(self, unit: str) -> tuple[int, bytes] | None:
        """Return what one of a unit is worth by the last table that names it, and that table."""
        for table in reversed(self.tables):
            if unit in table.rates:
                return table.rates[unit], table.name
        return None

    def held_hours(self, table: bytes) -> int:
        """Return how long fees of a table's credit are held; the longest where it is unknown."""
        known = {one.name: one.held_hours for one in self.tables}
        return known.get(table, max(known.values(), default=0))

    @property
    def platforms(self) -> frozenset[str]:
        """Where something is sold."""
        return frozenset(platform_of(one.unit) for one in self.on_sale)

    def offers(self, platform: str, prices: Sequence[int]) -> tuple[Offer, ...]:
        """Return what a platform sells, cheapest first; `prices` are those of the live twins."""
        costly = [price for price in prices if price > 0]
        found = []
        for one in self.on_sale:
            worth = self.worth(one.unit)
            if platform_of(one.unit) != platform or worth is None:
                continue
            for count in one.counts:
                nano = worth[0] * count
                replies = (nano // min(costly), nano // max(costly)) if costly else (0, 0)
                label = f"{format_nano(nano)} {self.token}"
                found.append(Offer(one.unit, count, nano, label, replies))
        return tuple(sorted(found, key=lambda offer: (offer.nano, offer.unit)))

    def check(self, platform: str, unit: str, count: int) -> None:
        """Refuse what is not sold on a platform, in that amount.

        Raises:
            UserError: it is not.
        """
        sold = [one for one in self.on_sale if one.unit == unit and platform_of(unit) == platform]
        if not any(count in one.counts for one in sold):
            raise UserError(NOT_SOLD)
