"""A fan's data: complaints, a copy of everything, and forgetting.

```
forget   1  tombstone   one synced line, apart from the database: from here on it will happen
         2  settle      running replies are dropped, open ones void, undecided ones withdrawn
         3  erase       one transaction; then the deleted bytes are overwritten
replay   at each start: tombstones that this database has not seen (a crash, a restored backup)
```
"""

import asyncio

import structlog

from bot.domain.errors import TransientError, UserError
from bot.domain.manifest import parse_manifest
from bot.domain.statements import Outcome
from bot.ports.clock import Clock
from bot.ports.erasures import SavedProofs, Tombstone, Tombstones
from bot.ports.fans import FanRecords, Person, Report
from bot.ports.inference import ConversationStates
from bot.ports.stores import Store
from bot.twins.endings import Endings
from bot.twins.export import build_export
from bot.twins.export_money import export_money
from bot.twins.forgotten import Forgotten
from bot.twins.halting import TAKEN_BACK
from bot.twins.running import RunningReplies
from bot.twins.turns import ConversationTurns

MAX_REASON = 1_000
LOOK_AGAIN_S = 0.1
ROUNDS = 300  # half a minute: a reply ends after the token at hand

_log = structlog.get_logger()


class FansData:
    """The use case; `report`, `export` and `forget` are as in `ChatInbox`."""

    def __init__(
        self,
        *,
        store: Store,
        records: FanRecords,
        tombstones: Tombstones,
        saved: SavedProofs,
        states: ConversationStates,
        endings: Endings,
        turns: ConversationTurns,
        running: RunningReplies,
        forgotten: Forgotten,
        clock: Clock,
        base_url: str,
    ) -> None:
        self._store = store
        self._records = records
        self._tombstones = tombstones
        self._saved = saved
        self._states = states
        self._endings = endings
        self._turns = turns
        self._running = running
        self._forgotten = forgotten
        self._clock = clock
        self._base_url = base_url

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Keep a person's complaint about a reply; once per person.

        Raises:
            UserError: no such reply, or the reason is too long.
        """
        reason = reason.strip().encode("utf-8", "replace").decode()
        if len(reason) > MAX_REASON:
            raise UserError("Please say it in at most 1,000 characters.")
        async with self._store.reading() as tx:
            reply = await tx.find_reply(receipt_id)
            intent = None if reply is None else await tx.find_intent(reply.intent)
        if reply is None or intent is None:
            raise UserError("There is no such reply here.")
        report = Report(
            receipt_id=receipt_id,
            twin=reply.twin,
            slug=intent.message.twin,
            person=Person(platform, fan),
            reason=reason,
            at=self._clock.now(),
        )
        if await self._records.add_report(report):
            _log.warning("reply.reported", receipt=receipt_id, twin=report.slug)

    async def export(self, platform: str, fan: str) -> bytes:
        """Return all that is stored about a person on a platform, as readable JSON (UTF-8)."""
        tokens: dict[bytes, str] = {}

        async def token_of(manifest: bytes) -> str:
            if manifest not in tokens:
                async with self._store.reading() as tx:
                    stored = await tx.find_manifest(manifest)
                tokens[manifest] = "" if stored is None else parse_manifest(stored.body).price_token
            return tokens[manifest]

        person = Person(platform, fan)
        async with self._store.reading() as tx:
            money = await export_money(tx, person)
        return await build_export(
            self._records,
            person,
            money=money,
            token_of=token_of,
            base_url=self._base_url,
            moment=self._clock.now(),
        )

    async def forget(self, platform: str, fan: str) -> int:
        """Delete what was said by and to a person on a platform, for good; return how many replies.

        Raises:
            TransientError: not all of it is gone yet; the next start, or asking again, goes on.
        """
        person = Person(platform, fan)
        self._turns.forget(platform, fan)
        if not await self._records.knows(person):
            return 0
        tombstone = Tombstone(self._forgotten.digest_of(person), self._clock.now())
        await self._tombstones.add(tombstone)
        return await self._bury(person, tombstone)

    async def replay(self) -> int:
        """Apply the tombstones that this database has not seen; return how many replies went.

        To be called after the stores have opened and before anything is recovered or answered.
        """
        applied = await self._records.erasures()
        for erasure in applied:
            self._forgotten.note(erasure)
        known = {erasure.tombstone for erasure in applied}
        waiting = [one for one in await self._tombstones.all() if one not in known]
        replies = await self._apply(waiting) if waiting else 0
        await self._records.sweep()
        return replies

    async def _apply(self, waiting: list[Tombstone]) -> int:
        people = {
            self._forgotten.digest_of(person): person for person in await self._records.people()
        }
        replies = 0
        for tombstone in waiting:
            if tombstone.digest in people:
                replies += await self._bury(people[tombstone.digest], tombstone)
        await self._records.mark([one for one in waiting if one.digest not in people])
        _log.warning("fans.forgotten_again", tombstones=len(waiting), replies=replies)
        return replies

    async def _bury(self, person: Person, tombstone: Tombstone) -> int:
        for _ in range(ROUNDS):
            if not await self._settle(person):
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            # Before the transaction, which says that everything is done.
            await self._remove_kept(person)
            erasure = await self._records.erase(person, tombstone)
            if erasure is not None:
                self._forgotten.note(erasure)
                _log.info("fan.forgotten", replies=erasure.replies, overwritten=erasure.overwritten)
                return erasure.replies
        raise TransientError("You are being answered right now: please ask again in a moment.")

    async def _settle(self, person: Person) -> bool:
        """Bring what is open to an end without a reply; return whether nothing was running.

        Who makes a reply is told first, so that it keeps nothing of it, whatever it finds.
        """
        self._turns.forget(person.platform, person.fan)
        dropped = [
            self._running.drop(intent.key)
            for intent in self._running.all()
            if Person(intent.message.surface.platform, intent.message.fan) == person
        ]
        unsettled = await self._records.unsettled(person)
        if unsettled:
            async with self._store.transaction() as tx:
                for asked in unsettled:
                    await self._endings.void(tx, asked.intent.key, TAKEN_BACK.reason)
                    reply = await tx.reply_of(asked.intent.key)
                    if reply is not None and reply.outcome is None:
                        await self._endings.decide(tx, reply, Outcome.WITHDRAWN)
        return not any(dropped)

    async def _remove_kept(self, person: Person) -> None:
        """Remove what lies outside the database: saved proofs, and the engine's states."""
        position = 0
        conversations = set()
        while page := await self._records.asked(person, after=position):
            for asked in page:
                conversations.add(asked.intent.conversation)
                if asked.reply is not None:
                    await asyncio.to_thread(self._saved.remove, asked.reply.receipt_id)
            position = page[-1].position
        for conversation in conversations:
            await self._states.forget(conversation.hex())
