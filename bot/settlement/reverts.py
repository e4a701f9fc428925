"""What reverted although its rehearsal passed costs gas each time: a limit to that."""

from collections.abc import Iterable

from bot.domain.settlement import Epoch
from bot.domain.transactions import Purpose, StoredTransaction, TransactionState
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EpochStore
from bot.settlement.due import now_of

MAX_REVERTED = 3
"""A chunk that was reverted so often waits for the next epoch, a commit for `PAUSE_S`."""

PAUSE_S = 3_600
"""From then on one commit in so much time, by this machine's clock: the node may be what lies."""


class RevertBrake:
    """Slows an epoch's commits down; remembers when the newest one was signed.

    After a restart one is signed at once: a person may have mended what was wrong.
    """

    def __init__(self, *, chain: SettlementChain, store: EpochStore, clock: Clock | None) -> None:
        self._chain = chain
        self._store = store
        self._clock = clock
        self._signed_at: int | None = None

    async def why_wait(self, epoch: Epoch) -> str | None:
        """Return why no commit of that epoch is signed now; None where one may be.

        Raises:
            ChainUnavailableError: the chain does not answer.
        """
        commits = await self._store.transactions(Purpose.COMMIT, epoch.number)
        times = await count_reverted(self._chain, commits)
        if times < MAX_REVERTED or self._signed_at is None:
            return None
        if now_of(self._clock) - self._signed_at >= PAUSE_S:
            return None
        return (
            f"the commit of epoch {epoch.number} was reverted {times} times although its rehearsal "
            f"passed: it is tried once in {PAUSE_S // 60} minutes; see `twinproof settle "
            "--dry-run`, and whether the RPC can be trusted"
        )

    def note_signed(self) -> None:
        """Remember that a commit was signed now."""
        self._signed_at = now_of(self._clock)


async def count_reverted(chain: SettlementChain, transactions: Iterable[StoredTransaction]) -> int:
    """Return how many of them were given up because they were reverted; 0 where too few to matter.

    Raises:
        ChainUnavailableError: the chain does not answer.
    """
    dead = [one for one in transactions if one.state is TransactionState.DEAD]
    if len(dead) < MAX_REVERTED:
        return 0
    found = [[await chain.inclusion(one.hash) for one in job.attempts] for job in dead]
    return sum(any(one and not one.succeeded for one in attempts) for attempts in found)
