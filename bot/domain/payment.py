"""Who pays for a reply, and in which block its twin was looked up (formats.md section 7)."""

from dataclasses import dataclass
from enum import Enum

from bot.domain.money import split_price

MAX_OPERATOR_BP = 3_000
"""The most that an operator may keep of a fee, in basis points: no manifest may say more."""

MAX_FREE_DAILY = 10_000
FREE_DAILY = 100
"""Free replies of a twin whose creator names no number."""


class Payer(Enum):
    """Whose money pays a reply; the value is the code in the twin log."""

    FREE = 0
    """Nobody's: the price is 0, or the answer is fixed."""
    SPONSOR = 1
    """The operator's sponsorship budget."""
    PAID = 2
    """Credit that the fan has bought; a platform may take it back for a while."""
    PROMOTIONAL = 3
    """Credit that was given away; it never becomes payable."""

    @property
    def word(self) -> str:
        """The word for it in receipts."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class RegistryBlock:
    """The block at which the registry said that a twin may speak; `hash` has 32 bytes."""

    chain: int
    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Payment:
    """How one reply is paid for; decided with the intent and never changed.

    Attributes:
        payer: whose money.
        rate_table: hash of the table in force, 32 bytes; set exactly if the payer is `PAID`.
        registry: None where no registry was asked.
    """

    payer: Payer
    rate_table: bytes | None = None
    registry: RegistryBlock | None = None


NOBODY = Payment(Payer.FREE)


def split_fee(payer: Payer, nano: int, creator_bp: int) -> tuple[int, int]:
    """Return the creator's and the operator's part of a reply's price, in nano-units.

    Of promotional credit neither gets anything: it is the operator's own money either way.
    """
    if payer in {Payer.FREE, Payer.PROMOTIONAL}:
        return 0, 0
    return split_price(nano, creator_bp)
