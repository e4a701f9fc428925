"""Amounts: integers in nano-units, 1e-9 of the settlement token."""

NANO = 10**9
BASIS_POINTS = 10_000


def split_price(nano: int, creator_bp: int) -> tuple[int, int]:
    """Divide a price into the creator's and the operator's nano-units.

    The creator's part is rounded down and the operator has the rest, so nothing is lost.
    """
    creator_nano = nano * creator_bp // BASIS_POINTS
    return creator_nano, nano - creator_nano


def format_nano(nano: int) -> str:
    """Write an amount in tokens without exponent and trailing zeros: 2000000 is `0.002`."""
    sign, whole, rest = "-" if nano < 0 else "", *divmod(abs(nano), NANO)
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".")
