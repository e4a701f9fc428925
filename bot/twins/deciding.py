"""Decide a reply: everything that determines it, and who pays, durable in one transaction."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.errors import MessageTooLongError
from bot.domain.rules import first_rule
from bot.ports.models import ServedModels
from bot.ports.stores import Intent, Store, StoredReply, StoreTransaction
from bot.twins.admission import AdmissionPolicy
from bot.twins.charging import Asking, PriceUnseenError
from bot.twins.engines import engine_of
from bot.twins.intents import Earlier, assemble_context, read_earlier
from bot.twins.merging import merge_messages
from bot.twins.own import check_latest
from bot.twins.roster import LiveTwin
from bot.twins.running import Halt
from bot.twins.safety import fixed_intent
from bot.twins.turns import TakenBackError, Turn


class DecideReply:
    """Line 6 of the story in `answer`; its caller holds the conversation's turn."""

    def __init__(self, *, store: Store, models: ServedModels, policy: AdmissionPolicy) -> None:
        self._store = store
        self._models = models
        self._policy = policy

    async def decide(
        self, draft: Intent, twin: LiveTwin, parts: Sequence[Turn], halt: Halt, arrived: datetime
    ) -> Intent:
        """Decide the reply to messages that are answered together.

        Where the merged messages are too long together, the first one is answered alone. Of a fixed
        answer nothing is durable before the answer is.

        Args:
            draft: from `draw_intent`.
            twin: who answers.
            parts: the messages, the slot's first.
            halt: knows what was taken back.
            arrived: when the first one came.

        Raises:
            UserError: quota, money or the message says no; nothing is held.
        """
        _check_wanted(halt, parts[0])
        parts = [part for part in parts if not part.withdrawn]
        merged = merge_messages(draft, [part.message for part in parts if part.message])
        rule = first_rule(twin.manifest.rules, merged.message.text)
        if rule is not None:
            return fixed_intent(merged, rule)
        rendering = twin.manifest.rendering
        engine = engine_of(self._models, twin.manifest)
        tokens = await engine.tokenize(rendering.span_prefix + merged.message.text)
        asking = Asking(merged, twin.manifest, arrived)
        await self._policy.registered.check(twin.manifest)
        try:
            async with self._store.transaction() as tx:
                kept = [part for part in parts if not part.withdrawn]
                _check_wanted(halt, parts[0])
                if len(kept) == len(parts):
                    window = rendering.window_tokens
                    earlier = await read_earlier(tx, draft.conversation, tokens=window)
                    try:
                        return await self._keep(tx, asking, twin, earlier, tokens)
                    except MessageTooLongError:  # nothing is written yet
                        if len(parts) == 1:
                            raise
                        kept = list(parts[:1])
        except PriceUnseenError as unseen:
            await self._told(unseen)
            raise
        return await self.decide(draft, twin, kept, halt, arrived)

    async def decide_again(
        self, draft: Intent, twin: LiveTwin, replaced: StoredReply, halt: Halt, arrived: datetime
    ) -> Intent:
        """Decide another attempt; its context is put together from what may be quoted now."""
        window = twin.manifest.rendering.window_tokens
        await self._policy.registered.check(twin.manifest)
        try:
            async with self._store.transaction() as tx:
                if halt.dropped:
                    raise TakenBackError
                await check_latest(tx, replaced)
                earlier = await read_earlier(
                    tx, draft.conversation, tokens=window, before=replaced.turn
                )
                asking = Asking(draft, twin.manifest, arrived)
                return await self._keep(tx, asking, twin, earlier, draft.spans[-1].tokens)
        except PriceUnseenError as unseen:
            await self._told(unseen)
            raise

    async def _keep(
        self,
        tx: StoreTransaction,
        asking: Asking,
        twin: LiveTwin,
        earlier: Earlier,
        message: tuple[int, ...],
    ) -> Intent:
        """Store the intent and hold its price, or write nothing."""
        draft = asking.draft
        await self._policy.check_quota(tx, draft.message, draft.created_at)
        intent = assemble_context(draft, twin, earlier=earlier, message=message)
        charge = await self._policy.paying.decide(tx, asking)
        intent = replace(intent, payment=charge.payment, price_nano=charge.price_nano)
        await charge.hold(tx, intent.key)
        await tx.add_intent(intent)
        return intent

    async def _told(self, unseen: PriceUnseenError) -> None:
        """Write down that the fan is told the price; what they write after this agrees to it.

        If we crash before they see it, the same message is refused again. A later one is taken for
        an answer to what they may not have seen; the price stands in /credit, too.
        """
        async with self._store.transaction() as tx:
            await tx.agree(unseen.agreement)


def _check_wanted(halt: Halt, first: Turn) -> None:
    """Stop where the message was taken back meanwhile."""
    if halt.dropped or first.withdrawn:
        raise TakenBackError
