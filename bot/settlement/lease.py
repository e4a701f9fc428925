"""The right to publish: of several processes on one database, one at a time writes to the chain.

A process that dies keeps it until it runs out; one that comes back under the same name has it at
once. It saves gas and noise. What makes a second publisher harmless are the store's
compare-and-sets, the nonce and the contract: a process that was asleep may wake up believing that
it still has the lease.
"""

from bot.ports.clock import Clock
from bot.ports.settlement import EpochStore

LEASE_S = 60


class PublisherLease:
    """One owner's claim to a book's lease."""

    def __init__(
        self, *, store: EpochStore, clock: Clock, owner: str, seconds: int = LEASE_S
    ) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._seconds = seconds
        self._until = 0

    async def hold(self) -> str | None:
        """Take or prolong it; return None where it is ours, else why nothing may be written.

        It is prolonged when half of it has passed, so that most steps write nothing.

        Raises:
            StoreBusyError: the store can't be written now.
        """
        now = int(self._clock.now().timestamp())
        if self._until - now > self._seconds // 2:
            return None
        lease = await self._store.hold(self._owner, now=now, until=now + self._seconds)
        if lease.owner != self._owner:
            self._until = 0
            return (
                f"another process, {lease.owner}, publishes this book's epochs; if it has ended, "
                f"this one takes over in {max(1, lease.until - now)} s"
            )
        self._until = lease.until
        return None

    async def release(self) -> None:
        """Give it back, so that the next process need not wait."""
        self._until = 0
        await self._store.let_go(self._owner)
