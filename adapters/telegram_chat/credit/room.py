"""How what one bot has to do with money is put together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat.credit.checkout import Checkout
from adapters.telegram_chat.credit.desk import MoneyDesk
from adapters.telegram_chat.credit.disputes import Disputes
from adapters.telegram_chat.credit.hints import MoneyHints
from adapters.telegram_chat.credit.invoices import InvoiceSeal
from adapters.telegram_chat.credit.payments import Payments
from adapters.telegram_chat.credit.transactions import Transactions
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.shared import SharedRequest
from bot.ports.credit import FanCredit
from bot.ports.telegram_state import TelegramState

TEST_ENDING = "/test"  # of the address of Telegram's test environment; its Stars are no money


@dataclass(frozen=True, slots=True)
class CreditRoom:
    """What one bot has; without credit it refuses payments, and that is all.

    Attributes:
        payments: None for a bot that sells nothing; so are `transactions`.
    """

    checkout: Checkout
    desk: MoneyDesk | None = None
    payments: Payments | None = None
    transactions: Transactions | None = None


def build_room(
    *,
    name: str,
    token: str,
    bot: ExtBot[Any],
    sender: Sender,
    hints: MoneyHints | None,
    credit: FanCredit | None,
    state: TelegramState,
    pace: Pace,
    polls: SharedRequest,
    api_base: str,
    shop: Callable[[], str] | None,
) -> CreditRoom:
    """Put the room of one bot together; nothing is sent.

    Args:
        name: the bot's number.
        token: of the bot.
        bot: the library's bot.
        sender: speaks for it.
        hints: None without credit.
        credit: the core's door; None for no credit.
        state: what must survive a restart.
        pace: waits.
        polls: connections that no message waits for.
        api_base: where the Bot API is.
        shop: names a bot that sells credit; None if this one does.
    """
    sells, seal = shop is None, InvoiceSeal(token)
    answering: ExtBot[Any] = ExtBot(
        token, base_url=api_base, request=polls, get_updates_request=polls
    )
    checkout = Checkout(
        bot=answering, name=name, seal=seal, credit=credit if sells else None, pace=pace
    )
    if credit is None or hints is None:
        return CreditRoom(checkout)
    desk = MoneyDesk(
        bot=bot,
        sender=sender,
        credit=credit,
        hints=hints,
        disputes=Disputes(
            bot=bot, sender=sender, credit=credit, hints=hints, state=state, pace=pace
        ),
        seal=seal,
        shop=shop,
        pace=pace,
    )
    if not sells:
        return CreditRoom(checkout, desk)
    is_test = api_base.rstrip("/").endswith(TEST_ENDING)
    payments = Payments(name=name, credit=credit, sender=sender, pace=pace, is_test=is_test)
    transactions = Transactions(bot=bot, name=name, payments=payments, state=state, pace=pace)
    return CreditRoom(checkout, desk, payments, transactions)
