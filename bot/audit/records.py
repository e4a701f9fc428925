"""The replies: receipts, openings, outcomes and intents agree with each other."""

import re
from collections import defaultdict

from bot.audit.findings import FALSE, Findings
from bot.audit.log import leaf_at
from bot.audit.outcomes import check_outcomes
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.domain.fields import Fields, Finish, ReplyEvent
from bot.domain.ids import receipt_id_of, receipt_tag_of
from bot.domain.leaf import ReplyLeaf, manifest_prefix, twin_prefix
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, parse_receipt
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredReply
from bot.receipts.issue import slot_of
from bot.receipts.openings import open_openings

_HASH = re.compile(r"[0-9a-f]{64}")


def audit_replies(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    """Check receipts, their sequence, their openings, turns and outcomes."""
    intents = {intent.key: intent for intent in records.intents}
    orders = {(order.twin, order.order_hash.hex()) for order in records.orders}
    turns = _last_attempts(records, findings)
    last_seq: dict[bytes, int] = defaultdict(int)
    for reply in records.replies:
        findings.count("receipts")
        where = f"receipt {reply.receipt_id}"
        last_seq[reply.twin] += 1
        findings.expect(reply.seq == last_seq[reply.twin], f"{where}: a hole in the sequence")
        try:
            receipt = _check_receipt(records, reply, signing_key, findings)
            intent = intents.get(reply.intent)
            _check_origin(reply, receipt, intent, findings)
            if not reply.erased:
                opened = _check_openings(reply, intent, findings)
                before = turns.get((reply.conversation, reply.turn - 1))
                wanted = None if before is None else before.receipt_hash
                findings.expect(opened.previous == wanted, f"{where}: another turn before it")
            check_outcomes(records, reply, signing_key, findings)
        except FALSE as error:
            findings.wrong.append(f"{where}: {error}")
        by_order = reply.finish == Finish.CUT and _HASH.fullmatch(reply.halt or "") is not None
        findings.expect(
            not by_order or (reply.twin, reply.halt) in orders,
            f"{where}: cut off by an order that is not stored",
        )


def _last_attempts(
    records: StoredRecords, findings: Findings
) -> dict[tuple[bytes, int], StoredReply]:
    """Return the reply that counts of each turn, and check that a turn is of one message."""
    turns: dict[tuple[bytes, int], StoredReply] = {}
    for reply in sorted(records.replies, key=lambda one: one.attempt):
        other = turns.get((reply.conversation, reply.turn), reply)
        findings.expect(
            other.intent.partition(":")[0] == reply.intent.partition(":")[0],
            f"receipt {reply.receipt_id}: its turn is of another message",
        )
        turns[reply.conversation, reply.turn] = reply
    return turns


def _check_receipt(
    records: StoredRecords, reply: StoredReply, signing_key: bytes, findings: Findings
) -> Receipt:
    where = f"receipt {reply.receipt_id}"
    envelope = parse_envelope(reply.envelope)
    verify_envelope(envelope, payload_type=PAYLOAD_TYPE, key=signing_key)
    receipt = parse_receipt(envelope.payload)
    leaf = ReplyLeaf(
        receipt_tag_of(reply.receipt_hash),
        receipt.slot_tag,
        receipt.attempt,
        reply.rejected,
        twin_prefix(receipt.twin),
        manifest_prefix(receipt.manifest),
    )
    findings.expect(envelope.digest == reply.receipt_hash, f"{where}: another hash")
    findings.expect(leaf_at(records, reply.log_index) == leaf, f"{where}: not in the log")
    findings.expect(
        (receipt.twin, receipt.seq, receipt.attempt) == (reply.twin, reply.seq, reply.attempt),
        f"{where}: another place",
    )
    prices = (receipt.price.nano, receipt.price.creator_nano)
    findings.expect(prices == (reply.price_nano, reply.creator_nano), f"{where}: another price")
    findings.expect(receipt_id_of(reply.receipt_hash) == reply.receipt_id, f"{where}: another id")
    return receipt


def _check_origin(
    reply: StoredReply, receipt: Receipt, intent: Intent | None, findings: Findings
) -> None:
    """Check what receipt, reply and intent say in the open; it outlives who was forgotten."""
    where = f"receipt {reply.receipt_id}"
    if intent is None:
        findings.wrong.append(f"{where}: no intent")
        return
    findings.expect(intent.state == "done", f"{where}: its intent is {intent.state}")
    drawn = (intent.slot_tag, intent.attempt, intent.manifest, intent.twin)
    stated = (receipt.slot_tag, receipt.attempt, receipt.manifest, receipt.twin)
    findings.expect(drawn == stated, f"{where}: another intent")
    findings.expect(intent.rule == receipt.rule, f"{where}: another rule")
    findings.expect(
        intent.payment == receipt.payment, f"{where}: another payer, rate table or registry block"
    )
    kept = (intent.opening_key, intent.price_nano, intent.conversation)
    findings.expect(
        kept == (reply.opening_key, reply.price_nano, reply.conversation),
        f"{where}: its intent has another key, price or conversation",
    )
    left = (reply.text, reply.fan_text, reply.fan_tokens, reply.output_tokens, reply.sealed)
    findings.expect(
        not (reply.erased and any(left)), f"{where}: is forgotten, and something of it is left"
    )


def _check_openings(reply: StoredReply, intent: Intent | None, findings: Findings) -> Fields:
    """Check that what the fan's key opens is what reply and intent say."""
    where = f"receipt {reply.receipt_id}"
    opened = open_openings(reply.opening_key, reply.receipt_hash, reply.sealed).fields
    asked = opened.spans[-1].tokens if opened.spans else ()
    said = (opened.message, asked, opened.conversation, opened.turn)
    done = (opened.text, opened.output, opened.finish.value, opened.event.halt)
    findings.expect(
        (said, done)
        == (
            (reply.fan_text, reply.fan_tokens, reply.conversation, reply.turn),
            (reply.text, reply.output_tokens, reply.finish, reply.halt),
        ),
        f"{where}: its openings say something else",
    )
    if intent is not None:
        given = (slot_of(intent.message), intent.parts, intent.spans, intent.context)
        findings.expect(
            given == (opened.slot, opened.parts, opened.spans, opened.context),
            f"{where}: its intent has another message or context",
        )
        findings.expect(
            (intent.choice, intent.rejected, intent.vrf_proof)
            == (opened.choice, opened.rejected, opened.vrf_proof),
            f"{where}: its intent has another choice of turns or of attempts, or another draw",
        )
        event = ReplyEvent(intent.regenerate, intent.replaces, reply.halt)
        findings.expect(opened.event == event, f"{where}: its intent has another event")
    return opened
