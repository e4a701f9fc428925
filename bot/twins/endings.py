"""How an intent ends without a reply, and what becomes of a reply: signed, logged, paid or not.

Inside the caller's transaction, so that whatever belongs together happens together.

```
delivered                 the fan has it: the hold is captured
delivered, withdrawn      the fan has had it and took the message back: it stays paid
withdrawn                 taken back before it was delivered: the hold is released
delivered, refunded       a platform took back what had paid it, while the fee was held
delivered, withdrawn, refunded      both, in this order: the fee goes back all the same
undelivered, refunded     it can't be shown, or its creator cut it off: the hold is released
void                      there is no reply: the hold is released
```
Captured, the price goes where its payer's money goes (`bot.ledger.fees`); released, it goes back to
where it came from. Who paid stands in the hold itself. A platform may have taken the money back
while the reply was being made: `bot.twins.holds`.
"""

from dataclasses import dataclass

import structlog

from bot.domain.fields import Finish
from bot.domain.statements import Outcome, VoidReason
from bot.ledger.fees import plan_reverse
from bot.ports.credit_book import HeldFee
from bot.ports.stores import Intent, StoredReply, StoreTransaction
from bot.receipts.issue import Issuer
from bot.receipts.log import append_leaf
from bot.twins.holds import capture_hold, is_of_refunded_money, owed_by, release_hold

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
        again = reason is VoidReason.REJECTED
        await release_hold(tx, intent.key, intent.price_nano, drawn_again=again)
        level = _log.info if reason is VoidReason.REJECTED else _log.warning
        level("reply.void", intent=intent.key, reason=reason.word)

    async def decide(self, tx: StoreTransaction, reply: StoredReply, outcome: Outcome) -> bool:
        """Record what became of a reply, if that may still be said; return whether it was.

        The first word counts, and what was delivered may be withdrawn, once. (What is refunded
        after its delivery moves a fee: `take_back`.) A reply that its creator cut off was delivered
        to nobody's cost: it is refunded.
        """
        if reply.finish == Finish.CUT.value and outcome is not Outcome.WITHDRAWN:
            outcome = Outcome.REFUNDED
        first = reply.outcome is None
        if not first:
            stands = reply.outcome == Outcome.DELIVERED.word and reply.reversal is None
            if outcome is not Outcome.WITHDRAWN or not stands:
                return False
        await self._state(tx, reply, outcome)
        if first and outcome is Outcome.DELIVERED:
            fee = await capture_hold(tx, reply)
            if fee is not None and await _is_owed(tx, fee):
                await self.take_back(tx, fee)
        elif first:
            await release_hold(tx, reply.intent, reply.price_nano)
        return True

    async def _state(self, tx: StoreTransaction, reply: StoredReply, outcome: Outcome) -> None:
        """Sign, log and keep an outcome, beside those that were stated before it."""
        statement = self.issuer.state_outcome(reply.receipt_hash, outcome)
        index = await append_leaf(tx, statement.leaf)
        if reply.reversal is not None:  # withdrawn after its delivery: nothing else follows that
            await tx.set_refund(reply.receipt_hash, statement=statement.envelope, log_index=index)
            return
        await (tx.set_outcome if reply.outcome is None else tx.set_reversal)(
            reply.receipt_hash,
            outcome=outcome.word,
            statement=statement.envelope,
            log_index=index,
        )

    async def take_back(self, tx: StoreTransaction, fee: HeldFee) -> bool:
        """Take a held fee back for what its fan owes, and log its reply as refunded.

        False, with nothing changed, where its reply was not delivered, or is refunded already.
        That the fan has withdrawn it keeps nothing from the platform.
        """
        reply = await tx.reply_of(fee.intent)
        delivered = reply is not None and reply.outcome == Outcome.DELIVERED.word
        if reply is None or not delivered or reply.taken_back:
            return False
        await self._state(tx, reply, Outcome.REFUNDED)
        await tx.post(
            plan_reverse(
                fee.intent,
                fee.twin,
                price_nano=fee.price_nano,
                creator_nano=fee.creator_nano,
                account=fee.account,
            )
        )
        await tx.end_held(fee.intent)
        return True


async def _is_owed(tx: StoreTransaction, fee: HeldFee) -> bool:
    """Whether a fee was paid with money that a platform had taken back before it was earned."""
    if await owed_by(tx, fee.account) < fee.price_nano:
        return False
    return await is_of_refunded_money(tx, fee.intent, fee.account)
