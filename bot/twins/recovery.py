"""At each start and every minute: finish or void what was left open.

It goes through the same code that answers.

An open intent has its seed, so its reply comes out byte for byte the same and goes where the first
one was going. Replies whose delivery is unknown stay in the outbox: their surface shows them again
and confirms; after a day without anybody to show them to, they count as undelivered.
"""

from datetime import timedelta

from bot.domain.statements import Outcome, VoidReason
from bot.ports.clock import Clock
from bot.ports.stores import Intent, Store
from bot.twins.answer import AnswerFan
from bot.twins.delivery import RecordDelivery
from bot.twins.roster import Roster

FINISH_WITHIN = timedelta(hours=1)
SHOW_WITHIN = timedelta(days=1)


class Recovery:
    """The use case; runs once before any surface opens, and then as a sweep."""

    def __init__(
        self,
        *,
        store: Store,
        roster: Roster,
        answer: AnswerFan,
        delivery: RecordDelivery,
        clock: Clock,
    ) -> None:
        self._store = store
        self._roster = roster
        self._answer = answer
        self._delivery = delivery
        self._clock = clock

    async def run(self) -> int:
        """Bring every open step to its end; return how many replies were finished."""
        finished = await self._finish_intents()
        await self._give_up_deliveries()
        return finished

    async def _finish_intents(self) -> int:
        async with self._store.reading() as tx:
            intents = await tx.open_intents()
        finished = 0
        for intent in intents:
            reason = self._why_void(intent)
            finished += await self._answer.resume(intent, void_because=reason)
        return finished

    def _why_void(self, intent: Intent) -> VoidReason | None:
        """Return why an intent can't be finished any more; None if it can."""
        twin = self._roster.by_id(intent.twin)
        if twin is None:
            return VoidReason.SUPERSEDED
        if twin.manifest_hash != intent.manifest:
            return VoidReason.SUPERSEDED
        if self._clock.now() - intent.created_at >= FINISH_WITHIN:
            return VoidReason.EXPIRED
        return None

    async def _give_up_deliveries(self) -> None:
        async with self._store.reading() as tx:
            undelivered = await tx.undelivered_replies()
        for intent, reply in undelivered:
            if self._clock.now() - intent.created_at > SHOW_WITHIN:
                await self._delivery.record(reply.receipt_id, Outcome.UNDELIVERED)
