"""The audit as a whole: the book first, then epochs and chain."""

from dataclasses import dataclass

from bot.audit.book import audit_leaves, audit_log, audit_manifests, audit_replies
from bot.audit.epochs import audit_epochs
from bot.audit.findings import Findings
from bot.audit.ledger import audit_ledger
from bot.crypto.signed_note import VerifierKey
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
    """

    reader: AuditReader
    epochs: EpochStore
    chain: SettlementChain | None
    log: VerifierKey
    signing_key: bytes

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
        audit_replies(records, self.signing_key, findings)
        audit_ledger(records, findings)
        await audit_epochs(records, self.epochs, self.chain, findings)
        return findings
