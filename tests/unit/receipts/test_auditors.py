"""Verdicts of auditors: what the log takes in, what it gives out, what a verifier makes of it."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.audit.findings import Findings
from bot.audit.verdicts import audit_verdicts
from bot.crypto.canonical import encode_canonical
from bot.crypto.dsse import encode_envelope, parse_envelope, sign_envelope
from bot.crypto.encoding import encode_b64
from bot.domain.errors import UserError, VerificationError
from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import VerdictLeaf, parse_leaf
from bot.domain.statements import OUTCOME_TYPE, AuditVerdict, Sample
from bot.ports.verdicts import StoredVerdict
from bot.receipts.audited import MAX_BYTES, check_verdicts, leaf_of, open_statement
from bot.receipts.log import append_leaf, tree_root
from tests.auditing_rig import (
    AUDITOR,
    AUDITOR_KEY,
    OTHER,
    OTHER_KEY,
    AuditedRig,
    audited_rig,
    statement,
)

Change = Callable[[dict[str, Any]], None]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[AuditedRig]:
    async with audited_rig(tmp_path / "log") as opened:
        yield opened


def _tag(rig: AuditedRig) -> bytes:
    return receipt_tag_of(rig.reply.receipt_hash)


async def _size(rig: AuditedRig) -> int:
    async with rig.log.stage.store.reading() as tx:
        return await tx.log_size()


async def test_a_verdict_becomes_a_leaf_and_its_body_is_published(rig: AuditedRig) -> None:
    data = statement(rig.reply.receipt_hash, await rig.sample())
    before = await _size(rig)

    taken = await rig.desk.submit(data)

    assert (taken.log_index, taken.is_new) == (before, True)
    (leaf,) = await rig.log.reader.leaves(before, 1)
    parsed = parse_leaf(leaf)
    assert isinstance(parsed, VerdictLeaf)
    assert (parsed.receipt, parsed.verdict) == (_tag(rig), AuditVerdict.EXACT)
    assert await rig.log.reader.bodies(before, 1) == [data]


async def test_the_same_verdict_again_changes_nothing_and_another_one_is_refused(
    rig: AuditedRig,
) -> None:
    sample = await rig.sample()
    first = await rig.desk.submit(statement(rig.reply.receipt_hash, sample))
    size = await _size(rig)

    again = await rig.desk.submit(statement(rig.reply.receipt_hash, sample))
    with pytest.raises(UserError, match="there is one"):
        await rig.desk.submit(statement(rig.reply.receipt_hash, sample, AuditVerdict.INCONSISTENT))

    assert (again.log_index, again.is_new) == (first.log_index, False)
    assert await _size(rig) == size


async def test_what_no_auditor_can_have_signed_is_refused_and_logged_nowhere(
    rig: AuditedRig,
) -> None:
    sample, receipt = await rig.sample(), rig.reply.receipt_hash
    shares = [f"0.{number:09}" for number in range(1, 10)]
    small = next(one for one in shares if not replace(sample, share=one).holds(_tag(rig)))
    good = statement(receipt, sample)
    stranger = statement(receipt, sample, key=b"s" * 32)
    other_type = encode_envelope(sign_envelope(OUTCOME_TYPE, b"{}", AUDITOR_KEY))
    other = parse_envelope(statement(receipt, sample, AuditVerdict.UNDECIDED))
    borrowed = replace(parse_envelope(good), signature=other.signature)
    refused = {
        "takes no verdicts of this key": stranger,
        "the payload type is not": other_type,
        "no signed verdict: .*signature": encode_envelope(borrowed),
        "at most": good + b" " * 5000,
        "no reply with the receipt": statement(b"n" * 32, sample),
        "drawn by a head of the log other": statement(receipt, replace(sample, log="other")),
        "a head that this log has not": statement(receipt, replace(sample, root=b"r" * 32)),
        "has not": statement(receipt, replace(sample, size=10_000)),
        "not belong to the sample": statement(receipt, replace(sample, share=small)),
        "no signed verdict": b"not json",
    }
    size = await _size(rig)

    for sentence, data in refused.items():
        with pytest.raises(UserError, match=sentence):
            await rig.desk.submit(data)

    assert await _size(rig) == size


async def test_a_head_that_ends_with_the_reply_draws_no_sample_of_it(rig: AuditedRig) -> None:
    size = rig.reply.log_index + 1
    async with rig.log.stage.store.reading() as tx:
        root = await tree_root(tx, size)

    with pytest.raises(UserError, match="not below the head"):
        await rig.desk.submit(
            statement(rig.reply.receipt_hash, Sample("stage.example/log", size, root, "1"))
        )


async def test_a_verifier_whose_policy_names_the_auditor_reaches_l4(rig: AuditedRig) -> None:
    sample = await rig.sample()
    await rig.desk.submit(statement(rig.reply.receipt_hash, sample))
    await rig.desk.submit(statement(rig.reply.receipt_hash, sample, key=OTHER_KEY))
    served, verified = await rig.served(), await rig.verified()

    audited = check_verdicts(served, verified, {AUDITOR})
    strangers = check_verdicts(served, verified, {b"x" * 32})

    assert (audited.level, audited.others) == ("L4", 1)
    assert [word.auditor for word in audited.words] == [AUDITOR]
    assert (strangers.level, strangers.others) == (None, 2)


async def test_one_auditor_who_contradicts_takes_the_level_away(rig: AuditedRig) -> None:
    sample, receipt = await rig.sample(), rig.reply.receipt_hash
    await rig.desk.submit(statement(receipt, sample))
    await rig.desk.submit(statement(receipt, sample, AuditVerdict.INCONSISTENT, OTHER_KEY))

    audited = check_verdicts(await rig.served(), await rig.verified(), {AUDITOR, OTHER})

    assert audited.is_contradicted
    assert audited.level is None


@pytest.mark.parametrize("verdict", [AuditVerdict.CONSISTENT, AuditVerdict.UNDECIDED])
async def test_less_than_exact_is_no_l4(rig: AuditedRig, verdict: AuditVerdict) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample(), verdict))

    audited = check_verdicts(await rig.served(), await rig.verified(), {AUDITOR})

    assert (audited.level, audited.is_contradicted, len(audited.words)) == (None, False, 1)


async def test_a_verdict_that_no_head_covers_is_not_shown_yet(rig: AuditedRig) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))

    early = await rig.desk.verdicts(rig.reply.receipt_id)

    assert early is not None
    assert json.loads(early)["verdicts"] == []
    assert len(json.loads(await rig.served())["verdicts"]) == 1


def _leaf(value: dict[str, Any]) -> None:
    value["verdicts"][0]["leaf"] = encode_b64(b"\x06" + bytes(65))


def _proof(value: dict[str, Any]) -> None:
    text = value["verdicts"][0]["proof"]
    value["verdicts"][0]["proof"] = text.replace("index ", "index 1", 1)


def _signature(value: dict[str, Any]) -> None:
    value["verdicts"][0]["statement"]["signatures"][0]["sig"] = encode_b64(bytes(64))


def _receipt(value: dict[str, Any]) -> None:
    value["receipt"] = "ab" * 32


def _version(value: dict[str, Any]) -> None:
    value["v"] = "twinproof-audits/2"


def _extra(value: dict[str, Any]) -> None:
    value["verdicts"][0]["more"] = 1


@pytest.mark.parametrize("change", [_leaf, _proof, _signature, _receipt, _version, _extra])
async def test_changed_verdicts_are_false(rig: AuditedRig, change: Change) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    verified = await rig.verified()
    value = json.loads(await rig.served())
    change(value)

    with pytest.raises(VerificationError, match="step 11"):
        check_verdicts(encode_canonical(value), verified, {AUDITOR})


async def test_too_much_is_refused_unread(rig: AuditedRig) -> None:
    with pytest.raises(VerificationError, match="larger than"):
        check_verdicts(b"[" * (MAX_BYTES + 1), await rig.verified(), {AUDITOR})


async def test_a_logged_verdict_that_no_head_can_have_drawn_is_false(rig: AuditedRig) -> None:
    """A log that takes in anything: the verifier finds it out."""
    sample = await rig.sample()
    later = replace(sample, size=sample.size + 50)
    data = statement(rig.reply.receipt_hash, later)
    envelope = parse_envelope(data)
    async with rig.log.stage.store.transaction() as tx:
        index = await append_leaf(tx, leaf_of(envelope, open_statement(envelope)).encode())
        await tx.add_verdict(StoredVerdict(index, _tag(rig), AUDITOR, data))

    with pytest.raises(VerificationError, match="before the head that its sample"):
        check_verdicts(await rig.served(), await rig.verified(), {AUDITOR})


async def test_the_audit_of_the_service_knows_verdicts_and_finds_false_ones(
    rig: AuditedRig,
) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    records = await rig.log.stage.reader.read_all()
    good, bad = Findings(), Findings()

    audit_verdicts(records, good)
    swapped = replace(records.verdicts[0], auditor=OTHER)
    garbled = replace(records.verdicts[0], envelope=b"{}")
    misplaced = replace(records.verdicts[0], log_index=0)
    audit_verdicts(replace(records, verdicts=(swapped, garbled, misplaced)), bad)

    assert (good.checked, good.wrong) == ({"verdicts of auditors": 1}, [])
    assert len(bad.wrong) == 3
