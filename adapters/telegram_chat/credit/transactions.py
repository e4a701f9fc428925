"""The platform's own list of Stars: what updates have missed is found there.

For bots the list begins with the oldest transaction and only grows, so its whole pages that were
followed need no second look. How many that are is kept in the database, beside the book: an older
copy of both follows again what it has lost.
"""

import asyncio
from typing import Any

import structlog
from telegram import StarTransaction, TransactionPartner, TransactionPartnerUser
from telegram.constants import TransactionPartnerUser as Kinds
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat.credit.invoices import is_ours
from adapters.telegram_chat.credit.payments import Payments
from adapters.telegram_chat.events import GivenBack, Money, Paid, Spot
from adapters.telegram_chat.mapping import classify, locate
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Backoff
from bot.domain.errors import OutcomeUnknownError, TransientError
from bot.ports.telegram_state import TelegramState

PAGE = 100  # the platform's largest
_log = structlog.get_logger("telegram")


class Transactions:
    """Follows the list of one bot."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        name: str,
        payments: Payments,
        state: TelegramState,
        pace: Pace,
    ) -> None:
        self._bot = bot
        self._name = name
        self._payments = payments
        self._state = state
        self._pace = pace

    async def run(self) -> None:
        """Look at once and then from time to time; ends only when it is cancelled."""
        backoff = Backoff(self._pace)
        while True:
            failure = None
            try:
                await self.follow()
            except TelegramError as error:
                failure = classify(error)
                _log.warning("telegram.stars_unread", bot=self._name, kind=failure.kind)
            except (TransientError, OutcomeUnknownError) as error:
                _log.warning("telegram.stars_wait", bot=self._name, error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - a bug here must not end the bot
                _log.error("telegram.stars_failed", bot=self._name, error=locate(error))
            else:
                backoff.reset()
                await asyncio.sleep(self._pace.stars_s)
                continue
            await backoff.wait(failure)

    async def follow(self) -> None:
        """Follow all that is new since the last whole page."""
        at, settled = await self._state.stars_followed(self._name), True
        while True:
            page = (await self._bot.get_star_transactions(offset=at, limit=PAGE)).transactions
            for transaction in page:
                money = read_transaction(transaction)
                if money is not None:
                    settled = await self._payments.catch_up(money) and settled
            if len(page) < PAGE:
                return
            at += len(page)
            # After a crash before this line the page is followed again, which changes nothing. It
            # is followed again, too, while there is a payment that the core can't credit.
            if settled:
                await self._state.follow_stars(self._name, at)


def read_transaction(transaction: StarTransaction) -> Money | None:
    """Return what a transaction means for us; None for gifts, withdrawals, other programs' sales.

    A refund has the number of its payment.
    """
    payer, payee = _person(transaction.source), _person(transaction.receiver)
    if payer is not None and is_ours(payer.invoice_payload):
        return _money(Paid, payer, transaction)
    if payee is not None and (payee.invoice_payload is None or is_ours(payee.invoice_payload)):
        return _money(GivenBack, payee, transaction)
    return None


def _person(partner: TransactionPartner | None) -> TransactionPartnerUser | None:
    if not isinstance(partner, TransactionPartnerUser):
        return None
    return partner if partner.transaction_type == Kinds.INVOICE_PAYMENT else None


def _money(
    kind: type[Paid] | type[GivenBack], person: TransactionPartnerUser, found: StarTransaction
) -> Money:
    number = person.user.id
    spot = Spot(number, None, is_private=True, fan=number)
    return kind(0, spot, 0, found.id, found.amount)
