"""Answer a fan: the story of the product, top to bottom.

```
1  admit        the twin is live, the fan within quota, the message sane
2  wait         one turn at a time in a conversation; what came meanwhile is answered together
3  draw         slot -> VRF -> seed: nobody could choose it
4  safety       (`safety`) where a rule applies, its fixed answer is the reply: nothing of 5 to 8
5  assemble     typed spans: persona, earlier turns, the message; nothing else can enter
6  intend       (`deciding`) one transaction: quota, who pays (`paying`), hold of the price,
                intent -- before the first character
7  generate     text streams out a little behind the model; fan and creator may halt it; what says
                to this message what was said to another is drawn again, before anyone sees it
8  commit       one transaction: receipt, sequence number, log leaf, turn, outbox
9  deliver      (`delivery`) the surface confirms: outcome leaf and end of the hold at once
```
Killed between any two lines, `recovery` finishes or voids what is open: the seed is in the intent,
so the same bytes come out again. Nothing is charged before its receipt is durable. Another reply
to the same message (`regenerate`) goes the same way from line 5 on, under a seed of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from bot.domain.errors import (
    AdmissionError,
    BotError,
    InvariantError,
    UserError,
)
from bot.domain.fields import MAX_EVENT
from bot.domain.rules import KNOWN_RULES
from bot.domain.statements import VoidReason
from bot.ports.chat import IncomingMessage, MergedInto
from bot.ports.clock import Clock, Entropy
from bot.ports.models import ServedModels
from bot.ports.people import Person
from bot.ports.stores import Intent, Store, StoredReply
from bot.receipts.issue import Issuer
from bot.twins.admission import AdmissionPolicy
from bot.twins.deciding import DecideReply
from bot.twins.intents import conversation_id, draw_again, draw_intent
from bot.twins.making import MakeReply, Show
from bot.twins.merging import choose_parts, find_known, keep_new
from bot.twins.own import find_own
from bot.twins.roster import LiveTwin, Roster
from bot.twins.running import RunningReplies
from bot.twins.safety import FixedAnswers
from bot.twins.turns import ConversationTurns

_log = structlog.get_logger()


class AnswerFan:
    """The use case; one object serves every surface and twin."""

    def __init__(
        self,
        *,
        roster: Roster,
        store: Store,
        models: ServedModels,
        issuer: Issuer,
        vrf_key: bytes,
        policy: AdmissionPolicy,
        clock: Clock,
        entropy: Entropy,
        turns: ConversationTurns,
        running: RunningReplies,
    ) -> None:
        self._roster = roster
        self._store = store
        self._models = models
        self._vrf_key = vrf_key
        self._policy = policy
        self._clock = clock
        self._entropy = entropy
        self._turns = turns
        self._running = running
        self._deciding = DecideReply(store=store, models=models, policy=policy)
        self._making = MakeReply(
            roster=roster, store=store, models=models, issuer=issuer, running=running
        )
        self._fixed = FixedAnswers(store=store, issuer=issuer, policy=policy)

    async def answer(self, message: IncomingMessage, show: Show) -> StoredReply | MergedInto:
        """Answer one message; `show` is given text as it may be shown.

        Idempotent by the message's place and id: a message that has its reply gets it again, and
        one that was merged into another names that other one again.

        Raises:
            UserError: nothing was charged; the sentence is for the fan.
            TransientError: nothing was charged; trying again may help.
        """
        message, twin, arrived = self._admit(message)
        conversation = conversation_id(twin.manifest.twin, message.surface, message.fan)
        async with self._turns.of(conversation, message) as turn:
            if turn.merged_into is not None:
                return MergedInto(turn.merged_into)
            message, twin, moment = self._admit(message)  # once more: it may have waited for long
            draft = draw_intent(
                message,
                twin,
                vrf_key=self._vrf_key,
                moment=moment,
                entropy=self._entropy,
            )
            behind = self._turns.waiting_behind(conversation)
            parts = choose_parts(turn, behind, max_chars=self._policy.message_chars)
            async with self._store.reading() as tx:
                known = await find_known(tx, draft)
                parts = await keep_new(tx, draft, parts)
                stale = await tx.open_intents_of(conversation)
            if known is not None and known.state != "void":
                first = known.message.message_id
                if first != message.message_id:
                    return MergedInto(first)
            if known is not None:
                return await self._answer_known(known, twin.manifest_hash, show)
            await self._end_stale(stale, twin)
            with self._running.running(draft) as halt:
                halt.intent = await self._deciding.decide(draft, twin, parts, halt, arrived)
                self._turns.merge(conversation, parts[1:], into=halt.intent.parts)
                if halt.intent.rule is not None:
                    reply = await self._fixed.give(halt, KNOWN_RULES[halt.intent.rule], twin)
                    show(reply.text)
                    return reply
                return await self._making.make(halt, show)

    async def regenerate(
        self, receipt_id: str, person: Person, event_id: str, show: Show
    ) -> StoredReply:
        """Make another reply to the same message; idempotent by the event's id.

        Raises:
            UserError: not this fan's, not the latest reply, or what `answer` may raise.
            TransientError: nothing was charged.
        """
        if not 1 <= len(event_id) <= MAX_EVENT:
            raise InvariantError("the id of a wish for another reply does not fit into a receipt")
        arrived = self._clock.now()
        async with self._store.reading() as tx:
            replaced, reply = await find_own(tx, receipt_id, person)
        if replaced.rule is not None:
            raise UserError("This answer is always the same: no other one can be made.")
        async with self._turns.of(replaced.conversation):
            async with self._store.reading() as tx:
                attempts = await tx.attempts_of(replaced.slot_tag)
                stale = await tx.open_intents_of(replaced.conversation)
            for known in reversed(attempts):
                if known.regenerate == event_id:
                    return await self._answer_known(known, replaced.manifest, show)
            twin, moment = self._roster.find(replaced.message.twin), self._clock.now()
            twin.check_valid(moment)
            if twin.manifest_hash != replaced.manifest:
                raise AdmissionError(
                    "The twin has a new version: please send your message once more."
                )
            await self._end_stale(stale, twin)
            draft = draw_again(
                replaced,
                reply.receipt_hash,
                attempt=attempts[-1].attempt + 1,
                event_id=event_id,
                moment=moment,
                entropy=self._entropy,
            )
            with self._running.running(draft) as halt:
                halt.intent = await self._deciding.decide_again(draft, twin, reply, halt, arrived)
                return await self._making.make(halt, show)

    async def resume(self, intent: Intent, *, void_because: VoidReason | None) -> bool:
        """Finish or void an intent that may have been left open; return whether it was finished.

        Waits for the conversation's turn first, so a reply that is being made is left alone.
        """
        async with self._turns.of(intent.conversation):
            async with self._store.reading() as tx:
                now = await tx.find_intent(intent.key)
            if now is None or now.state != "open":
                return False
            if void_because is not None:
                await self._making.void(now, void_because)
                return False
            try:
                await self._making.finish(now, lambda _text: None)
            except BotError as error:
                # It was made void, or the store did not take it: the next sweep looks again.
                _log.warning("reply.unfinished", intent=now.key, reason=type(error).__name__)
                return False
            return True

    def _admit(self, message: IncomingMessage) -> tuple[IncomingMessage, LiveTwin, datetime]:
        twin, moment = self._roster.find(message.twin), self._clock.now()
        text = self._policy.check_message(message, twin, moment)
        return replace(message, text=text), twin, moment

    async def _answer_known(self, known: Intent, manifest: bytes, show: Show) -> StoredReply:
        """Give a message that was decided before what it got, or finish it."""
        if known.state == "void":
            raise AdmissionError("This message could not be answered. Please send it once more.")
        if known.state == "done":
            return await self._shown_before(known, show)
        if known.manifest != manifest:
            await self._making.void(known, VoidReason.SUPERSEDED)
            raise AdmissionError("The twin has a new version: please send this once more.")
        return await self._making.finish(known, show)

    async def _shown_before(self, intent: Intent, show: Show) -> StoredReply:
        async with self._store.reading() as tx:
            reply = await tx.reply_of(intent.key)
        if reply is None:
            raise InvariantError(f"intent {intent.key} is done and has no reply")
        show(reply.text)
        return reply

    async def _end_stale(self, stale: Sequence[Intent], twin: LiveTwin) -> None:
        """Finish what an error left open in this conversation: its turns stay in order."""
        for intent in stale:
            if intent.manifest != twin.manifest_hash:
                await self._making.void(intent, VoidReason.SUPERSEDED)
                continue
            try:
                await self._making.finish(intent, lambda _text: None)
            except UserError:
                _log.info("reply.stale_ended", intent=intent.key)  # halted; it is void
