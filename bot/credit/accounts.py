"""Fans' accounts: opened when there is something to keep, under a random name."""

from datetime import datetime
from decimal import Decimal, InvalidOperation

from bot.domain.errors import UserError
from bot.domain.money import NANO
from bot.ports.clock import Entropy
from bot.ports.credit_book import FanAccount
from bot.ports.people import Person
from bot.ports.stores import StoreTransaction

NAME_BYTES = 16
MAX_AMOUNT_CHARS = 24


async def own_account(
    tx: StoreTransaction, person: Person, entropy: Entropy, moment: datetime
) -> FanAccount:
    """Return a person's account, which is opened if there is none."""
    known = await tx.account_of(person)
    if known is not None:
        return known
    account = FanAccount(entropy.random_bytes(NAME_BYTES).hex(), person, moment)
    await tx.open_account(account)
    return account


def parse_amount(text: str) -> int:
    """Return a decimal number of tokens in nano-units.

    Raises:
        UserError: it is none, is below zero, or has more than nine decimals.
    """
    wrong = UserError('Please give an amount as a decimal number such as "0.5".')
    try:
        nano = Decimal(text.strip()[:MAX_AMOUNT_CHARS]) * NANO
    except InvalidOperation:
        raise wrong from None
    if not nano.is_finite() or nano < 0 or nano != nano.to_integral_value():
        raise wrong
    return int(nano)
