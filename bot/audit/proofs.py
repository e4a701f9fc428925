"""The proofs: every stored reply verifies as an outsider would verify it, and quotes what was said.

Runs the offline verifier on each receipt with its own opening key, so that terms, price, seed and
context are what the creator signed; then checks what the verifier can't: that the earlier turns in
a context are the stored ones, and that none that fits was left out.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from bot.audit.findings import FALSE, Findings
from bot.crypto import merkle
from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_signature
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint
from bot.domain.fields import Span
from bot.domain.leaf import Outcome, OutcomeStatement
from bot.domain.manifest import parse_manifest
from bot.generation.rendering import CommittedTurn, fit_window
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredCheckpoint, StoredManifest, StoredReply
from bot.receipts.bundle import LogProof, OutcomeProof, ProofBundle, encode_bundle
from bot.receipts.verify import verify_bundle

_FEWEST_SPANS = 2  # persona and message


def audit_proofs(records: StoredRecords, findings: Findings) -> None:
    """Verify every reply that a signed head covers."""
    if not records.checkpoints:
        return
    head = records.checkpoints[-1]
    manifests = {stored.manifest_hash: stored for stored in records.manifests}
    intents = {intent.key: intent for intent in records.intents}
    for reply in records.replies:
        intent = intents.get(reply.intent)
        manifest = manifests.get(intent.manifest) if intent else None
        if intent is None or manifest is None or reply.log_index >= head.size:
            continue  # the first two are found by `book`; the last has no proof yet
        findings.count("proofs")
        try:
            _verify(records, reply, manifest, head)
        except FALSE as error:
            findings.wrong.append(f"receipt {reply.receipt_id}: its proof is false: {error}")


def _verify(
    records: StoredRecords, reply: StoredReply, manifest: StoredManifest, head: StoredCheckpoint
) -> None:
    bundle = ProofBundle(
        receipt=parse_envelope(reply.envelope),
        manifest=manifest.body,
        manifest_signature=parse_signature(manifest.signature),
        log=_proof(records, reply.log_index, head.size),
        checkpoint=head.note,
        outcome=_outcome(records, reply, head.size),
        sealed=reply.sealed,
    )
    key = None if reply.erased else reply.opening_key
    verify_bundle(encode_bundle(bundle), key=key, policy=None, receipt_id=reply.receipt_id)


def _outcome(records: StoredRecords, reply: StoredReply, size: int) -> OutcomeProof | None:
    outcomes = (
        (reply.reversal_statement, reply.reversal_index),
        (reply.outcome_statement, reply.outcome_index),
    )
    for statement, index in outcomes:
        if statement is not None and index is not None and index < size:
            return OutcomeProof(parse_envelope(statement), _proof(records, index, size))
    return None


def _proof(records: StoredRecords, index: int, size: int) -> LogProof:
    if not index < size <= len(records.leaves):
        raise FormatError("its leaf is outside the log")
    nodes = records.nodes
    if any(node not in nodes for node in merkle.inclusion_nodes(index, size)):
        raise FormatError("the log lacks nodes of its inclusion proof")
    inclusion = merkle.inclusion_from_nodes(index, size, nodes)
    return LogProof(records.leaves[index], index, tuple(inclusion))


def audit_quotes(records: StoredRecords, findings: Findings) -> None:
    """Check that each context quotes the conversation's latest turns, all that fit, as stored."""
    conversations: dict[bytes, list[StoredReply]] = defaultdict(list)
    for reply in sorted(records.replies, key=lambda one: (one.turn, one.attempt)):
        if not reply.erased:
            conversations[reply.conversation].append(reply)
    intents = {intent.key: intent for intent in records.intents}
    manifests = {stored.manifest_hash: stored for stored in records.manifests}
    for conversation in conversations.values():
        turns = {reply.turn: reply for reply in conversation}  # of each the last attempt
        for reply in conversation:
            intent = intents.get(reply.intent)
            manifest = manifests.get(intent.manifest) if intent else None
            if intent is None or manifest is None:
                continue  # found by `book`
            earlier = [turns[number] for number in turns if number < reply.turn]
            try:
                _check_quotes(reply, intent, earlier, manifest, findings)
            except FALSE as error:
                findings.wrong.append(f"receipt {reply.receipt_id}: its context: {error}")


def _check_quotes(
    reply: StoredReply,
    intent: Intent,
    earlier: Sequence[StoredReply],
    manifest: StoredManifest,
    findings: Findings,
) -> None:
    if len(intent.spans) < _FEWEST_SPANS:
        findings.wrong.append(f"receipt {reply.receipt_id}: its context: has no message")
        return
    windows = [
        _window(intent.spans, earlier[start:], manifest)
        for start in _starts(reply, intent, earlier)
    ]
    findings.expect(
        intent.spans in windows, f"receipt {reply.receipt_id}: quotes other turns than were said"
    )


def _starts(reply: StoredReply, intent: Intent, earlier: Sequence[StoredReply]) -> set[int]:
    """Return where the quoted turns may begin: after the last one that was withdrawn by then.

    Both sides are right where it was withdrawn in the second in which this message was admitted,
    or while it was being admitted.
    """
    begin, maybe = 0, set[int]()
    for number, turn in enumerate(earlier, start=1):
        withdrawn = _withdrawal(turn)
        if withdrawn is None or withdrawn[0] > reply.log_index:
            continue  # quoted rightly, if it was withdrawn later
        if withdrawn[1] < intent.created_at.replace(microsecond=0):
            begin = number
        else:
            maybe.add(number)
    return {begin, *(number for number in maybe if number > begin)}


def _withdrawal(reply: StoredReply) -> tuple[int, datetime] | None:
    """Return the log index and the time of a withdrawal."""
    for word, statement, index in (
        (reply.outcome, reply.outcome_statement, reply.outcome_index),
        (reply.reversal, reply.reversal_statement, reply.reversal_index),
    ):
        if word == Outcome.WITHDRAWN.word and statement is not None and index is not None:
            return index, OutcomeStatement.parse(parse_envelope(statement).payload).time
    return None


def _window(
    spans: Sequence[Span], earlier: Sequence[StoredReply], stored: StoredManifest
) -> tuple[Span, ...]:
    return fit_window(
        parse_manifest(stored.body).rendering,
        persona=spans[0].tokens,
        turns=[CommittedTurn(r.fan_tokens, r.output_tokens, r.receipt_hash) for r in earlier],
        message=spans[-1].tokens,
    )


def audit_seen(records: StoredRecords, seen: Sequence[Checkpoint], findings: Findings) -> None:
    """Check that heads which were given out are heads of this log: nothing was cut off."""
    derived = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves])
    for head in seen:
        findings.count("heads in bundles that were given out")
        here = head.size <= len(records.leaves)
        findings.expect(
            here and merkle.root_from_nodes(head.size, derived) == head.root,
            f"a head of size {head.size} was given out that is not of this log",
        )
