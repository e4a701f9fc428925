"""A served log with auditors: the miniature service over SQLite, and what an auditor does to it."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.web.server import WebServer
from bot.crypto.dsse import encode_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.domain.ids import receipt_tag_of
from bot.domain.statements import VERDICT_TYPE, AuditVerdict, Sample, VerdictStatement
from bot.ports.stores import StoredReply
from bot.receipts.auditors import AuditorsDesk
from bot.receipts.trust import TrustPolicy
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from scripts.vector_log import fixed_key
from tests.fakes.chat import MemoryInbox
from tests.log_rig import LogRig, log_rig
from tests.stage import LOG

AUDITOR_KEY, OTHER_KEY = fixed_key("auditor"), fixed_key("another auditor")
AUDITOR, OTHER = public_key_of(AUDITOR_KEY), public_key_of(OTHER_KEY)


@dataclass(slots=True)
class AuditedRig:
    """The log, its desk for auditors, and one delivered reply.

    Attributes:
        base: what links begin with.
    """

    log: LogRig
    desk: AuditorsDesk
    reply: StoredReply
    base: str

    @property
    def policy(self) -> TrustPolicy:
        """A policy that names the first auditor."""
        return replace(self.log.stage.policy, auditors=frozenset({AUDITOR}))

    async def sample(self, share: str = "1") -> Sample:
        """Return the sample by a fresh head."""
        head = await self.log.sign()
        return Sample(LOG.name, head.size, head.root, share)

    async def verified(self) -> VerifiedReceipt:
        """Return the reply as an outsider verifies it."""
        bundle = await self.log.stage.proofs.bundle(self.reply.receipt_id)
        assert bundle is not None
        return verify_bundle(bundle, key=self.reply.opening_key, policy=self.policy)

    async def served(self) -> bytes:
        """Return what the log gives of the reply's verdicts, under a fresh head."""
        await self.log.sign()
        found = await self.desk.verdicts(self.reply.receipt_id)
        assert found is not None
        return found


def statement(
    receipt: bytes,
    sample: Sample,
    verdict: AuditVerdict = AuditVerdict.EXACT,
    key: bytes = AUDITOR_KEY,
) -> bytes:
    """Return a signed verdict on the receipt with this hash."""
    body = VerdictStatement(receipt_tag_of(receipt), verdict, sample, "library 1").encode()
    return encode_envelope(sign_envelope(VERDICT_TYPE, body, key))


@asynccontextmanager
async def audited_rig(
    folder: Path, auditors: Collection[bytes] = (AUDITOR, OTHER)
) -> AsyncIterator[AuditedRig]:
    """Open a log with one reply and its outcome, served with a desk for these auditors."""
    async with log_rig(folder) as rig:
        await rig.stage.open()
        reply = await rig.stage.say()
        await rig.append([b"a later leaf", b"and one more"])
        desk = AuditorsDesk(store=rig.stage.store, log=LOG, auditors=auditors, public=rig.public)
        server = WebServer(
            inbox=MemoryInbox(),
            proofs=rig.stage.proofs,
            log=rig.public,
            verdicts=desk,
            host="127.0.0.1",
            port=0,
        )
        await server.start()
        try:
            yield AuditedRig(rig, desk, reply, f"http://127.0.0.1:{server.port}")
        finally:
            await server.stop()
