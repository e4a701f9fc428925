"""What became of a reply: the outcome is a signed log entry, and it ends the hold of the price."""

from bot.domain.errors import InvariantError
from bot.domain.leaf import Outcome
from bot.domain.ledger import LedgerTransaction
from bot.ledger.fees import plan_capture, plan_release
from bot.ports.clock import Clock
from bot.ports.stores import Store, StoredReply
from bot.receipts.issue import Issuer
from bot.receipts.log import append_leaf


class RecordDelivery:
    """The use case: outcome, log leaf and money change in one transaction."""

    def __init__(self, *, store: Store, issuer: Issuer, clock: Clock) -> None:
        self._store = store
        self._issuer = issuer
        self._clock = clock

    async def record(self, receipt_id: str, outcome: Outcome) -> None:
        """Record an outcome, once: delivered captures the hold, everything else releases it.

        Raises:
            InvariantError: there is no such receipt.
        """
        async with self._store.transaction() as tx:
            reply = await tx.find_reply(receipt_id)
            if reply is None:
                raise InvariantError(f"no receipt {receipt_id}")
            if reply.outcome is not None:
                return
            statement = self._issuer.state_outcome(reply.receipt_hash, outcome, self._clock.now())
            index = await append_leaf(tx, statement.leaf)
            await tx.set_outcome(
                reply.receipt_hash,
                outcome=outcome.word,
                statement=statement.envelope,
                log_index=index,
            )
            await tx.post(_end_of_hold(reply, outcome))


def _end_of_hold(reply: StoredReply, outcome: Outcome) -> LedgerTransaction:
    if outcome is Outcome.DELIVERED:
        return plan_capture(
            reply.intent,
            reply.twin,
            price_nano=reply.price_nano,
            creator_nano=reply.creator_nano,
        )
    return plan_release(reply.intent, reply.price_nano)
