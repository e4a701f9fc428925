"""The door that chat surfaces call: one object with the fan's side of every use case."""

import asyncio
from collections.abc import AsyncIterator

from bot.domain.leaf import Outcome
from bot.domain.money import format_nano
from bot.domain.settlement import NANO_PER_UNIT
from bot.ports.chat import (
    ChatInbox,
    EarningsLine,
    HistoryTurn,
    IncomingMessage,
    PendingReply,
    ReplyEvent,
    ReplyShown,
    Surface,
    TextPiece,
    TwinCard,
)
from bot.ports.stores import Store, StoredReply
from bot.receipts.link import format_link
from bot.settlement.statement import EarningsStatements
from bot.twins.answer import AnswerFan
from bot.twins.delivery import RecordDelivery
from bot.twins.intents import conversation_id
from bot.twins.roster import LiveTwin, Roster


class Inbox(ChatInbox):
    """Answers surfaces; replies run in tasks of their own, so a fan who leaves loses nothing.

    `_running` holds those tasks until they end.
    """

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        answer: AnswerFan,
        delivery: RecordDelivery,
        statements: EarningsStatements,
        base_url: str,
    ) -> None:
        self._roster = roster
        self._store = store
        self._answer = answer
        self._delivery = delivery
        self._statements = statements
        self._base_url = base_url
        self._running: set[asyncio.Task[StoredReply]] = set()

    async def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Stream the reply: any number of pieces, then exactly one `ReplyShown`, last."""
        twin = self._roster.find(message.twin)
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        task = asyncio.create_task(self._answer.answer(message, pieces.put_nowait))
        self._running.add(task)
        task.add_done_callback(lambda _done: pieces.put_nowait(None))
        task.add_done_callback(self._forget)
        while (piece := await pieces.get()) is not None:
            yield TextPiece(piece)
        yield self._shown(await task, twin)

    def _forget(self, task: asyncio.Task[StoredReply]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # seen here, so that a fan who left leaves no warning

    async def drain(self) -> None:
        """Wait until the replies that are being made are committed."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def delivered(self, receipt_id: str) -> None:
        """Record that the person has this reply; idempotent. Captures the held fee."""
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
            surface, twin = intent.message.surface, self._roster.by_id(intent.twin)
            if (surface.platform, surface.bot) == (platform, bot) and twin is not None:
                found.append(PendingReply(intent.message, self._shown(reply, twin)))
        return found

    async def twins(self) -> list[TwinCard]:
        """Return the live twins, ordered by name."""
        return [
            TwinCard(
                slug=twin.manifest.slug,
                name=twin.manifest.name,
                role=twin.persona.role,
                price=f"{format_nano(twin.manifest.price_nano)} {twin.manifest.price_token} "
                "per reply",
            )
            for twin in self._roster.all()
        ]

    async def history(self, twin: str, surface: Surface, fan: str) -> list[HistoryTurn]:
        """Return the committed turns of one conversation, oldest first.

        The surface shows them, so replies whose delivery was unknown are delivered by this.
        """
        live = self._roster.find(twin)
        async with self._store.reading() as tx:
            replies = await tx.conversation(conversation_id(live.manifest.twin, surface, fan))
        shown = [reply for reply in replies if reply.outcome != Outcome.WITHDRAWN.word]
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
        )

    def _shown(self, reply: StoredReply, twin: LiveTwin) -> ReplyShown:
        return ReplyShown(
            receipt_id=reply.receipt_id,
            text=reply.text,
            link=format_link(self._base_url, reply.receipt_id, key=reply.opening_key),
            public_link=format_link(self._base_url, reply.receipt_id, key=None),
            fee_nano=reply.price_nano,
            token=twin.manifest.price_token,
            twin_name=twin.manifest.name,
            finish=reply.finish,
        )
