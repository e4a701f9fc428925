"""Make the reply of an intent: generate, and commit what there is to keep.

The way on after a crash, too: all that determines the reply is in the intent.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from bot.domain.errors import BotError, EngineCrashedError, InvariantError
from bot.domain.fields import Finish
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.money import split_price
from bot.domain.persona import Persona, parse_persona
from bot.ports.clock import Clock
from bot.ports.inference import Generated, Queued
from bot.ports.models import ServedModels
from bot.ports.stores import Intent, Store, StoredReply, StoreTransaction
from bot.receipts.issue import Issuer, Place
from bot.receipts.log import append_leaf
from bot.twins.endings import Endings
from bot.twins.engines import engine_of
from bot.twins.halting import TAKEN_BACK, settle_halted
from bot.twins.intents import caller_of, generation_request
from bot.twins.roster import Roster
from bot.twins.running import Halt, RunningReplies

GENERATION_TRIES = 2

_log = structlog.get_logger()
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an intent's manifest says; the roster has it parsed for every live twin."""

    manifest: Manifest
    persona: Persona


class MakeReply:
    """Lines 6 and 7 of the story in `answer`; its caller holds the conversation's turn."""

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        models: ServedModels,
        issuer: Issuer,
        clock: Clock,
        running: RunningReplies,
    ) -> None:
        self._roster = roster
        self._store = store
        self._models = models
        self._issuer = issuer
        self._endings = Endings(issuer, clock)
        self._running = running

    async def finish(self, intent: Intent, show: Show) -> StoredReply:
        """Make the reply of an open intent and store it.

        Raises:
            UserError: it was halted before there was anything to keep; the intent is void.
            TransientError: the engine failed twice; the intent is void, its hold released.
        """
        with self._running.running(intent) as halt:
            return await self.make(halt, show)

    async def make(self, halt: Halt, show: Show) -> StoredReply:
        """Make the reply of a running intent; as `finish`."""
        intent = halt.intent
        terms = await self._terms_of(intent)
        try:
            generated, verdict = await self._generate(halt, terms.manifest, show)
        except BotError:
            await self.void(intent, "the engine could not make this reply")
            raise
        kept = settle_halted(generated, halt, terms.manifest.name)
        if isinstance(kept, Generated):
            reply = await self._commit(halt, kept, terms, verdict)
            if reply is not None:
                return reply
            kept = TAKEN_BACK
        await self.void(intent, kept.reason)
        raise kept.error()

    async def void(self, intent: Intent, reason: str) -> None:
        """End an intent without a reply, if it is still open: logged, and its hold released."""
        async with self._store.transaction() as tx:
            await self._endings.void(tx, intent.key, reason)

    async def _generate(self, halt: Halt, manifest: Manifest, show: Show) -> tuple[Generated, str]:
        """Run the model; after an engine's death once more, continuing what was shown.

        Returns:
            What it made, and whether its self-check found the profile `exact` or `tolerant`.
        """
        request = generation_request(halt.intent, manifest)
        caller = caller_of(halt.intent)
        engine = engine_of(self._models, manifest)
        shown = ""
        for remaining in reversed(range(GENERATION_TRIES)):
            made = ""
            try:
                verdict = "exact" if (await engine.info()).profile_exact else "tolerant"
                async for event in engine.generate(request, halt.asked, caller):
                    if isinstance(event, Generated):
                        return event, verdict
                    if isinstance(event, Queued):
                        continue
                    made += event.text
                    if len(made) > len(shown):
                        show(made[len(shown) :])
                        shown = made
            except EngineCrashedError:
                if remaining == 0:
                    raise
        raise InvariantError("the engine ended a generation without a result")

    async def _commit(
        self, halt: Halt, made: Generated, terms: _Terms, verdict: str
    ) -> StoredReply | None:
        """Store turn, receipt, sequence number, leaf and outbox row: all or nothing.

        None if nothing may be kept: whoever takes the message back says so before their own
        transaction, so that either they find the reply or we find their word.
        """
        intent = halt.intent
        halt_id = halt.by if Finish(made.finish).halted else None
        async with self._store.transaction() as tx:
            if halt.dropped:
                return None
            place = await _next_place(tx, intent)
            issued = replace(self._issuer, verdict=verdict).issue(
                intent,
                made,
                manifest=terms.manifest,
                persona=terms.persona,
                place=place,
                moment=intent.created_at,
                halt=halt_id,
            )
            reply = StoredReply(
                receipt_hash=issued.receipt_hash,
                receipt_id=issued.receipt_id,
                intent=intent.key,
                twin=intent.twin,
                seq=place.seq,
                conversation=intent.conversation,
                turn=place.turn,
                fan_tokens=intent.spans[-1].tokens,
                output_tokens=made.tokens,
                fan_text=intent.message.text,
                text=made.text,
                finish=made.finish,
                price_nano=intent.price_nano,
                creator_nano=split_price(intent.price_nano, terms.manifest.creator_bp)[0],
                opening_key=intent.opening_key,
                envelope=issued.envelope,
                sealed=issued.sealed,
                log_index=await append_leaf(tx, issued.leaf),
                attempt=intent.attempt,
                halt=halt_id,
            )
            await tx.add_reply(reply)
            await tx.close_intent(intent.key, "done")
        _log_committed(intent, reply)
        return reply

    async def _terms_of(self, intent: Intent) -> _Terms:
        live = self._roster.by_id(intent.twin)
        if live is not None and live.manifest_hash == intent.manifest:
            return _Terms(live.manifest, live.persona)
        async with self._store.reading() as tx:
            stored = await tx.find_manifest(intent.manifest)
        if stored is None:
            raise InvariantError(f"intent {intent.key} names an unknown manifest")
        return _Terms(parse_manifest(stored.body), parse_persona(stored.persona))


async def _next_place(tx: StoreTransaction, intent: Intent) -> Place:
    """Return where a reply stands: after the latest turn, or in the place of what it replaces."""
    latest = await tx.recent_turns(intent.conversation)
    turn = latest[0].turn + 1 if latest else 1
    if intent.replaces is not None:
        if not latest or latest[0].receipt_hash != intent.replaces:
            raise InvariantError(f"intent {intent.key} replaces a reply that is not the latest")
        turn = latest[0].turn
        latest = await tx.recent_turns(intent.conversation, before=turn)
    return Place(
        seq=await tx.next_sequence(intent.twin),
        turn=turn,
        previous=latest[0].receipt_hash if latest else None,
    )


def _log_committed(intent: Intent, reply: StoredReply) -> None:
    _log.info(
        "reply.committed",
        receipt=reply.receipt_id,
        twin=intent.message.twin,
        seq=reply.seq,
        turn=reply.turn,
        attempt=reply.attempt,
        finish=reply.finish,
        context_size=len(intent.context),
        output_size=len(reply.output_tokens),
        fee_nano=reply.price_nano,
    )
