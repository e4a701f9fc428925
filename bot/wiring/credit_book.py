"""What the operator's commands see and do of fans' money, beside a running service or without."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.config import Settings
from bot.credit.accounts import parse_amount
from bot.credit.gifts import give_credit
from bot.domain.errors import ConfigurationError, UserError
from bot.domain.ledger import fan_account, owed_account, promotional_account
from bot.ledger.liabilities import Liabilities, liabilities_of
from bot.ports.credit_book import FanAccount, StoredPurchase, StoredRefund
from bot.ports.disputes import StoredDispute, SupportNote
from bot.ports.people import Person
from bot.wiring.stores import DATABASE, open_stores

PLATFORMS = {
    "discord": r"[1-9]\d{0,19}",
    "telegram": r"[1-9]\d{0,19}",
    "terminal": r"local|script",
    "web": r"[\w-]{8,64}",
}
"""What the ids of people look like; an account of nobody would keep its credit for ever."""
NAME_BYTES = 8


@dataclass(frozen=True, slots=True)
class CreditBook:
    """All of it at one moment.

    Attributes:
        accounts: of people who are known, with bought and promotional credit, and what they owe.
        purchases: newest first, and what became of them; so are the rest.
        owed: what is owed, and what stands against it.
    """

    accounts: Sequence[tuple[FanAccount, int, int, int]]
    purchases: Sequence[tuple[StoredPurchase, StoredRefund | None]]
    disputes: Sequence[StoredDispute]
    questions: Sequence[SupportNote]
    owed: Liabilities


def parse_person(text: str) -> Person:
    """Read `PLATFORM:ID`.

    Raises:
        UserError: it is none.
    """
    platform, _, fan = text.strip().partition(":")
    form = PLATFORMS.get(platform)
    if form is None or not re.fullmatch(form, fan, re.ASCII):
        raise UserError(
            "Name a person as PLATFORM:ID: discord: or telegram: with the platform's number of the "
            "person (telegram:12345), terminal:local for the chat in the terminal, terminal:script "
            "for `demo --say`, or web: with the id of a browser."
        )
    return Person(platform, fan)


async def give(settings: Settings, who: str, amount: str, name: str | None) -> tuple[int, bool]:
    """Give a person promotional credit; return what they have of it, and whether this is new.

    Raises:
        UserError: no such amount or person.
        ConfigurationError: there is no book.
    """
    from adapters.host.system import SystemClock, SystemEntropy

    person, nano, entropy = parse_person(who), parse_amount(amount), SystemEntropy()
    folder = _folder(settings)
    async with open_stores(folder) as stores:
        return await give_credit(
            stores.replies,
            person,
            nano,
            name=name or entropy.random_bytes(NAME_BYTES).hex(),
            clock=SystemClock(),
            entropy=entropy,
        )


async def read_book(settings: Settings) -> CreditBook:
    """Read everything about fans' money.

    Raises:
        ConfigurationError: there is no book.
    """
    async with open_stores(_folder(settings), read_only=True) as stores:
        async with stores.replies.reading() as tx:
            accounts = [
                (
                    one,
                    await tx.balance(fan_account(one.name)),
                    await tx.balance(promotional_account(one.name)),
                    -await tx.balance(owed_account(one.name)),
                )
                for one in await tx.accounts()
            ]
            purchases = await tx.all_purchases()
            disputes, questions = await tx.all_disputes(), await tx.notes()
        records = await stores.audit.read_all()
    owed = liabilities_of(records.balances, records.ledger)
    return CreditBook(accounts, purchases, disputes, questions, owed)


def _folder(settings: Settings) -> Path:
    folder = settings.service.data_dir
    if not (folder / DATABASE).exists():
        raise ConfigurationError(
            f"There is no service's data in {folder}: name its folder with --data."
        )
    return folder
