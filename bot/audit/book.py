"""The book: log, manifests, receipts, outcomes, intents and ledger agree with each other."""

from collections import defaultdict

from bot.audit.findings import Findings
from bot.crypto import merkle
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.errors import BotError
from bot.domain.leaf import (
    OUTCOME_TYPE,
    ManifestLeaf,
    Outcome,
    OutcomeLeaf,
    OutcomeStatement,
    ReplyLeaf,
    VoidLeaf,
    parse_leaf,
    twin_prefix,
)
from bot.domain.ledger import OPERATOR_FEES, creator_account, hold_account
from bot.domain.manifest import parse_manifest, signing_data
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, parse_receipt
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredManifest, StoredReply
from bot.receipts.bundle import open_openings

_FALSE = (FormatError, MismatchError, BotError)


def audit_log(records: StoredRecords, log: VerifierKey, findings: Findings) -> None:
    """Check that stored subtree hashes and signed heads follow from the leaves."""
    derived = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves])
    findings.count("log leaves", len(records.leaves))
    findings.expect(derived == records.nodes, "log: stored hashes do not follow from the leaves")
    for head in records.checkpoints:
        findings.count("signed heads")
        where = f"head of size {head.size}"
        if head.size > len(records.leaves):
            findings.wrong.append(f"{where}: the log is shorter")
            continue
        findings.expect(
            merkle.root_from_nodes(head.size, derived) == head.root, f"{where}: another root"
        )
        try:
            checkpoint = Checkpoint.parse(open_note(head.note, log).text)
        except _FALSE as error:
            findings.wrong.append(f"{where}: {error}")
            continue
        same = checkpoint == Checkpoint(log.name, head.size, head.root)
        findings.expect(same, f"{where}: the signed text says something else")


def audit_manifests(records: StoredRecords, findings: Findings) -> None:
    """Check that each manifest is logged and signed by its creator."""
    for stored in records.manifests:
        findings.count("manifests")
        try:
            _check_manifest(records, stored, findings)
        except _FALSE as error:
            findings.wrong.append(f"manifest {stored.manifest_hash.hex()[:16]}: {error}")


def _check_manifest(records: StoredRecords, stored: StoredManifest, findings: Findings) -> None:
    where = f"manifest {stored.manifest_hash.hex()[:16]}"
    manifest = parse_manifest(stored.body)
    signer = recover_signer(signing_data(manifest).digest(), parse_signature(stored.signature))
    leaf = ManifestLeaf(stored.manifest_hash, twin_prefix(stored.twin))
    findings.expect(manifest.hash == stored.manifest_hash, f"{where}: another hash")
    findings.expect(manifest.twin == stored.twin == manifest.derived_twin, f"{where}: wrong twin")
    findings.expect(signer == manifest.creator, f"{where}: not signed by its creator")
    findings.expect(sha256(stored.persona) == manifest.persona, f"{where}: another persona")
    findings.expect(_leaf_at(records, stored.log_index) == leaf, f"{where}: not in the log")


def audit_replies(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    """Check receipts, their sequence, their openings, leaves and outcomes."""
    intents = {intent.key: intent for intent in records.intents}
    last_seq: dict[bytes, int] = defaultdict(int)
    for reply in records.replies:
        findings.count("receipts")
        last_seq[reply.twin] += 1
        findings.expect(
            reply.seq == last_seq[reply.twin], f"receipt {reply.receipt_id}: a hole in the sequence"
        )
        try:
            receipt = _check_receipt(records, reply, signing_key, findings)
            _check_origin(reply, receipt, intents.get(reply.intent), findings)
            _check_outcome(records, reply, signing_key, findings)
        except _FALSE as error:
            findings.wrong.append(f"receipt {reply.receipt_id}: {error}")
    _check_intents(records, findings)


def _check_receipt(
    records: StoredRecords, reply: StoredReply, signing_key: bytes, findings: Findings
) -> Receipt:
    where = f"receipt {reply.receipt_id}"
    envelope = parse_envelope(reply.envelope)
    verify_envelope(envelope, payload_type=PAYLOAD_TYPE, key=signing_key)
    receipt = parse_receipt(envelope.payload)
    leaf = ReplyLeaf(
        reply.receipt_hash, receipt.slot_tag, receipt.attempt, twin_prefix(receipt.twin)
    )
    findings.expect(envelope.digest == reply.receipt_hash, f"{where}: another hash")
    findings.expect(_leaf_at(records, reply.log_index) == leaf, f"{where}: not in the log")
    findings.expect(
        (receipt.twin, receipt.seq) == (reply.twin, reply.seq), f"{where}: another place"
    )
    prices = (receipt.price.nano, receipt.price.creator_nano)
    findings.expect(prices == (reply.price_nano, reply.creator_nano), f"{where}: another price")
    opened = open_openings(reply.opening_key, reply.receipt_hash, reply.sealed).fields
    findings.expect(
        (opened.text, opened.output, opened.message)
        == (reply.text, reply.output_tokens, reply.fan_text),
        f"{where}: its openings say something else",
    )
    return receipt


def _check_origin(
    reply: StoredReply, receipt: Receipt, intent: Intent | None, findings: Findings
) -> None:
    where = f"receipt {reply.receipt_id}"
    if intent is None:
        findings.wrong.append(f"{where}: no intent")
        return
    findings.expect(intent.state == "done", f"{where}: its intent is {intent.state}")
    same = (intent.slot_tag, intent.attempt, intent.manifest) == (
        receipt.slot_tag,
        receipt.attempt,
        receipt.manifest,
    )
    findings.expect(same, f"{where}: another intent")


def _check_outcome(
    records: StoredRecords, reply: StoredReply, signing_key: bytes, findings: Findings
) -> None:
    if reply.outcome is None or reply.outcome_statement is None or reply.outcome_index is None:
        decided = (reply.outcome, reply.outcome_statement, reply.outcome_index)
        half = decided != (None, None, None)
        findings.expect(not half, f"receipt {reply.receipt_id}: half an outcome")
        return
    findings.count("outcomes")
    envelope = parse_envelope(reply.outcome_statement)
    verify_envelope(envelope, payload_type=OUTCOME_TYPE, key=signing_key)
    statement = OutcomeStatement.parse(envelope.payload)
    outcome = Outcome[reply.outcome.upper()]
    leaf = OutcomeLeaf(envelope.digest, reply.receipt_hash, outcome)
    same = (statement.receipt, statement.outcome) == (reply.receipt_hash, outcome)
    findings.expect(same, f"receipt {reply.receipt_id}: its outcome says something else")
    findings.expect(
        _leaf_at(records, reply.outcome_index) == leaf,
        f"receipt {reply.receipt_id}: its outcome is not in the log",
    )


def _check_intents(records: StoredRecords, findings: Findings) -> None:
    answered = {reply.intent for reply in records.replies}
    voided = {
        (leaf.slot_tag, leaf.attempt)
        for leaf in map(parse_leaf, records.leaves)
        if isinstance(leaf, VoidLeaf)
    }
    for intent in records.intents:
        findings.count("intents")
        has_reply = intent.key in answered
        has_void = (intent.slot_tag, intent.attempt) in voided
        wanted = {"done": (True, False), "void": (False, True), "open": (False, False)}
        findings.expect(
            (has_reply, has_void) == wanted[intent.state],
            f"intent {intent.key}: is {intent.state}, but reply/void are {has_reply}/{has_void}",
        )


def audit_ledger(records: StoredRecords, findings: Findings) -> None:
    """Check balances against postings, and postings against intents and receipts."""
    sums: dict[str, int] = defaultdict(int)
    by_key = {transaction.key: transaction for transaction in records.ledger}
    for transaction in records.ledger:
        findings.count("ledger transactions")
        for posting in transaction.postings:
            sums[posting.account] += posting.nano
    findings.expect(dict(sums) == records.balances, "ledger: a cached balance is not the sum")
    replies = {reply.intent: reply for reply in records.replies}
    for intent in records.intents:
        reply = replies.get(intent.key)
        findings.expect(f"hold:{intent.key}" in by_key, f"intent {intent.key}: nothing was held")
        end = by_key.pop(f"end-hold:{intent.key}", None)
        wanted = _end_of(intent, reply)
        findings.expect(
            (end.kind if end else None) == wanted,
            f"intent {intent.key}: its hold ended by {end and end.kind}, expected {wanted}",
        )
        held = sums.get(hold_account(intent.key), 0)
        left = 0 if end else intent.price_nano
        findings.expect(held == left, f"intent {intent.key}: {held} nano held, expected {left}")
        if end is not None and reply is not None and wanted == "capture":
            paid = {posting.account: posting.nano for posting in end.postings}
            share = paid.get(creator_account(reply.twin)), paid.get(OPERATOR_FEES)
            terms = reply.creator_nano, reply.price_nano - reply.creator_nano
            findings.expect(
                share == terms, f"receipt {reply.receipt_id}: paid {share}, not {terms}"
            )
    stray = [key for key in by_key if key.startswith("end-hold:")]
    findings.expect(not stray, f"ledger: {len(stray)} holds ended without an intent")
    negative = [a for a, nano in sums.items() if nano < 0 and not a.startswith("equity:")]
    findings.expect(not negative, f"ledger: overdrawn: {', '.join(negative)}")


def _end_of(intent: Intent, reply: StoredReply | None) -> str | None:
    """Return how an intent's hold must have ended."""
    if intent.state == "void":
        return "release"
    if reply is None or reply.outcome is None:
        return None
    return "capture" if reply.outcome == Outcome.DELIVERED.word else "release"


def _leaf_at(records: StoredRecords, index: int) -> object:
    return parse_leaf(records.leaves[index]) if index < len(records.leaves) else None
