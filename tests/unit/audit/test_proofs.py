"""The audit catches an operator who signs what was never agreed: its own key does not help it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.audit.findings import Findings
from bot.audit.proofs import audit_proofs, audit_quotes, audit_seen
from bot.crypto.signed_note import Checkpoint
from bot.domain.manifest import Manifest
from bot.domain.persona import Persona
from bot.domain.statements import Outcome
from bot.ports.audit import StoredRecords
from bot.ports.inference import Generated
from bot.ports.stores import Intent
from bot.receipts.issue import IssuedReceipt, Issuer, Place
from bot.transparency.lineage import Lineage
from tests.fakes.store import MemoryStore
from tests.stage import LOG, RECEIPTS_KEY, Stage, memory_stage


class CheapIssuer(Issuer):
    """Signs receipts of nothing, whatever price the creator has signed."""

    def issue(
        self,
        intent: Intent,
        generated: Generated,
        *,
        manifest: Manifest,
        persona: Persona,
        place: Place,
        moment: datetime,
        halt: str | None = None,
    ) -> IssuedReceipt:
        """Issue at a price of 0."""
        return super().issue(
            replace(intent, price_nano=0),
            generated,
            manifest=manifest,
            persona=persona,
            place=place,
            moment=moment,
            halt=halt,
        )


class CheapStage(Stage):
    """A service whose operator shortens the fee."""

    @property
    def issuer(self) -> Issuer:
        """What signs receipts and statements."""
        return CheapIssuer(RECEIPTS_KEY, bytes(32), "exact")


async def _records(stage: Stage, turns: int = 3) -> StoredRecords:
    await stage.open()
    for number in range(turns):
        reply = await stage.say(f"hello {number}", number=f"m{number}")
        await stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await stage.signer.publish(stage.store)
    return await stage.reader.read_all()


async def test_honest_replies_verify_and_quote_what_was_said() -> None:
    records = await _records(memory_stage())
    findings = Findings()

    audit_proofs(records, Lineage(LOG), findings)
    audit_quotes(records, findings)

    assert findings.wrong == []
    assert findings.checked["proofs"] == 3


async def test_attempts_that_the_service_makes_hold() -> None:
    stage = memory_stage()
    await stage.open()
    first = await stage.say("hello", number="m1")
    again = await stage.again(first.receipt_id, event="e1")
    last = await stage.again(again.receipt_id, event="e2")
    await stage.delivery.record(last.receipt_id, Outcome.DELIVERED)
    await stage.delivery.record(last.receipt_id, Outcome.WITHDRAWN)
    stage.clock.advance(timedelta(seconds=5))
    await stage.say("and now?", number="m2")
    await stage.signer.publish(stage.store)

    findings = await stage.audit()

    assert findings.wrong == []
    assert (findings.checked["receipts"], findings.checked["outcomes"]) == (4, 2)


async def test_price_that_the_creator_never_signed_is_found() -> None:
    store = MemoryStore()
    records = await _records(CheapStage(store=store, reader=store), turns=1)
    findings = Findings()

    audit_proofs(records, Lineage(LOG), findings)

    assert len(findings.wrong) == 1
    assert "step 4" in findings.wrong[0]


@pytest.mark.parametrize("change", ["dropped", "swapped", "reworded"])
async def test_quoted_turns_that_were_not_said_so_are_found(change: str) -> None:
    records = await _records(memory_stage())
    last = records.intents[-1]
    persona, *pairs, message = last.spans
    assert len(pairs) == 4
    if change == "dropped":
        pairs = pairs[2:]
    elif change == "swapped":
        pairs = [*pairs[2:], *pairs[:2]]
    else:
        pairs[0] = replace(pairs[0], tokens=(*pairs[0].tokens, 33))
    forged = replace(last, spans=(persona, *pairs, message))
    findings = Findings()

    audit_quotes(replace(records, intents=(*records.intents[:-1], forged)), findings)

    assert [line for line in findings.wrong if "quotes other turns" in line] == findings.wrong
    assert len(findings.wrong) == 1


async def test_log_that_was_cut_contradicts_a_head_that_somebody_kept() -> None:
    records = await _records(memory_stage())
    head = records.checkpoints[-1]
    seen = (Checkpoint("stage.example/log", head.size, head.root),)
    whole, cut, other = Findings(), Findings(), Findings()

    audit_seen(records, seen, Lineage(LOG), whole)
    audit_seen(replace(records, leaves=records.leaves[:-2]), seen, Lineage(LOG), cut)
    audit_seen(records, (replace(seen[0], root=bytes(32)),), Lineage(LOG), other)

    assert whole.wrong == []
    assert len(cut.wrong) == len(other.wrong) == 1
