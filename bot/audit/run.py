"""The audit as a whole: the book first, then epochs and chain."""

from dataclasses import dataclass

from bot.audit.creators import audit_manifests, audit_orders
from bot.audit.epochs import audit_epochs
from bot.audit.findings import Findings
from bot.audit.funding import TreasuryFunds
from bot.audit.held import note_overdue
from bot.audit.intents import audit_intents
from bot.audit.ledger import audit_ledger
from bot.audit.log import audit_leaves, audit_log, audit_seals
from bot.audit.proofs import audit_proofs, audit_quotes, audit_seen
from bot.audit.rates import audit_rates
from bot.audit.records import audit_replies
from bot.audit.statements import audit_statements
from bot.audit.verdicts import audit_verdicts
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import InvariantError
from bot.ports.audit import AuditReader
from bot.ports.chain import SettlementChain
from bot.ports.clock import Clock
from bot.ports.settlement import EpochStore
from bot.ports.statements import FeeReader


@dataclass(frozen=True, slots=True)
class Audit:
    """The use case; reads only.

    Attributes:
        log: the key under which the service signs heads now.
        signing_key: the operator's public key of receipts.
        chain: None to leave the chain out.
        chain_lost: there is no chain where one must be, if anything was ever answered.
        payouts_stay: nobody but us moves tokens there, so what was paid must still be there.
        seen: heads that were given out, in bundles that people have kept.
        fees: what creators' statements are made of; None to leave them out.
        funds: says what the treasury gives; None to leave that out.
        clock: says what is overdue; None to leave that out.
    """

    reader: AuditReader
    epochs: EpochStore
    chain: SettlementChain | None
    log: VerifierKey
    signing_key: bytes
    seen: tuple[Checkpoint, ...] = ()
    chain_lost: bool = False
    payouts_stay: bool = True
    fees: FeeReader | None = None
    funds: TreasuryFunds | None = None
    clock: Clock | None = None

    async def run(self) -> Findings:
        """Check everything that is stored; return what was found."""
        findings = Findings()
        try:
            records = await self.reader.read_all()
        except InvariantError as error:
            findings.wrong.append(f"ledger: {error}")
            return findings
        lineage = audit_seals(records, self.log, findings)
        audit_log(records, lineage, findings)
        audit_leaves(records, findings)
        audit_verdicts(records, findings)
        audit_manifests(records, findings)
        audit_orders(records, lineage, findings)
        audit_replies(records, self.signing_key, findings)
        audit_intents(records, self.signing_key, findings)
        audit_proofs(records, lineage, findings)
        audit_quotes(records, findings)
        audit_seen(records, self.seen, lineage, findings)
        audit_rates(records, self.signing_key, findings)
        audit_ledger(records, findings)
        if self.clock is not None:
            note_overdue(records, self.clock.now(), findings)
        findings.expect(not (self.chain_lost and records.replies), "chain: it is missing")
        await audit_epochs(
            records,
            self.epochs,
            self.chain,
            findings,
            seals=[seal.statement for seal in lineage.seals],
            payouts_stay=self.payouts_stay,
            funds=self.funds,
        )
        if self.fees is not None:
            await audit_statements(records, self.reader, self.epochs, self.fees, findings)
        return findings
