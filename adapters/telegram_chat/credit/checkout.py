"""The last word before the platform takes money; it waits ten seconds for it and no longer.

Nothing else is in the way of an answer: it is no update in the works, has connections of its own,
and needs no room in any window. A question that a crash leaves unanswered ends without a payment.
"""

import asyncio
from collections import deque
from typing import Any

import structlog
from telegram import PreCheckoutQuery
from telegram.error import TelegramError
from telegram.ext import ExtBot

from adapters.telegram_chat import money_words as words
from adapters.telegram_chat.credit.invoices import InvoiceSeal
from adapters.telegram_chat.delivery import PLATFORM
from adapters.telegram_chat.events import STARS
from adapters.telegram_chat.mapping import FailureKind, classify, locate
from adapters.telegram_chat.pace import Pace
from bot.domain.errors import BotError, UserError
from bot.ports.credit import FanCredit
from bot.ports.people import Person

ANSWER_S = 9.8  # the platform's ten seconds, less what an answer is on its way
ATTEMPT_S = 3.0
AGAIN_S = 0.2
SEEN_KEPT = 1024
_FINAL = frozenset({FailureKind.REFUSED, FailureKind.TOKEN, FailureKind.UNREACHABLE})
_log = structlog.get_logger("telegram")


class Checkout:
    """Answers whether payments may go on, for one bot.

    `_tasks` has the answers under way and the checks that came too late; each ends within seconds
    by itself, so there is no limit to their number. `_seen` are queries that came before.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        name: str,
        seal: InvoiceSeal,
        credit: FanCredit | None,
        pace: Pace,
    ) -> None:
        """Prepare it.

        Args:
            bot: the library's, over connections that no message has to wait for.
            name: the bot's number.
            seal: of this bot's invoices.
            credit: the core's door; None: nothing is sold here.
            pace: how long a check may take.
        """
        self._bot = bot
        self._name = name
        self._seal = seal
        self._credit = credit
        self._pace = pace
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen: deque[str] = deque(maxlen=SEEN_KEPT)

    def begin(self, query: PreCheckoutQuery) -> None:
        """Begin to answer, and return at once; a repetition is answered already."""
        if query.id not in self._seen:
            self._seen.append(query.id)
            self._keep(asyncio.create_task(self._answer(query)))

    async def close(self) -> None:
        """Let the answers under way end."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _answer(self, query: PreCheckoutQuery) -> None:
        until = asyncio.get_running_loop().time() + ANSWER_S
        refusal = await self._check_in_time(query)
        if await self._send(query.id, refusal, until):
            _log.info("telegram.checkout", bot=self._name, ok=not refusal)
        else:
            _log.error("telegram.checkout_unanswered", bot=self._name)

    async def _check_in_time(self, query: PreCheckoutQuery) -> str:
        """Return why the payment may not go on; empty if it may."""
        check = asyncio.create_task(self._check(query))
        self._keep(check)
        await asyncio.wait({check}, timeout=self._pace.checkout_s)
        if not check.done():
            check.cancel()
            _log.warning("telegram.checkout_slow", bot=self._name)
            return words.CANT_CHECK
        if check.cancelled():
            return words.CANT_CHECK
        error = check.exception()
        if isinstance(error, UserError):
            return words.clip(str(error))
        if error is not None:
            kind = type(error).__name__ if isinstance(error, BotError) else locate(error)
            _log.warning("telegram.checkout_failed", bot=self._name, error=kind)
            return words.CANT_CHECK
        return check.result()

    async def _check(self, query: PreCheckoutQuery) -> str:
        if self._credit is None:
            return words.NOTHING_SOLD
        invoice = self._seal.open(query.invoice_payload)
        if invoice is None or (query.currency, query.total_amount) != (STARS, invoice.count):
            _log.warning("telegram.invoice_forged", bot=self._name)
            return words.NOT_OUR_INVOICE
        if invoice.fan != query.from_user.id:
            return words.NOT_YOUR_INVOICE
        person = Person(PLATFORM, str(invoice.fan))
        await self._credit.check_purchase(person, invoice.unit, invoice.count)
        offers = await self._credit.offers(PLATFORM)
        promised = (invoice.unit, invoice.count, invoice.nano)
        if promised not in {(offer.unit, offer.count, offer.nano) for offer in offers}:
            return words.OLD_INVOICE
        return ""

    async def _send(self, query_id: str, refusal: str, until: float) -> bool:
        """Send the answer, again and again while it is of use; a second one changes nothing."""
        while (left := until - asyncio.get_running_loop().time()) > 0:
            patience = min(left, ATTEMPT_S)
            try:
                async with asyncio.timeout(patience):
                    await self._bot.answer_pre_checkout_query(
                        query_id, ok=not refusal, error_message=refusal or None
                    )
            except TimeoutError:
                continue
            except TelegramError as error:
                failure = classify(error)
                if failure.kind in _FINAL:
                    return False
                await asyncio.sleep(max(AGAIN_S, failure.retry_after_s))
            else:
                return True
        return False

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # of a check that came too late, nobody else asks
