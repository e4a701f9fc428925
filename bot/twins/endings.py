"""How an intent ends without a reply, and what becomes of a reply: signed, logged, paid or not.

Inside the caller's transaction, so that whatever belongs together happens together.

```
delivered                 the fan has it: the hold is captured
delivered, withdrawn      the fan has had it and took the message back: it stays paid
withdrawn                 taken back before it was delivered: the hold is released
undelivered, refunded     it can't be shown, or its creator cut it off: the hold is released
void                      there is no reply: the hold is released
```
"""

from dataclasses import dataclass

import structlog

from bot.domain.fields import Finish
from bot.domain.ledger import LedgerTransaction
from bot.domain.statements import Outcome, VoidReason
from bot.ledger.fees import plan_capture, plan_release
from bot.ports.stores import Intent, StoredReply, StoreTransaction
from bot.receipts.issue import Issuer
from bot.receipts.log import append_leaf

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Endings:
    """Ends intents and decides outcomes."""

    issuer: Issuer

    async def void(self, tx: StoreTransaction, key: str, reason: VoidReason) -> bool:
        """End an intent without a reply, if it is still open; return whether it was."""
        intent = await tx.find_intent(key)
        if intent is None or intent.state != "open":
            return False
        await self.void_open(tx, intent, reason)
        return True

    async def void_open(self, tx: StoreTransaction, intent: Intent, reason: VoidReason) -> None:
        """End an intent that is known to be open without a reply."""
        statement = self.issuer.state_void(intent, reason)
        await append_leaf(tx, statement.leaf)
        await tx.close_intent(intent.key, "void", void_statement=statement.envelope)
        await tx.post(plan_release(intent.key, intent.price_nano))
        level = _log.info if reason is VoidReason.REJECTED else _log.warning
        level("reply.void", intent=intent.key, reason=reason.word)

    async def decide(self, tx: StoreTransaction, reply: StoredReply, outcome: Outcome) -> bool:
        """Record what became of a reply, if that may still be said; return whether it was.

        The first word counts, with one exception: what was delivered may be withdrawn, once. A
        reply that its creator cut off was delivered to nobody's cost: it is refunded.
        """
        if reply.finish == Finish.CUT.value and outcome is not Outcome.WITHDRAWN:
            outcome = Outcome.REFUNDED
        first = reply.outcome is None
        taken_back = outcome is Outcome.WITHDRAWN and reply.outcome == Outcome.DELIVERED.word
        if not first and not (taken_back and reply.reversal is None):
            return False
        statement = self.issuer.state_outcome(reply.receipt_hash, outcome)
        await (tx.set_outcome if first else tx.set_reversal)(
            reply.receipt_hash,
            outcome=outcome.word,
            statement=statement.envelope,
            log_index=await append_leaf(tx, statement.leaf),
        )
        if first:
            await tx.post(_end_of_hold(reply, outcome))
        return True


def _end_of_hold(reply: StoredReply, outcome: Outcome) -> LedgerTransaction:
    if outcome is Outcome.DELIVERED:
        return plan_capture(
            reply.intent,
            reply.twin,
            price_nano=reply.price_nano,
            creator_nano=reply.creator_nano,
        )
    return plan_release(reply.intent, reply.price_nano)
