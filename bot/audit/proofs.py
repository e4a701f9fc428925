"""The proofs: every stored reply verifies as an outsider would verify it, and quotes what was said.

Runs the offline verifier on each receipt with its own opening key, so that terms, price, seed and
context are what the creator signed; then checks what the verifier can't: that the earlier turns in
a context are the stored ones, and that none that fits was left out.
"""

from collections import defaultdict
from collections.abc import Sequence

from bot.audit.findings import FALSE, Findings
from bot.crypto import merkle
from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_signature
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint
from bot.crypto.tlog_proof import format_proof
from bot.domain.fields import Choice, Finish, Span
from bot.domain.manifest import parse_manifest
from bot.domain.statements import Outcome
from bot.generation.rendering import CommittedTurn, Fitted, fit_turns
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredCheckpoint, StoredManifest, StoredReply
from bot.receipts.bundle import LogProof, OutcomeProof, ProofBundle, encode_bundle
from bot.receipts.verify import verify_bundle
from bot.transparency.lineage import Lineage

_FEWEST_SPANS = 2  # persona and message


def audit_proofs(records: StoredRecords, lineage: Lineage, findings: Findings) -> None:
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
            _verify(records, reply, manifest, head, lineage)
        except FALSE as error:
            findings.wrong.append(f"receipt {reply.receipt_id}: its proof is false: {error}")


def _verify(
    records: StoredRecords,
    reply: StoredReply,
    manifest: StoredManifest,
    head: StoredCheckpoint,
    lineage: Lineage,
) -> None:
    seals = lineage.between(parse_manifest(manifest.body).log, lineage.at(head.size - 1))
    bundle = ProofBundle(
        receipt=parse_envelope(reply.envelope),
        manifest=manifest.body,
        manifest_signature=parse_signature(manifest.signature),
        log=_proof(records, reply.log_index, head),
        outcome=_outcome(records, reply, head),
        seals=tuple(seal.envelope for seal in seals),
        sealed=reply.sealed,
    )
    key = None if reply.erased else reply.opening_key
    verify_bundle(encode_bundle(bundle), key=key, policy=None, receipt_id=reply.receipt_id)


def _outcome(
    records: StoredRecords, reply: StoredReply, head: StoredCheckpoint
) -> OutcomeProof | None:
    for said in reversed(reply.outcomes):
        if said.log_index < head.size:
            proof = _proof(records, said.log_index, head)
            return OutcomeProof(parse_envelope(said.statement), proof)
    return None


def _proof(records: StoredRecords, index: int, head: StoredCheckpoint) -> LogProof:
    size = head.size
    if not index < size <= len(records.leaves):
        raise FormatError("its leaf is outside the log")
    nodes = records.nodes
    if any(node not in nodes for node in merkle.inclusion_nodes(index, size)):
        raise FormatError("the log lacks nodes of its inclusion proof")
    inclusion = merkle.inclusion_from_nodes(index, size, nodes)
    return LogProof(records.leaves[index], format_proof(index, inclusion, head.note))


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
    where = f"receipt {reply.receipt_id}"
    if intent.rule is not None:
        quoted = (intent.spans, intent.choice)
        findings.expect(quoted == ((), Choice(reply.turn)), f"{where}: a fixed answer quotes turns")
        return
    if len(intent.spans) < _FEWEST_SPANS:
        findings.wrong.append(f"{where}: its context: has no message")
        return
    start = 1 + max((turn.turn for turn in earlier if _ends_chain(turn, intent)), default=0)
    chain = [turn for turn in earlier if turn.turn >= start]
    fitted = _fit(intent.spans, chain, manifest)
    findings.expect(intent.spans == fitted.spans, f"{where}: quotes other turns than were said")
    findings.expect(
        intent.choice == Choice(start, fitted.older),
        f"{where}: names another choice of turns than there was",
    )


def _ends_chain(turn: StoredReply, intent: Intent) -> bool:
    """Return whether no context may reach past a turn: it is fixed, or was withdrawn by then."""
    if turn.finish == Finish.FIXED:
        return True
    for word, index in (
        (turn.outcome, turn.outcome_index),
        (turn.reversal, turn.reversal_index),
    ):
        if word == Outcome.WITHDRAWN.word and index is not None:
            return index < intent.log_size
    return False


def _fit(spans: Sequence[Span], chain: Sequence[StoredReply], stored: StoredManifest) -> Fitted:
    return fit_turns(
        parse_manifest(stored.body).rendering,
        persona=spans[0].tokens,
        turns=[CommittedTurn(r.fan_tokens, r.output_tokens, r.receipt_hash) for r in chain],
        message=spans[-1].tokens,
    )


def audit_seen(
    records: StoredRecords, seen: Sequence[Checkpoint], lineage: Lineage, findings: Findings
) -> None:
    """Check that heads which were given out are heads of this log, or of one that it continues.

    Nothing was cut off but what a seal says: a head above what was kept is true if the sealed log
    had it.
    """
    derived = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves])
    for head in seen:
        findings.count("heads in bundles that were given out")
        seal = next((one for one in lineage.seals if one.statement.log.name == head.origin), None)
        if seal is not None and head.size > seal.statement.kept:
            findings.expect(
                not seal.contradicts(head),
                f"a head of size {head.size} was given out by {head.origin}, whose seal says that "
                f"it never had one: the largest was {seal.statement.size}",
            )
            continue
        here = head.size <= len(records.leaves)
        findings.expect(
            here and merkle.root_from_nodes(head.size, derived) == head.root,
            f"a head of size {head.size} was given out that is not of this log",
        )
