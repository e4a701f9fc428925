"""The crash-safe publisher: one epoch at a time from plan to final, then its claims.

```
planned --rehearse, sign, store bytes--> signed --> sent --> mined --final, contents equal--> final
   ^                                        |         |        |
   +----- dead: nonce gone or reverted -----+---------+--------+--- vetoed: the next number
```
What happens between signed and final is the courier's business, dearer attempts included. Three
things stop a second payment independently: a nonce is used once, the contract wants exactly the
next epoch number, and claims are cumulative. The settler's key signs nothing else.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from bot.domain.errors import (
    ChainUnavailableError,
    ConfigurationError,
    InvariantError,
    OutcomeUnknownError,
    TransientError,
)
from bot.domain.settlement import Epoch
from bot.domain.transactions import Finality, Purpose
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EarningsReader, EpochStore
from bot.settlement.commits import EpochCommits
from bot.settlement.courier import PATIENCE_S, Courier, Progress, Step
from bot.settlement.due import DueEpoch
from bot.settlement.lease import PublisherLease
from bot.settlement.relay import ClaimRelay
from bot.settlement.second import SecondOpinion
from bot.settlement.takeover import Takeover
from bot.settlement.vetoed import Vetoes, standing

MAX_STEPS = 200
"""Steps of one tick; 10,000 creators are 157 chunks of four steps, done in a few ticks."""

_POLL_S = 0.2

_log = structlog.get_logger()


class PublisherState(StrEnum):
    """How a tick ended."""

    IDLE = "idle"
    """Everything that was earned is committed and paid out, as far as it can be."""
    WAITING = "waiting"
    DEFERRED = "deferred"
    """Until the clock's next moment: a restored log has to grow, or the guardian has vetoed."""
    HALTED = "halted"
    """A person must look; nothing is written to the chain until the reason is gone."""


@dataclass(frozen=True, slots=True)
class PublisherStatus:
    """Where the publisher stands; `reason` is for the operator, empty when idle."""

    state: PublisherState
    reason: str = ""


class EpochPublisher:
    """Owns the settlement of one book on one chain; ticks never overlap."""

    def __init__(
        self,
        *,
        chain: SettlementChain,
        store: EpochStore,
        earnings: EarningsReader,
        finality: Finality = 1,
        min_claim_units: int = 1,
        relays: bool = True,
        second: SettlementChain | None = None,
        lease: PublisherLease | None = None,
        patience_s: int = PATIENCE_S,
        clock: Clock | None = None,
    ) -> None:
        """Wire the publisher.

        Args:
            chain: the settlement contract.
            store: where epochs and signed bytes are kept.
            earnings: the book.
            finality: when a fact counts as final; 1 on the embedded chain (no empty blocks).
            min_claim_units: see `ClaimRelay`.
            relays: submit claims too; otherwise creators do that by themselves.
            second: the same contract through another node, which must agree before `final`.
            lease: None where nobody else can write to the book.
            patience_s: after how much of the chain's time fees are raised.
            clock: says when epochs begin; None: only when they are asked for.
        """
        self._chain = chain
        self._store = store
        self._lease = lease
        opinion = _opinion(second, store, finality)
        courier = Courier(
            chain=chain, store=store, finality=finality, patience_s=patience_s, second=opinion
        )
        self._commits = EpochCommits(
            chain=chain,
            store=store,
            earnings=earnings,
            courier=courier,
            finality=finality,
            second=opinion,
            clock=clock,
        )
        relay = ClaimRelay(chain=chain, store=store, courier=courier, min_units=min_claim_units)
        self._relay = relay if relays else None
        self._vetoes = Vetoes(
            chain=chain, store=store, finality=finality, second=opinion, clock=clock
        )
        self._takeover = Takeover(
            chain=chain,
            store=store,
            earnings=earnings,
            finality=finality,
            second=opinion,
            clock=clock,
        )
        self._due = DueEpoch(store=store, clock=clock)
        self._last = PublisherStatus(PublisherState.IDLE)
        self._one_at_a_time = asyncio.Lock()

    async def tick(self, *, begin: bool = True) -> PublisherStatus:
        """Take the open epoch, or a new one, as far as it goes now, then the claims.

        It may be killed or cancelled anywhere; the next tick of any process goes on. Never raises
        for what the chain or the store does: the status says it.

        Args:
            begin: an epoch is due. It begins now or, where one is open, once that is final; a later
                tick without this goes on with it.
        """
        async with self._one_at_a_time:
            if begin:
                self._due.ask()
            try:
                status = await self._work()
            except (TransientError, OutcomeUnknownError) as error:
                status = PublisherStatus(PublisherState.WAITING, str(error))
            except (ConfigurationError, InvariantError) as error:
                status = PublisherStatus(PublisherState.HALTED, str(error))
        if status.state is PublisherState.WAITING:
            _log.info("settlement.waiting", reason=status.reason)
        if status != self._last:
            # What stays so is asked for again every few seconds, and said once.
            if status.state is PublisherState.HALTED:
                _log.error("settlement.halted", reason=status.reason)
            if status.state is PublisherState.DEFERRED:
                _log.warning("settlement.deferred", reason=status.reason)
        self._last = status
        return status

    async def catch_up(self, beginning: datetime, every_s: float) -> None:
        """Let an epoch be due where none has begun since the clock's newest moment; for a start.

        Args:
            beginning: the clock's first moment.
            every_s: from one to the next.
        """
        await self._due.catch_up(beginning, every_s)

    async def is_under_way(self) -> bool:
        """Whether something waits for the next tick; asks the store alone."""
        if self._due.is_due:
            return True
        if await self._store.open_epoch() or await self._store.in_flight(Purpose.CLAIM):
            return True
        final = await standing(self._store)
        return final is not None and self._relay is not None and not self._relay.is_done(final)

    async def close(self) -> None:
        """Give the lease back after the tick in progress."""
        async with self._one_at_a_time:
            if self._lease is not None:
                await self._lease.release()

    async def settle_now(self, *, timeout_s: float = 60.0) -> Epoch | None:
        """Commit whatever is new and wait until it is final and its claims are relayed.

        Where the log has to grow first, nothing is committed, and nothing is waited for.

        Returns:
            the newest epoch that stands; None when there has never been anything to commit.

        Raises:
            InvariantError: the publisher halted.
            ChainUnavailableError: it still waits after `timeout_s`; ticks go on with it.
        """
        status = await self.tick()
        try:
            async with asyncio.timeout(timeout_s):
                while status.state is PublisherState.WAITING:
                    await asyncio.sleep(_POLL_S)
                    status = await self.tick()
        except TimeoutError as error:
            raise ChainUnavailableError(status.reason) from error
        if status.state is PublisherState.HALTED:
            raise InvariantError(status.reason)
        return await standing(self._store)

    async def _work(self) -> PublisherStatus:
        taken = await self._lease.hold() if self._lease else None
        if taken is not None:
            return PublisherStatus(PublisherState.WAITING, taken)
        await self._check_identity()
        vetoed = await self._vetoes.advance()
        if vetoed is not None:
            return await self._hold(vetoed)
        found = await self._takeover.advance()
        if found is not None and found.progress is Progress.DEFERRED:
            return self._defer(found)
        if found is not None:
            return PublisherStatus(PublisherState.WAITING, found.reason)
        # None: what was open is closed, and a veto is to be noted above it; or it came just now.
        return await self._settle(None) or await self._hold(await self._vetoes.advance())

    async def _hold(self, vetoed: Step | None) -> PublisherStatus:
        if vetoed is None:
            return PublisherStatus(PublisherState.WAITING, "the contract moves on meanwhile")
        if vetoed.progress is Progress.DEFERRED:
            return self._defer(vetoed)
        # Commits wait for it; claims of the epoch that stands do not.
        held = await self._settle(vetoed)
        return held or PublisherStatus(PublisherState.WAITING, vetoed.reason)

    def _defer(self, step: Step) -> PublisherStatus:
        # Not before the clock's next moment: the same again would only cost more.
        self._due.drop()
        return PublisherStatus(PublisherState.DEFERRED, step.reason)

    async def _settle(self, held: Step | None) -> PublisherStatus | None:
        """Commit and relay; None where a veto has to be noted first.

        Args:
            held: what commits wait for; claims go on.
        """
        step: Step | None = None
        # One new epoch a tick: fees that arrive while it settles wait for the next tick, or on a
        # busy service the claims would never get their turn.
        number = await self._due.begin_tick()
        last_number = number + self._due.is_due
        for _ in range(MAX_STEPS):
            taken = await self._lease.hold() if self._lease else None
            if taken is not None:
                return PublisherStatus(PublisherState.WAITING, taken)
            step = held or await self._commits.advance(last_number)
            if step is not None and step.progress is Progress.DEFERRED:
                return None
            await self._due.note_begun(number)
            if step is None:
                self._due.drop()  # nothing is new
            if step is None or step.progress is Progress.WAITING:
                # Claims of earlier epochs go on while a commit waits.
                relayed = await self._relay.advance() if self._relay else None
                if relayed is not None and relayed.progress is Progress.MOVED:
                    continue
                step = step or relayed
                break
        if step is None:
            return PublisherStatus(PublisherState.IDLE)
        return PublisherStatus(PublisherState.WAITING, step.reason or "more to do")

    async def _check_identity(self) -> None:
        here = await self._chain.identity()
        pinned = await self._store.pin(here)
        if here != pinned:
            raise InvariantError(
                f"the chain is not the one that this book was settled on: chain id {here.chain_id} "
                f"and genesis {here.genesis_hash.hex()} instead of {pinned.chain_id} and "
                f"{pinned.genesis_hash.hex()}, or another contract at 0x{here.settlement.hex()}"
            )


def _opinion(
    second: SettlementChain | None, store: EpochStore, finality: Finality
) -> SecondOpinion | None:
    if second is None:
        return None
    return SecondOpinion(chain=second, store=store, finality=finality)
