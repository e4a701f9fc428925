"""Make the reply of an intent: generate, and commit what there is to keep.

The way on after a crash, too: all that determines the reply is in the intent.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from bot.domain.errors import BotError, EngineCrashedError, InvariantError
from bot.domain.fields import Finish
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.persona import parse_persona
from bot.domain.statements import VoidReason
from bot.ports.inference import Generated, Queued
from bot.ports.models import ServedModels
from bot.ports.stores import Intent, Store, StoredReply
from bot.receipts.issue import Issuer
from bot.twins.charging import hold_again
from bot.twins.endings import Endings
from bot.twins.engines import engine_of
from bot.twins.halting import TAKEN_BACK, settle_halted
from bot.twins.intents import caller_of, draw_next, generation_request, repeats_of
from bot.twins.keeping import Terms, keep_reply, log_kept
from bot.twins.roster import Roster
from bot.twins.running import Halt, RunningReplies

GENERATION_TRIES = 2

Show = Callable[[str], None]


class MakeReply:
    """Lines 6 and 7 of the story in `answer`; its caller holds the conversation's turn."""

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        models: ServedModels,
        issuer: Issuer,
        running: RunningReplies,
    ) -> None:
        self._roster = roster
        self._store = store
        self._models = models
        self._issuer = issuer
        self._endings = Endings(issuer)
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
        """Make the reply of a running intent; as `finish`.

        Attempts that the filter rejects are followed by the next one at once. They live here only,
        until the attempt that is kept is stored with all of them before it. Killed in between, the
        first intent is open as it was, and the same attempts are drawn and rejected again: their
        seeds follow from it.
        """
        first = halt.intent
        terms = await self._terms_of(first)
        attempts, kept, verdict = [first], None, ""
        while kept is None:
            try:
                made, verdict = await self._generate(halt, attempts[-1], terms.manifest, show)
            except BotError:
                await self.void(first, VoidReason.FAILED)
                raise
            kept = settle_halted(made, halt, terms.manifest.name)
            if isinstance(kept, Generated) and _is_rejected(kept, attempts[-1], terms.manifest):
                attempts.append(draw_next(attempts[-1]))
                kept = None
        if isinstance(kept, Generated):
            reply = await self._commit(halt, attempts, kept, terms, verdict)
            if reply is not None:
                return reply
            kept = TAKEN_BACK
        # Also where an attempt was rejected before: nobody saw any of them, and the slot ends here.
        await self.void(first, kept.reason)
        raise kept.error()

    async def void(self, intent: Intent, reason: VoidReason) -> None:
        """End an intent without a reply, if it is still open: logged, and its hold released."""
        async with self._store.transaction() as tx:
            await self._endings.void(tx, intent.key, reason)

    async def _generate(
        self, halt: Halt, intent: Intent, manifest: Manifest, show: Show
    ) -> tuple[Generated, str]:
        """Run the model; after an engine's death once more, continuing what was shown.

        Of an attempt that is rejected the engine has shown nothing.

        Returns:
            What it made, and whether its self-check found the profile `exact` or `tolerant`.
        """
        request = generation_request(intent, manifest)
        caller = caller_of(intent)
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
        self, halt: Halt, attempts: Sequence[Intent], made: Generated, terms: Terms, verdict: str
    ) -> StoredReply | None:
        """Store the last attempt's reply, and that those before it were rejected: all or nothing.

        None if nothing may be kept: whoever takes the message back says so before their own
        transaction, so that either they find the reply or we find their word.
        """
        intent = attempts[-1]
        async with self._store.transaction() as tx:
            if halt.dropped:
                return None
            for rejected, attempt in pairwise(attempts):
                await tx.move_use(rejected.key, attempt.key)
                await self._endings.void_open(tx, rejected, VoidReason.REJECTED)
                await hold_again(tx, rejected, attempt)
                await tx.add_intent(attempt)
            reply = await keep_reply(
                tx,
                replace(self._issuer, verdict=verdict),
                intent,
                made,
                terms,
                halt=halt.by if Finish(made.finish).halted else None,
            )
        log_kept(intent, reply)
        return reply

    async def _terms_of(self, intent: Intent) -> Terms:
        live = self._roster.by_id(intent.twin)
        if live is not None and live.manifest_hash == intent.manifest:
            return Terms(live.manifest, live.persona)
        async with self._store.reading() as tx:
            stored = await tx.find_manifest(intent.manifest)
        if stored is None:
            raise InvariantError(f"intent {intent.key} names an unknown manifest")
        return Terms(parse_manifest(stored.body), parse_persona(stored.persona))


def _is_rejected(made: Generated, intent: Intent, manifest: Manifest) -> bool:
    """Whether the filter rejects a whole output; a halted one is judged by nobody."""
    whole = not Finish(made.finish).halted
    return whole and repeats_of(intent, manifest).rejects(made.tokens)
