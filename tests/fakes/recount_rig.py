"""What a service publishes of a book in memory, as evidence for a recount."""

from dataclasses import dataclass, field, replace

from bot.domain.payment import Payer
from bot.domain.settlement import Epoch, EpochState
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinEntry, TwinLog
from bot.ports.recount import CommitEvent, PayoutAnswers, VaultFacts
from bot.settlement.epoch import plan_epoch
from bot.settlement.publication import publication_of
from bot.settlement.recount import Evidence, FollowedLog, LogHead, LogReading, OwnReceipt
from tests.fakes.epochs import MemoryEarnings
from tests.fakes.settlement_rig import payout_of, twin_id

TWIN, OTHER = twin_id(0), twin_id(1)

HONEST = VaultFacts(bytes([9]) * 20, is_registry_known=True, paid_to=None, vetoable_until=None)


@dataclass
class Published:
    """A book and its epochs, committed as soon as they are planned."""

    book: MemoryEarnings = field(default_factory=MemoryEarnings)
    epochs: list[Epoch] = field(default_factory=list)

    def earn(
        self,
        nano: int,
        payer: Payer = Payer.SPONSOR,
        outcome: Outcome = Outcome.DELIVERED,
        *,
        number: int = 0,
    ) -> TwinEntry:
        twin = twin_id(number)
        payout = payout_of(number)
        return self.book.earn(twin, nano, payout=payout, payer=payer, outcome=outcome)

    async def commit(self) -> Epoch | None:
        last = self.epochs[-1] if self.epochs else None
        planned = plan_epoch(await self.book.freeze(), last)
        if planned is not None:
            self.epochs.append(replace(planned, state=EpochState.FINAL))
        return planned

    async def log(self) -> TwinLog:
        return await self.book.twin_log(TWIN, self.epochs[-1].commitment.log_size)

    def own(self, entry: TwinEntry) -> OwnReceipt:
        """Return the proof that somebody kept of an entry, with the latest outcome."""
        found = zip(self.book.indices, self.book.log, strict=True)
        same = [(index, one) for index, (_, one) in found if one.receipt == entry.receipt]
        index, last = same[-1]
        return OwnReceipt(
            name=f"reply {entry.seq}",
            twin=TWIN,
            tag=entry.receipt,
            seq=entry.seq,
            creator_nano=entry.creator_nano,
            payer=entry.payer,
            leaf=same[0][0],
            outcome=(last.outcome, index),
            payout=payout_of(0),
        )

    def chain(self, *, paid: int | None = None) -> PayoutAnswers:
        """Return what an honest node says once the newest epoch is final and claimed."""
        units = {one.twin: one.cumulative_units for one in self.epochs[-1].earnings}
        return PayoutAnswers(
            chain=31337,
            commits=(CommitEvent(self.epochs[-1].commitment, 7),),
            vetoes=0,
            newest=9,
            finalized=8,
            claimed_units=units.get(TWIN, 0) if paid is None else paid,
            vault=VaultFacts(
                bytes([9]) * 20, is_registry_known=True, paid_to=None, vetoable_until=None
            ),
        )

    async def reading(self) -> LogReading:
        said = self.epochs[-1].commitment
        log = await self.log()
        receipts = {entry.seq: entry.receipt for entry in log.entries}
        return LogReading(
            root=said.log_root,
            receipts=tuple(receipts[number] for number in sorted(receipts)),
            outcomes=tuple((entry.receipt, entry.outcome) for entry in log.entries),
        )

    async def evidence(self, **changes: object) -> Evidence:
        """Return everything that an honest service and node give."""
        newest = self.epochs[-1]
        given = Evidence(
            twin=TWIN,
            epoch=newest.number,
            publications={epoch.number: publication_of(epoch) for epoch in self.epochs},
            twin_log=(await self.log()).encode(),
            kept_publications={},
            payout=payout_of(0),
            head=LogHead("stage.example/log", newest.commitment.log_size + 1, FollowedLog.SAME),
            reading=await self.reading(),
            chain=self.chain(),
            contract="The contract",
        )
        return replace(given, **changes)  # type: ignore[arg-type]
