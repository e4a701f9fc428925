"""The updates of one bot that are in the works: each durable, handled once, and to its end.

An update is confirmed to Telegram only when it is durable here, and forgotten when it is handled:
so a crash loses no message, and a repeated update gives no second answer.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from telegram import Update
from telegram.ext import ExtBot

from adapters.telegram_chat import money_words, wording
from adapters.telegram_chat.credit.checkout import Checkout
from adapters.telegram_chat.credit.payments import Payments
from adapters.telegram_chat.delivery import PLATFORM, Delivery
from adapters.telegram_chat.desk import Desk
from adapters.telegram_chat.events import (
    BotMade,
    Event,
    GivenBack,
    Money,
    Paid,
    Pressed,
    Said,
    encode_event,
    parse_event,
)
from adapters.telegram_chat.mapping import locate
from adapters.telegram_chat.offer import Notices
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.reading import read_update
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.signs import Key, Signs
from adapters.telegram_chat.talkativeness import GroupTurns
from bot.domain.errors import BotError, InvariantError, TransientError, UserError
from bot.ports.chat import ChatInbox, PendingReply
from bot.ports.telegram_state import TakenUpdate, TelegramState

MAX_OPEN = 256  # updates in the works
MAX_QUEUED = 4096  # updates that wait for these; the poll waits beyond
_ANSWERED = ("", "talk")  # what a twin answers, not the surface
_log = structlog.get_logger("telegram")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An update that is in the database and not in the works yet.

    Attributes:
        is_asking: somebody waits for a twin's answer.
        is_money: it does not wait.
        is_late: taken by an earlier run.
    """

    update: TakenUpdate
    is_asking: bool = False
    is_money: bool = False
    is_late: bool = False


class Works:
    """What one bot is working on.

    `_tasks` holds the updates and replies in the works, `_queue` the updates that wait for them, in
    the database as well; both are owned by the loop that the bot is in. The queue is there so that
    updates are still taken when the works are full: one may ask whether a payment may go on.
    """

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        name: str,
        sender: Sender,
        desk: Desk,
        delivery: Delivery,
        notices: Notices,
        checkout: Checkout,
        payments: Payments | None,
        inbox: ChatInbox,
        state: TelegramState,
        turns: GroupTurns,
        pace: Pace,
        signs: Signs,
    ) -> None:
        self._bot = bot
        self._name = name
        self._sender = sender
        self._desk = desk
        self._delivery = delivery
        self._notices = notices
        self._checkout = checkout
        self._payments = payments
        self._inbox = inbox
        self._state = state
        self._turns = turns
        self._pace = pace
        self._signs = signs
        self._tasks: set[asyncio.Task[None]] = set()
        self._queue: deque[_Waiting] = deque()
        self._room = asyncio.Event()

    async def take(self, updates: Sequence[Update]) -> None:
        """Make updates durable and begin to handle them; return before they are handled.

        Raises:
            StoreBusyError: nothing was taken; Telegram shall send them again.
        """
        for update in updates:
            if update.pre_checkout_query is not None:
                self._checkout.begin(update.pre_checkout_query)
        waiting = [await self._read(update) for update in updates]
        taken = [one for one in waiting if one is not None]
        if not taken:
            return
        fresh = await self._state.take_all([one.update for one in taken])
        for one, is_new in zip(taken, fresh, strict=True):
            if is_new and one.is_money:
                self._start(self._handle(one.update, is_late=False))
            elif is_new:
                self._queue.append(one)
        self._go_on()
        while len(self._queue) > MAX_QUEUED:
            self._room.clear()
            await self._room.wait()

    async def _read(self, update: Update) -> _Waiting | None:
        """Return what is for us in an update; everything else is dropped here, stored nowhere."""
        event = read_update(update, self._bot.bot)
        is_asking = False
        if event is None:
            return None
        if isinstance(event, Said):
            if not await self._is_for_us(event):
                return None
            is_asking = event.command in _ANSWERED and not event.unasked
        is_money = isinstance(event, Paid | GivenBack)
        return _Waiting(self._taken_of(event), is_asking=is_asking, is_money=is_money)

    def _go_on(self) -> None:
        """Begin with what waits, as far as there is room in the works."""
        while self._queue and len(self._tasks) < MAX_OPEN:
            one = self._queue.popleft()
            if one.is_asking:
                self._signs.expect(_key_of(one.update))
            self._start(self._handle_waiting(one))
        if len(self._queue) <= MAX_QUEUED:
            self._room.set()

    def _taken_of(self, event: Event) -> TakenUpdate:
        number = 0 if isinstance(event, Pressed) else event.message_id
        return TakenUpdate(
            bot=self._name,
            update_id=event.update_id,
            chat=str(event.spot.chat),
            message_id=str(number) if number else "",
            payload=encode_event(event),
        )

    async def recover(self) -> None:
        """Go on with what an earlier run left: replies without an outcome, then open updates."""
        await self._notices.clear_old()
        unfinished = await self._state.unfinished(self._name)
        waiting = {(update.chat, update.message_id): update for update in unfinished}
        presses = [update for update in unfinished if not update.message_id]
        redelivered = []
        for pending in await self._inbox.pending(PLATFORM, self._name):
            message = pending.message
            update = waiting.pop((message.surface.chat, message.message_id), None)
            redelivered.append(self._start(self._redeliver(pending, update)))
        for update in waiting.values():
            if update.message_id:
                self._queue.append(_Waiting(update, is_late=True))
        self._go_on()
        if presses:
            self._start(self._handle_presses(presses, redelivered))

    async def close(self) -> None:
        """Let what runs end for some seconds; the rest is finished after the next start."""
        self._queue.clear()
        self._room.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._pace.drain_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._checkout.close()
        await self._desk.close()
        self._signs.forget(self._name)

    async def _is_for_us(self, said: Said) -> bool:
        return not said.unasked or await self._turns.speaks(self._name, said)

    async def _handle_waiting(self, one: _Waiting) -> None:
        try:
            await self._handle(one.update, is_late=one.is_late)
        finally:
            self._signs.seen(_key_of(one.update))

    async def _handle(self, taken: TakenUpdate, *, is_late: bool) -> None:
        """Handle one update to its end; the boundary where every error becomes a sentence."""
        try:
            event = parse_event(taken.payload)
        except InvariantError:
            _log.warning("telegram.update_unreadable", bot=self._name, update=taken.update_id)
            await self._finish(taken)
            return
        if isinstance(event, Paid | GivenBack):
            if await self._follow_money(event, is_late=is_late):
                await self._finish(taken)
            return
        reply_to = 0 if event.spot.is_private or isinstance(event, BotMade) else event.message_id
        quiet = isinstance(event, Said) and event.unasked
        try:
            await self._desk.handle(event, is_late=is_late)
        except (UserError, TransientError) as error:
            if not quiet:
                await self._sender.say(event.spot, str(error), reply_to=reply_to)
        except Exception as error:  # noqa: BLE001 - the boundary of the surface
            number, where = taken.update_id, locate(error)
            _log.error("telegram.update_failed", bot=self._name, update=number, error=where)
            if not quiet:
                await self._sender.say(event.spot, wording.BROKEN, reply_to=reply_to)
        await self._finish(taken)

    async def _follow_money(self, money: Money, *, is_late: bool) -> bool:
        """Follow a payment or its end; return whether it is in the book, else the update stays."""
        if self._payments is None:
            # With credit, the list of transactions brings a payment to the operator's bot back.
            _log.error("telegram.payment_not_ours", bot=self._name)
            return True
        try:
            await self._payments.follow(money, is_late=is_late)
        except Exception as error:  # noqa: BLE001 - the boundary of the surface
            _log.error("telegram.money_failed", bot=self._name, error=locate(error))
            if isinstance(money, Paid):
                await self._sender.say(money.spot, money_words.STUCK)
            return False
        return True

    async def _handle_presses(
        self, presses: list[TakenUpdate], redelivered: Iterable[asyncio.Task[None]]
    ) -> None:
        """Repeat wishes of an earlier run, after the replies that they may have led to."""
        await asyncio.gather(*redelivered, return_exceptions=True)
        for press in presses:
            await self._handle(press, is_late=True)

    async def _redeliver(self, pending: PendingReply, update: TakenUpdate | None) -> None:
        try:
            await self._delivery.deliver(pending.message, pending.reply)
        except BotError as error:
            receipt, name = pending.reply.receipt_id, type(error).__name__
            _log.warning("telegram.redelivery_failed", receipt=receipt, error=name)
        if update is not None:
            await self._finish(update)

    async def _finish(self, taken: TakenUpdate) -> None:
        try:
            await self._state.finish(taken.bot, taken.update_id)
        except TransientError:
            # Handled again after the next start; what was sent is known by its receipt.
            _log.warning("telegram.update_unfinished", bot=self._name, update=taken.update_id)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._go_on()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("telegram.task_failed", bot=self._name, error=locate(error))


def _key_of(taken: TakenUpdate) -> Key:
    return taken.bot, taken.chat, taken.message_id
