"""The audit as a whole: the book first, then epochs and chain."""

from dataclasses import dataclass

from bot.audit.creators import audit_manifests, audit_orders
from bot.audit.epochs import audit_epochs
from bot.audit.findings import Findings
from bot.audit.intents import audit_intents
from bot.audit.ledger import audit_ledger
from bot.audit.log import audit_leaves, audit_log
from bot.audit.proofs import audit_proofs, audit_quotes, audit_seen
from bot.audit.records import audit_replies
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import InvariantError
from bot.ports.audit import AuditReader
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore


@dataclass(frozen=True, slots=True)
class Audit:
    """The use case; reads only.

    Attributes:
        log: the key under which heads must be signed.
        signing_key: the operator's public key of receipts.
        chain: None to leave the chain out.
        chain_lost: there is no chain where one must be, if anything was ever answered.
        seen: heads that were given out, in bundles that people have kept.
    """

    reader: AuditReader
    epochs: EpochStore
    chain: SettlementChain | None
    log: VerifierKey
    signing_key: bytes
    seen: tuple[Checkpoint, ...] = ()
    chain_lost: bool = False

    async def run(self) -> Findings:
        """Check everything that is stored; return what was found."""
        findings = Findings()
        try:
            records = await self.reader.read_all()
        except InvariantError as error:
            findings.wrong.append(f"ledger: {error}")
            return findings
        audit_log(records, self.log, findings)
        audit_leaves(records, findings)
        audit_manifests(records, findings)
        audit_orders(records, self.log.name, findings)
        audit_replies(records, self.signing_key, findings)
        audit_intents(records, self.signing_key, findings)
        audit_proofs(records, findings)
        audit_quotes(records, findings)
        audit_seen(records, self.seen, findings)
        audit_ledger(records, findings)
        findings.expect(not (self.chain_lost and records.replies), "chain: it is missing")
        await audit_epochs(records, self.epochs, self.chain, findings)
        return findings
