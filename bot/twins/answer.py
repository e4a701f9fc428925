"""Answer a fan: the story of the product, top to bottom.

```
1  admit        the twin is live, the fan within quota, the message sane
2  draw         slot -> VRF -> seed: nobody could choose it
3  assemble     typed spans: persona, earlier turns, the message; nothing else can enter
4  intend       one transaction: quota, hold of the price, intent -- before the first character
5  generate     text streams out a little behind the model
6  commit       one transaction: receipt, sequence number, log leaf, turn, outbox
7  deliver      (`delivery`) the surface confirms: outcome leaf and capture of the hold at once
```
Killed between any two lines, `recovery` finishes or voids what is open: the seed is in the intent,
so the same bytes come out again. Nothing is charged before its receipt is durable.
"""

from collections.abc import Callable
from dataclasses import replace

import structlog

from bot.domain.errors import (
    AdmissionError,
    BotError,
    EngineCrashedError,
    InvariantError,
)
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.money import split_price
from bot.domain.persona import parse_persona
from bot.ledger.fees import plan_hold, plan_release
from bot.ports.chat import IncomingMessage
from bot.ports.clock import Clock, Entropy
from bot.ports.inference import Generated, InferenceEngine
from bot.ports.stores import Intent, Store, StoredManifest, StoredReply, StoreTransaction
from bot.receipts.issue import Issuer, Place
from bot.receipts.log import append_leaf
from bot.twins.admission import AdmissionPolicy
from bot.twins.intents import (
    assemble_context,
    draw_intent,
    generation_request,
)
from bot.twins.roster import LiveTwin, Roster
from bot.twins.turns import ConversationTurns

GENERATION_TRIES = 2

_log = structlog.get_logger()
Show = Callable[[str], None]


class AnswerFan:
    """The use case; one object serves every surface and twin."""

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        engine: InferenceEngine,
        issuer: Issuer,
        vrf_key: bytes,
        policy: AdmissionPolicy,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._roster = roster
        self._store = store
        self._engine = engine
        self._issuer = issuer
        self._vrf_key = vrf_key
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._turns = ConversationTurns()

    async def answer(self, message: IncomingMessage, show: Show) -> StoredReply:
        """Answer one message; `show` is given text as it may be shown.

        Idempotent by the message's place and id: a message that has its reply gets it again.

        Raises:
            UserError: nothing was charged; the sentence is for the fan.
            TransientError: nothing was charged; trying again may help.
        """
        twin = self._roster.find(message.twin)
        moment = self._clock.now()
        text = self._policy.check_message(message, twin, moment)
        message = replace(message, text=text)
        draft = draw_intent(
            message, twin, vrf_key=self._vrf_key, moment=moment, entropy=self._entropy
        )
        async with self._turns.of(draft.conversation):
            await self._end_stale(draft)
            intent = await self._intend(draft, twin)
            if intent.state == "done":
                return await self._shown_before(intent, show)
            if intent.manifest != draft.manifest:
                await self.void(intent, "the twin has a new version")
                raise AdmissionError("The twin has a new version: please send this once more.")
            return await self.finish(intent, show)

    async def resume(self, intent: Intent, *, void_because: str | None) -> bool:
        """Finish or void an intent that may have been left open; return whether it was finished.

        Waits for the conversation's turn first, so a reply that is being made is left alone.
        """
        async with self._turns.of(intent.conversation):
            async with self._store.reading() as tx:
                now = await tx.find_intent(intent.key)
            if now is None or now.state != "open":
                return False
            if void_because is not None:
                await self.void(now, void_because)
                return False
            try:
                await self.finish(now, lambda _text: None)
            except BotError as error:
                # `finish` has voided it, or the store did not take it: the next sweep looks again.
                _log.warning("reply.unfinished", intent=now.key, reason=type(error).__name__)
                return False
            return True

    async def finish(self, intent: Intent, show: Show) -> StoredReply:
        """Make the reply of an open intent and store it; the way on after a crash, too.

        Raises:
            TransientError: the engine failed twice; the intent is void, its hold released.
        """
        stored = await self._load_manifest(intent)
        try:
            generated = await self._generate(intent, parse_manifest(stored.body), show)
        except BotError:
            await self.void(intent, "the engine could not make this reply")
            raise
        return await self._commit(intent, generated, stored)

    async def void(self, intent: Intent, reason: str) -> None:
        """End an open intent without a reply: logged, and its hold released."""
        statement = self._issuer.state_void(intent, reason, self._clock.now())
        async with self._store.transaction() as tx:
            await append_leaf(tx, statement.leaf)
            await tx.close_intent(intent.key, "void", void_statement=statement.envelope)
            await tx.post(plan_release(intent.key, intent.price_nano))
        _log.warning("reply.void", intent=intent.key, reason=reason)

    async def _end_stale(self, draft: Intent) -> None:
        """Finish what an error left open in this conversation: its turns stay in order."""
        async with self._store.reading() as tx:
            intents = await tx.open_intents()
        for intent in intents:
            if intent.conversation == draft.conversation and intent.key != draft.key:
                if intent.manifest == draft.manifest:
                    await self.finish(intent, lambda _text: None)
                else:
                    await self.void(intent, "the twin has a new version")

    async def _intend(self, draft: Intent, twin: LiveTwin) -> Intent:
        """Decide the reply: everything that determines it is durable when this returns."""
        message_tokens = await self._engine.tokenize(
            twin.manifest.rendering.span_prefix + draft.message.text
        )
        async with self._store.transaction() as tx:
            known = await tx.find_intent(draft.key)
            if known is not None:
                return _accept_known(known, draft)
            await self._policy.check_quota(tx, draft.message, twin, draft.created_at)
            earlier = await tx.conversation(draft.conversation)
            intent = assemble_context(draft, twin, earlier=earlier, message=message_tokens)
            await tx.post(plan_hold(intent.key, intent.price_nano))
            await tx.add_intent(intent)
        return intent

    async def _generate(self, intent: Intent, manifest: Manifest, show: Show) -> Generated:
        """Run the model; after an engine's death once more, continuing what was shown."""
        request = generation_request(intent, manifest)
        shown = ""
        for remaining in reversed(range(GENERATION_TRIES)):
            made = ""
            try:
                async for event in self._engine.generate(request):
                    if isinstance(event, Generated):
                        return event
                    made += event.text
                    if len(made) > len(shown):
                        show(made[len(shown) :])
                        shown = made
            except EngineCrashedError:
                if remaining == 0:
                    raise
        raise InvariantError("the engine ended a generation without a result")

    async def _commit(
        self, intent: Intent, generated: Generated, stored: StoredManifest
    ) -> StoredReply:
        """Store turn, receipt, sequence number, leaf and outbox row: all or nothing."""
        manifest = parse_manifest(stored.body)
        async with self._store.transaction() as tx:
            place = await _next_place(tx, intent)
            issued = self._issuer.issue(
                intent,
                generated,
                manifest=manifest,
                persona=parse_persona(stored.persona),
                place=place,
                moment=intent.created_at,
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
                output_tokens=generated.tokens,
                fan_text=intent.message.text,
                text=generated.text,
                finish=generated.finish,
                price_nano=intent.price_nano,
                creator_nano=split_price(intent.price_nano, manifest.creator_bp)[0],
                opening_key=intent.opening_key,
                envelope=issued.envelope,
                sealed=issued.sealed,
                log_index=await append_leaf(tx, issued.leaf),
            )
            await tx.add_reply(reply)
            await tx.close_intent(intent.key, "done")
        _log.info(
            "reply.committed",
            receipt=reply.receipt_id,
            twin=intent.message.twin,
            seq=reply.seq,
            turn=reply.turn,
            finish=reply.finish,
            context_size=len(intent.context),
            output_size=len(reply.output_tokens),
            fee_nano=reply.price_nano,
        )
        return reply

    async def _load_manifest(self, intent: Intent) -> StoredManifest:
        async with self._store.reading() as tx:
            stored = await tx.find_manifest(intent.manifest)
        if stored is None:
            raise InvariantError(f"intent {intent.key} names an unknown manifest")
        return stored

    async def _shown_before(self, intent: Intent, show: Show) -> StoredReply:
        async with self._store.reading() as tx:
            reply = await tx.reply_of(intent.key)
        if reply is None:
            raise InvariantError(f"intent {intent.key} is done and has no reply")
        show(reply.text)
        return reply


def _accept_known(intent: Intent, draft: Intent) -> Intent:
    if intent.conversation != draft.conversation:  # its reply and opening key are somebody else's
        raise InvariantError("two fans' messages have one id in one place")
    if intent.state == "void":
        raise AdmissionError("This message could not be answered. Please send it once more.")
    return intent


async def _next_place(tx: StoreTransaction, intent: Intent) -> Place:
    turns = await tx.conversation(intent.conversation)
    last = turns[-1] if turns else None
    return Place(
        seq=await tx.next_sequence(intent.twin),
        turn=1 if last is None else last.turn + 1,
        previous=None if last is None else last.receipt_hash,
    )
