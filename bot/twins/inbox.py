"""The door that chat surfaces call: one object with the fan's side of every use case."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Protocol

from bot.domain.errors import InvariantError, UserError
from bot.domain.fields import MAX_EVENT
from bot.domain.manifest import price_words
from bot.domain.settlement import NANO_PER_UNIT
from bot.domain.statements import Outcome
from bot.ports.chat import (
    ChatInbox,
    IncomingMessage,
    MergedInto,
    PendingReply,
    ReplyEvent,
    ReplyShown,
    Surface,
    TextPiece,
)
from bot.ports.people import Person
from bot.ports.stores import Store, StoredReply
from bot.ports.views import EarningsLine, HistoryTurn, TwinCard
from bot.receipts.link import format_link
from bot.settlement.statement import EarningsStatements
from bot.twins.answer import AnswerFan
from bot.twins.delivery import RecordDelivery
from bot.twins.intents import conversation_id
from bot.twins.making import Show
from bot.twins.own import find_own
from bot.twins.roster import LiveTwin, Roster
from bot.twins.running import RunningReplies
from bot.twins.withdrawal import WithdrawMessage

Answered = StoredReply | MergedInto
Work = Callable[[Show], Coroutine[object, object, Answered]]


class FansRights(Protocol):
    """What the inbox hands on about a person's data (`fans_data`); as in `ChatInbox`."""

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Keep a complaint about a reply."""
        ...

    async def export(self, platform: str, fan: str) -> bytes:
        """Return all that is stored about a person."""
        ...

    async def forget(self, platform: str, fan: str) -> int:
        """Delete what was said by and to a person; return how many replies."""
        ...


class Inbox(ChatInbox):
    """Answers surfaces; replies run in tasks of their own, so a fan who leaves loses nothing.

    `_tasks` holds those tasks until they end.
    """

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        answer: AnswerFan,
        delivery: RecordDelivery,
        withdrawal: WithdrawMessage,
        running: RunningReplies,
        privacy: FansRights,
        statements: EarningsStatements,
        base_url: str,
    ) -> None:
        self._roster = roster
        self._store = store
        self._answer = answer
        self._delivery = delivery
        self._withdrawal = withdrawal
        self._running = running
        self._privacy = privacy
        self._statements = statements
        self._base_url = base_url
        self._tasks: set[asyncio.Task[Answered]] = set()

    def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the reply: any number of pieces, then exactly one `ReplyShown`, last.

        Or nothing but a `MergedInto`, where an earlier message's reply answers this one, too.
        """
        return self._stream(lambda show: self._answer.answer(message, show))

    def regenerate(
        self, receipt_id: str, platform: str, fan: str, event_id: str
    ) -> AsyncIterator[ReplyEvent]:
        """Stream another reply to the same message, in place of one that was shown."""
        person = Person(platform, fan)
        return self._stream(
            lambda show: self._answer.regenerate(receipt_id, person, event_id, show)
        )

    async def _stream(self, work: Work) -> AsyncIterator[ReplyEvent]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(work(pieces.put_nowait))
        self._tasks.add(task)
        task.add_done_callback(lambda _done: pieces.put_nowait(None))
        task.add_done_callback(self._forget)
        while (piece := await pieces.get()) is not None:
            yield TextPiece(piece)
        answered = await task
        yield answered if isinstance(answered, MergedInto) else self._shown(answered)

    def _forget(self, task: asyncio.Task[Answered]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen here, so that a fan who left leaves no warning

    async def drain(self) -> None:
        """Wait until the replies that are being made are committed."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def stop(self, surface: Surface, message_id: str, fan: str, event_id: str) -> bool:
        """Stop the reply to a message while it grows; its `answer` ends with what there is."""
        if not 1 <= len(event_id) <= MAX_EVENT:
            raise InvariantError("the id of a stop does not fit into a receipt")
        intents = self._running.answering(surface, message_id)
        theirs = [intent for intent in intents if intent.message.fan == fan]
        if intents and not theirs:
            raise UserError("Only the person who is being answered may stop this reply.")
        stopped = [self._running.stop(intent.key, by=event_id) for intent in theirs]
        return any(stopped)

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Take a message back, because the fan has deleted it; return its replies' receipt ids."""
        return await self._withdrawal.withdraw(surface, message_id)

    async def link_of(self, receipt_id: str, platform: str, fan: str) -> str:
        """Return the proof link with the opening key, to the person who was answered."""
        async with self._store.reading() as tx:
            _, reply = await find_own(tx, receipt_id, Person(platform, fan))
        return format_link(self._base_url, reply.receipt_id, key=reply.opening_key)

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Keep a person's complaint about a reply; once per person."""
        await self._privacy.report(receipt_id, platform, fan, reason)

    async def export(self, platform: str, fan: str) -> bytes:
        """Return all that is stored about a person on a platform, as readable JSON (UTF-8)."""
        return await self._privacy.export(platform, fan)

    async def forget(self, platform: str, fan: str) -> int:
        """Delete what was said by and to a person on a platform, its keys and its ids, for good."""
        return await self._privacy.forget(platform, fan)

    async def delivered(self, receipt_id: str) -> None:
        """Record that the person has this reply; idempotent. Captures the held fee.

        A reply that its creator cut off is refunded instead.
        """
        await self._delivery.record(receipt_id, Outcome.DELIVERED)

    async def undelivered(self, receipt_id: str) -> None:
        """Record that this reply can't reach the person; idempotent. Releases the held fee."""
        await self._delivery.record(receipt_id, Outcome.UNDELIVERED)

    async def pending(self, platform: str, bot: str) -> list[PendingReply]:
        """Return the outbox of one account on one platform, oldest first."""
        async with self._store.reading() as tx:
            undecided = await tx.undelivered_replies()
        found = []
        for intent, reply in undecided:
            surface, twin = intent.message.surface, self._roster.known(intent.twin)
            if (surface.platform, surface.bot) == (platform, bot) and twin is not None:
                found.append(PendingReply(intent.message, self._shown(reply)))
        return found

    async def twins(self) -> list[TwinCard]:
        """Return the live twins, ordered by name."""
        return [
            TwinCard(
                slug=twin.manifest.slug,
                name=twin.manifest.name,
                role=twin.persona.role,
                price=price_words(
                    twin.manifest.price_nano, twin.manifest.price_token, twin.manifest.free_daily
                ),
                version=twin.manifest.version,
                creator=twin.manifest.creator,
                avatar=twin.avatar,
            )
            for twin in self._roster.all()
        ]

    async def history(self, twin: str, surface: Surface, fan: str) -> list[HistoryTurn]:
        """Return the committed turns of one conversation, oldest first; of each the last attempt.

        The surface shows them, so replies whose delivery was unknown are delivered by this.
        """
        live = self._roster.find(twin)
        async with self._store.reading() as tx:
            replies = await tx.conversation(conversation_id(live.manifest.twin, surface, fan))
        shown = [reply for reply in replies if not reply.withdrawn]
        for reply in shown:
            if reply.outcome is None:
                await self.delivered(reply.receipt_id)
        return [
            HistoryTurn(
                fan_text=reply.fan_text,
                reply_text=reply.text,
                link=format_link(self._base_url, reply.receipt_id, key=reply.opening_key),
                fee_nano=reply.price_nano,
                token=live.manifest.price_token,
            )
            for reply in shown
        ]

    async def earnings(self) -> list[EarningsLine]:
        """Return one line for each twin, ordered by name."""
        return [await self._earnings_of(twin) for twin in self._roster.all()]

    async def _earnings_of(self, twin: LiveTwin) -> EarningsLine:
        statement = await self._statements.statement(twin.manifest.twin)
        balance = statement.payout_balance_units
        return EarningsLine(
            twin_name=twin.manifest.name,
            token=twin.manifest.price_token,
            accrued_nano=statement.earned_nano,
            committed_nano=statement.committed_units * NANO_PER_UNIT,
            claimed_nano=(statement.claimed_units or 0) * NANO_PER_UNIT,
            payout=twin.manifest.payout,
            chain_balance_nano=None if balance is None else balance * NANO_PER_UNIT,
            last_tx=None if statement.commit_hash is None else f"0x{statement.commit_hash.hex()}",
            held_nano=statement.held_nano,
        )

    def _shown(self, reply: StoredReply) -> ReplyShown:
        twin = self._roster.known(reply.twin)
        if twin is None:
            raise InvariantError(f"receipt {reply.receipt_id} is of a twin that was never served")
        return ReplyShown(
            receipt_id=reply.receipt_id,
            text=reply.text,
            link=format_link(self._base_url, reply.receipt_id, key=reply.opening_key),
            public_link=format_link(self._base_url, reply.receipt_id, key=None),
            fee_nano=reply.price_nano,
            token=twin.manifest.price_token,
            twin_name=twin.manifest.name,
            finish=reply.finish,
            attempt=reply.attempt - reply.rejected,
        )
