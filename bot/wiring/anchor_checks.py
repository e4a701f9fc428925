"""Whether a paid reply can be anchored on the chain before a dispute says that it was not."""

from bot.config import MoneySettings

FINALITY_S = 3_600
"""Allowed for finality and for a transaction that is not mined at once."""


def explain_short_time(money: MoneySettings, delay_s: int) -> str | None:
    """Return why disputes would be lost for nothing; None where they would not.

    The reply waits for the next epoch, which waits for the one before, and each of them for the
    guardian's time.

    Args:
        money: from the configuration.
        delay_s: what the contract leaves its guardian for a veto.
    """
    needed = 2 * (delay_s + money.epoch_seconds) + FINALITY_S
    if money.anchor_hours * 3_600 > needed:
        return None
    return (
        f"[money] anchor_hours is {money.anchor_hours}, and a paid reply may be on the chain only "
        f"after {needed / 3_600:.1f} hours: twice the contract's {delay_s} s for a veto and "
        f"epoch_seconds, and an hour for finality. A dispute before that would cost you its price: "
        f"set anchor_hours to {needed // 3_600 + 1} or more."
    )
