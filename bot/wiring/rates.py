"""What fans can buy: the configured rates, checked, signed, logged and in force."""

from decimal import Decimal

from bot.config import MoneySettings, RateSettings
from bot.credit.rates import KnownTable, OnSale, RateBook, platform_of
from bot.domain.errors import ConfigurationError
from bot.domain.money import NANO
from bot.domain.rates import STAR
from bot.ports.stores import Store
from bot.receipts.rates import publish_rates, read_rates
from bot.twins.charging import SpendingCaps
from bot.twins.sponsorship import fund_sponsorship


def nano_of(amount: str) -> int:
    """Return a decimal of the token in nano-units."""
    return int(Decimal(amount) * NANO)


def read_caps(money: MoneySettings) -> SpendingCaps:
    """Return the operator's daily amounts."""
    return SpendingCaps(
        fan_nano=nano_of(money.fan_daily),
        twin_nano=nano_of(money.twin_daily) if money.twin_daily else None,
        server_nano=nano_of(money.server_daily) if money.server_daily else None,
    )


def check_rates(money: MoneySettings) -> tuple[OnSale, ...]:
    """Return what is on sale.

    Raises:
        ConfigurationError: a unit stands twice, is worth nothing or comes in no amount; or a
            Discord product is dearer for its credit than Stars are.
    """
    units = [one.unit for one in money.rates]
    for one in money.rates:
        where = f"[money] rates: {one.unit}"
        if units.count(one.unit) > 1:
            raise ConfigurationError(f"{where} stands there twice: keep one of them.")
        if nano_of(one.worth) == 0:
            raise ConfigurationError(f"{where} is worth nothing: give it a worth above 0.")
        if (one.unit == STAR) != bool(one.counts):
            raise ConfigurationError(
                f"{where}: counts are the amounts in which Stars are sold, such as "
                "counts = [50, 250]; other products have none."
            )
    _check_costs(money)
    return tuple(OnSale(one.unit, tuple(sorted(set(one.counts))) or (1,)) for one in money.rates)


def _check_costs(money: MoneySettings) -> None:
    """Refuse what Discord forbids: the same thing dearer there than elsewhere.

    One reply costs the same credit everywhere, so it is enough to compare what the credit costs.
    """

    def per_credit(rate: RateSettings) -> Decimal:
        return Decimal(rate.cost) / Decimal(rate.worth)

    costed = [one for one in money.rates if one.cost]
    stars = [per_credit(one) for one in costed if platform_of(one.unit) == "telegram"]
    for one in costed:
        if stars and platform_of(one.unit) == "discord" and per_credit(one) > min(stars):
            raise ConfigurationError(
                f"[money] rates: {one.unit} costs {per_credit(one):.4g} for a credit of 1, and "
                f"Stars cost {min(stars):.4g}: Discord does not allow a higher price than "
                "elsewhere. Lower its cost, raise its worth, or lower the worth of a Star."
            )


async def open_money(
    store: Store, signing_key: bytes, money: MoneySettings, *, token: str
) -> RateBook:
    """Fund the sponsorship budget, and put the configured rates in force.

    Raises:
        ConfigurationError: the rates can't be used.
    """
    await fund_sponsorship(store, money.sponsorship)
    return await open_rates(store, signing_key, money, token=token)


async def open_rates(
    store: Store, signing_key: bytes, money: MoneySettings, *, token: str
) -> RateBook:
    """Put the configured rates in force, signed and logged, and return every table.

    Nothing is written where nothing is for sale and never was.

    Raises:
        ConfigurationError: the rates can't be used.
    """
    on_sale = check_rates(money)
    rates = {one.unit: nano_of(one.worth) for one in money.rates}
    async with store.reading() as tx:
        known = await read_rates(tx)
    if known or rates:
        async with store.transaction() as tx:
            await publish_rates(
                tx, signing_key, token=token, held_hours=money.held_hours, rates=rates
            )
        async with store.reading() as tx:
            known = await read_rates(tx)
    tables = [
        KnownTable(name, table.held_hours, {one.unit: one.nano for one in table.rates})
        for name, table in known
    ]
    return RateBook(tables, on_sale, token)
