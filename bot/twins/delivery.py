"""What became of a reply: the outcome is a signed log entry, and it ends the hold of the price."""

from bot.domain.errors import InvariantError
from bot.domain.statements import Outcome
from bot.ports.stores import Store
from bot.receipts.issue import Issuer
from bot.twins.endings import Endings


class RecordDelivery:
    """The use case: outcome, log leaf and money change in one transaction."""

    def __init__(self, *, store: Store, issuer: Issuer) -> None:
        self._store = store
        self._endings = Endings(issuer)

    async def record(self, receipt_id: str, outcome: Outcome) -> None:
        """Record an outcome: delivered captures the hold, everything else releases it.

        Idempotent: what is decided stays so, except that a delivered reply may be withdrawn later,
        once; it stays paid. Of a reply that its creator cut off, delivered and undelivered alike
        are recorded as refunded. That a platform took back what had paid for a delivered one is
        not said here (`Endings.take_back`).

        Raises:
            InvariantError: there is no such receipt.
        """
        async with self._store.transaction() as tx:
            reply = await tx.find_reply(receipt_id)
            if reply is None:
                raise InvariantError(f"no receipt {receipt_id}")
            await self._endings.decide(tx, reply, outcome)
