"""The book: log, manifests, receipts, outcomes and intents agree with each other."""

from collections import Counter, defaultdict

from bot.audit.findings import Findings
from bot.crypto import merkle, vrf
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.errors import BotError
from bot.domain.fields import Fields
from bot.domain.ids import derive_seed, derive_slot_tag, receipt_id_of
from bot.domain.leaf import (
    OUTCOME_TYPE,
    VOID_TYPE,
    Leaf,
    ManifestLeaf,
    Outcome,
    OutcomeLeaf,
    OutcomeStatement,
    ReplyLeaf,
    VoidLeaf,
    VoidStatement,
    parse_leaf,
    twin_prefix,
)
from bot.domain.manifest import parse_manifest, signing_data
from bot.domain.receipt import PAYLOAD_TYPE, Receipt, parse_receipt
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredManifest, StoredReply
from bot.receipts.bundle import open_openings
from bot.receipts.issue import slot_of

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


def audit_leaves(records: StoredRecords, findings: Findings) -> None:
    """Check that each leaf is of something that is stored, and of one thing only."""
    cited = Counter(stored.log_index for stored in records.manifests)
    cited.update(reply.log_index for reply in records.replies)
    cited.update(r.outcome_index for r in records.replies if r.outcome_index is not None)
    void = {(i.slot_tag, i.attempt) for i in records.intents if i.state == "void"}
    for index in range(len(records.leaves)):
        leaf = _leaf_at(records, index)
        if isinstance(leaf, VoidLeaf):
            cited[index] += (leaf.slot_tag, leaf.attempt) in void
        findings.expect(leaf is not None, f"leaf {index}: can't be read")
        findings.expect(cited[index] == 1, f"leaf {index}: is of {cited[index]} stored things")


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
    known = {one.manifest_hash for one in records.manifests if one.twin == stored.twin}
    signer = recover_signer(signing_data(manifest).digest(), parse_signature(stored.signature))
    leaf = ManifestLeaf(stored.manifest_hash, twin_prefix(stored.twin))
    findings.expect(manifest.hash == stored.manifest_hash, f"{where}: another hash")
    findings.expect(manifest.previous in {None, *known}, f"{where}: its predecessor is missing")
    findings.expect(manifest.twin == stored.twin == manifest.derived_twin, f"{where}: wrong twin")
    findings.expect(signer == manifest.creator, f"{where}: not signed by its creator")
    findings.expect(sha256(stored.persona) == manifest.persona, f"{where}: another persona")
    findings.expect(_leaf_at(records, stored.log_index) == leaf, f"{where}: not in the log")


def audit_replies(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    """Check receipts, their sequence, their openings, leaves and outcomes."""
    intents = {intent.key: intent for intent in records.intents}
    turns = {(reply.conversation, reply.turn): reply.receipt_hash for reply in records.replies}
    last_seq: dict[bytes, int] = defaultdict(int)
    for reply in records.replies:
        findings.count("receipts")
        last_seq[reply.twin] += 1
        findings.expect(
            reply.seq == last_seq[reply.twin], f"receipt {reply.receipt_id}: a hole in the sequence"
        )
        try:
            receipt, opened = _check_receipt(records, reply, signing_key, findings)
            _check_origin(reply, receipt, opened, intents.get(reply.intent), findings)
            before = turns.get((reply.conversation, reply.turn - 1))
            findings.expect(
                opened.previous == before, f"receipt {reply.receipt_id}: another turn before it"
            )
            _check_outcome(records, reply, signing_key, findings)
        except _FALSE as error:
            findings.wrong.append(f"receipt {reply.receipt_id}: {error}")
    _check_intents(records, signing_key, findings)


def _check_receipt(
    records: StoredRecords, reply: StoredReply, signing_key: bytes, findings: Findings
) -> tuple[Receipt, Fields]:
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
    findings.expect(receipt_id_of(reply.receipt_hash) == reply.receipt_id, f"{where}: another id")
    opened = open_openings(reply.opening_key, reply.receipt_hash, reply.sealed).fields
    said = (opened.message, opened.spans[-1].tokens, opened.conversation, opened.turn)
    done = (opened.text, opened.output, opened.finish.value)
    findings.expect(
        (said, done)
        == (
            (reply.fan_text, reply.fan_tokens, reply.conversation, reply.turn),
            (reply.text, reply.output_tokens, reply.finish),
        ),
        f"{where}: its openings say something else",
    )
    return receipt, opened


def _check_origin(
    reply: StoredReply,
    receipt: Receipt,
    opened: Fields,
    intent: Intent | None,
    findings: Findings,
) -> None:
    where = f"receipt {reply.receipt_id}"
    if intent is None:
        findings.wrong.append(f"{where}: no intent")
        return
    findings.expect(intent.state == "done", f"{where}: its intent is {intent.state}")
    drawn = (intent.slot_tag, intent.attempt, intent.manifest, intent.twin, intent.vrf_proof)
    stated = (
        *(receipt.slot_tag, receipt.attempt, receipt.manifest, receipt.twin, receipt.vrf_proof),
    )
    findings.expect(drawn == stated, f"{where}: another intent")
    kept = (intent.opening_key, intent.price_nano, intent.conversation)
    findings.expect(
        kept == (reply.opening_key, reply.price_nano, reply.conversation),
        f"{where}: its intent has another key, price or conversation",
    )
    given = (slot_of(intent.message), intent.message.text, intent.spans, intent.context)
    findings.expect(
        given == (opened.slot, opened.message, opened.spans, opened.context),
        f"{where}: its intent has another message or context",
    )


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
    outcome = Outcome.__members__.get(reply.outcome.upper())
    if outcome is None:
        findings.wrong.append(f"receipt {reply.receipt_id}: there is no outcome {reply.outcome!r}")
        return
    leaf = OutcomeLeaf(envelope.digest, reply.receipt_hash, outcome)
    same = (statement.receipt, statement.outcome) == (reply.receipt_hash, outcome)
    findings.expect(same, f"receipt {reply.receipt_id}: its outcome says something else")
    findings.expect(
        _leaf_at(records, reply.outcome_index) == leaf,
        f"receipt {reply.receipt_id}: its outcome is not in the log",
    )


def _check_intents(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    answered = {reply.intent for reply in records.replies}
    voided = {
        (leaf.slot_tag, leaf.attempt): leaf
        for leaf in (_leaf_at(records, index) for index in range(len(records.leaves)))
        if isinstance(leaf, VoidLeaf)
    }
    for intent in records.intents:
        findings.count("intents")
        _check_draw(intent, findings)
        has_reply = intent.key in answered
        has_void = (intent.slot_tag, intent.attempt) in voided
        wanted = {"done": (True, False), "void": (False, True), "open": (False, False)}
        findings.expect(
            (has_reply, has_void) == wanted[intent.state],
            f"intent {intent.key}: is {intent.state}, but reply/void are {has_reply}/{has_void}",
        )
        if has_void:
            _check_void(intent, voided[intent.slot_tag, intent.attempt], signing_key, findings)


def _check_void(intent: Intent, leaf: VoidLeaf, signing_key: bytes, findings: Findings) -> None:
    """Check that the statement which a void's leaf cites is kept, signed, and of this intent."""
    try:
        envelope = parse_envelope(intent.void_statement or b"")
        verify_envelope(envelope, payload_type=VOID_TYPE, key=signing_key)
        statement = VoidStatement.parse(envelope.payload)
    except _FALSE as error:
        findings.wrong.append(f"intent {intent.key}: its void: {error}")
        return
    of_this = (statement.twin, statement.slot_tag) == (intent.twin, intent.slot_tag)
    findings.expect(
        of_this and envelope.digest == leaf.statement,
        f"intent {intent.key}: its void says something else",
    )


def _check_draw(intent: Intent, findings: Findings) -> None:
    """Check that slot tag and seed follow from the proof."""
    try:
        beta = vrf.proof_to_hash(intent.vrf_proof)
    except _FALSE as error:
        findings.wrong.append(f"intent {intent.key}: {error}")
        return
    seed = derive_seed(beta, intent.manifest, intent.attempt)
    findings.expect(
        (derive_slot_tag(beta), seed) == (intent.slot_tag, intent.seed),
        f"intent {intent.key}: its seed does not follow from its proof",
    )


def _leaf_at(records: StoredRecords, index: int) -> Leaf | None:
    """Return a leaf; None where there is none or nothing that can be read."""
    if not 0 <= index < len(records.leaves):
        return None
    try:
        return parse_leaf(records.leaves[index])
    except FormatError:
        return None
