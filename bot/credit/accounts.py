"""Fans' accounts: opened when there is something to keep, under a random name."""

import re
from datetime import datetime
from decimal import Decimal

from bot.domain.errors import UserError
from bot.domain.money import NANO
from bot.ports.clock import Entropy
from bot.ports.credit_book import FanAccount
from bot.ports.people import Person
from bot.ports.stores import StoreTransaction

NAME_BYTES = 16
_AMOUNT = re.compile(r"\d{1,6}(?:\.\d{1,9})?", re.ASCII)


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
        UserError: it is none, is below zero or above 999999, or has more than nine decimals.
    """
    if not _AMOUNT.fullmatch(text.strip()):
        raise UserError(
            'Please give an amount as a decimal number such as "0.5", at most 999999, with at most '
            "nine decimals."
        )
    return int(Decimal(text.strip()) * NANO)
