"""What a transaction offers for its gas (EIP-1559), and how an offer is raised. Pure integers.

A node takes a transaction in place of another one with the same nonce only where both fields have
risen: by 10 % (geth) or 12.5 % (others).
"""

from dataclasses import dataclass

_BUMP_DIVISOR = 8  # a rise of 12.5 %
_BASE_FEE_HEADROOM = 2  # a base fee takes six full blocks to double


@dataclass(frozen=True, slots=True)
class Fees:
    """Both fields of an offer, in wei per gas; the tip is never above the whole."""

    max_fee_wei: int
    tip_wei: int


@dataclass(frozen=True, slots=True)
class Market:
    """What the chain asks now, in wei per gas.

    Attributes:
        base_fee_wei: of the next block as far as the node says, else of the newest one.
        tip_wei: what the node suggests.
        time: of the newest block, in seconds since 1970; it stands still while the chain does.
    """

    base_fee_wei: int
    tip_wei: int
    time: int

    @property
    def asking(self) -> Fees:
        """An offer that holds while the base fee doubles."""
        return Fees(_BASE_FEE_HEADROOM * self.base_fee_wei + self.tip_wei, self.tip_wei)

    @property
    def lowest(self) -> int:
        """What the next block takes at least, with its tip."""
        return self.base_fee_wei + self.tip_wei


def offer(market: Market, limit_wei: int | None) -> Fees | None:
    """Return the fees of a new transaction; None where the limit is below what the chain asks.

    Args:
        market: the present.
        limit_wei: nothing above it is offered; None means no limit.
    """
    return _capped(market.asking, market.lowest, limit_wei)


def raised(old: Fees, market: Market, limit_wei: int | None) -> Fees | None:
    """Return the fees of a replacement; None where the limit leaves no room for one.

    Both fields rise by 12.5 % at least, and to what the market asks where that is more.

    Args:
        old: of the newest attempt.
        market: the present.
        limit_wei: as in `offer`.
    """
    tip = max(bumped(old.tip_wei), market.tip_wei)
    least = max(bumped(old.max_fee_wei), market.base_fee_wei + tip)
    wanted = max(least, market.asking.max_fee_wei)
    return _capped(Fees(wanted, tip), least, limit_wei)


def bumped(wei: int) -> int:
    """Return the least fee that replaces this one: more than 12.5 % above it."""
    return wei + wei // _BUMP_DIVISOR + 1


def is_too_cheap(fees: Fees, market: Market) -> bool:
    """Whether no block can hold it now: the base fee alone is above the whole offer."""
    return fees.max_fee_wei < market.base_fee_wei


def _capped(wanted: Fees, least: int, limit_wei: int | None) -> Fees | None:
    if limit_wei is None or wanted.max_fee_wei <= limit_wei:
        return wanted
    return Fees(limit_wei, wanted.tip_wei) if least <= limit_wei else None
