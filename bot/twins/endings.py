"""How an intent ends without a reply, and what becomes of a reply: signed, logged, paid or not.

Inside the caller's transaction, so that whatever belongs together happens together.

```
delivered                 the fan has it: the hold is captured
delivered, withdrawn      the fan has had it and took the message back: it stays paid
withdrawn                 taken back before it was delivered: the hold is released
delivered, refunded       a platform took back what had paid it, while the fee was held
undelivered, refunded     it can't be shown, or its creator cut it off: the hold is released
void                      there is no reply: the hold is released
```
Captured, the price goes where its payer's money goes (`bot.ledger.fees`); released, it goes back to
where it came from. Who paid stands in the hold itself.
"""

from dataclasses import dataclass

import structlog

from bot.domain.errors import InvariantError
from bot.domain.fields import Finish
from bot.domain.payment import Payer
from bot.domain.statements import Outcome, VoidReason
from bot.ledger.fees import (
    hold_key,
    payer_of,
    plan_capture,
    plan_release,
    plan_reverse,
    source_of,
)
from bot.ports.credit_book import HeldFee
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
        await _release(tx, intent.key, intent.price_nano)
        level = _log.info if reason is VoidReason.REJECTED else _log.warning
        level("reply.void", intent=intent.key, reason=reason.word)

    async def decide(self, tx: StoreTransaction, reply: StoredReply, outcome: Outcome) -> bool:
        """Record what became of a reply, if that may still be said; return whether it was.

        The first word counts, with one exception: what was delivered may be withdrawn or refunded,
        once. A reply that its creator cut off was delivered to nobody's cost: it is refunded.
        """
        if reply.finish == Finish.CUT.value and outcome is not Outcome.WITHDRAWN:
            outcome = Outcome.REFUNDED
        first = reply.outcome is None
        taken_back = outcome in _AFTER_DELIVERY and reply.outcome == Outcome.DELIVERED.word
        if not first and not (taken_back and reply.reversal is None):
            return False
        statement = self.issuer.state_outcome(reply.receipt_hash, outcome)
        await (tx.set_outcome if first else tx.set_reversal)(
            reply.receipt_hash,
            outcome=outcome.word,
            statement=statement.envelope,
            log_index=await append_leaf(tx, statement.leaf),
        )
        if first and outcome is Outcome.DELIVERED:
            await _capture(tx, reply)
        elif first:
            await _release(tx, reply.intent, reply.price_nano)
        return True

    async def take_back(self, tx: StoreTransaction, fee: HeldFee, platform: str) -> bool:
        """Give a held fee back to a platform, and log its reply as refunded.

        False, with nothing changed, where its reply may not be refunded any more: the fan has
        withdrawn it, and what is withdrawn after its delivery stays paid.
        """
        reply = await tx.reply_of(fee.intent)
        if reply is None or not await self.decide(tx, reply, Outcome.REFUNDED):
            return False
        await tx.post(
            plan_reverse(
                fee.intent,
                fee.twin,
                price_nano=fee.price_nano,
                creator_nano=fee.creator_nano,
                platform=platform,
            )
        )
        await tx.end_held(fee.intent)
        return True


_AFTER_DELIVERY = frozenset({Outcome.WITHDRAWN, Outcome.REFUNDED})


async def _capture(tx: StoreTransaction, reply: StoredReply) -> None:
    """Pay a delivered reply; what bought credit pays is held, and noted as such."""
    hold = await tx.posted(hold_key(reply.intent))
    if hold is None:
        return  # nobody pays
    source = source_of(hold)
    payer = payer_of(source)
    posted = await tx.post(
        plan_capture(
            reply.intent,
            reply.twin,
            payer=payer,
            price_nano=reply.price_nano,
            creator_nano=reply.creator_nano,
        )
    )
    if not posted or payer is not Payer.PAID:
        return
    intent = await tx.find_intent(reply.intent)
    if intent is None or intent.payment.rate_table is None:
        raise InvariantError(f"receipt {reply.receipt_id} was paid by no rate table")
    await tx.add_held(
        HeldFee(
            intent=intent.key,
            account=source.partition(":")[2],
            twin=reply.twin,
            price_nano=reply.price_nano,
            creator_nano=reply.creator_nano,
            rate_table=intent.payment.rate_table,
            at=intent.created_at,
        )
    )


async def _release(tx: StoreTransaction, intent: str, price_nano: int) -> None:
    """Give a hold back to where it came from, and what was counted for it."""
    hold = await tx.posted(hold_key(intent))
    if hold is not None:
        await tx.post(plan_release(intent, price_nano, source_of(hold)))
        await tx.unuse(intent)
