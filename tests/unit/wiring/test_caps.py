"""The operator's daily amounts, from the configuration to what the core counts with."""

from bot.config import MoneySettings
from bot.domain.money import NANO
from bot.twins.charging import SpendingCaps
from bot.wiring.rates import nano_of, read_caps


def test_by_default_no_fan_twin_or_server_empties_the_budget_in_a_day() -> None:
    caps, budget = read_caps(MoneySettings()), nano_of(MoneySettings().sponsorship)

    assert caps == SpendingCaps(fan_nano=5 * NANO, twin_nano=100 * NANO, server_nano=20 * NANO)
    assert budget == 1000 * NANO


def test_an_empty_cap_is_none_and_0_is_a_cap() -> None:
    money = MoneySettings(twin_daily="", server_daily="0")

    assert read_caps(money) == SpendingCaps(twin_nano=None, server_nano=0)
