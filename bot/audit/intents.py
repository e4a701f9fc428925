"""The intents: each is drawn as it must be and ends as it says; attempts of a slot count on."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from bot.audit.findings import FALSE, Findings
from bot.audit.log import leaf_at
from bot.crypto import vrf
from bot.crypto.dsse import parse_envelope, verify_envelope
from bot.domain.fields import join_parts
from bot.domain.ids import derive_seed, derive_slot_tag
from bot.domain.leaf import VoidLeaf
from bot.domain.statements import VOID_TYPE, VoidReason, VoidStatement
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent, StoredReply


def audit_intents(records: StoredRecords, signing_key: bytes, findings: Findings) -> None:
    """Check every intent: its draw, its end, and its place among the attempts at its slot."""
    replies = {reply.intent: reply for reply in records.replies}
    voided = {
        (leaf.slot_tag, leaf.attempt): leaf
        for leaf in (leaf_at(records, index) for index in range(len(records.leaves)))
        if isinstance(leaf, VoidLeaf)
    }
    slots: dict[bytes, list[Intent]] = defaultdict(list)
    for intent in records.intents:
        findings.count("intents")
        slots[intent.slot_tag].append(intent)
        _check_draw(intent, findings)
        _check_message(intent, findings)
        has_reply = intent.key in replies
        has_void = (intent.slot_tag, intent.attempt) in voided
        wanted = {"done": (True, False), "void": (False, True), "open": (False, False)}
        findings.expect(
            (has_reply, has_void) == wanted[intent.state],
            f"intent {intent.key}: is {intent.state}, but reply/void are {has_reply}/{has_void}",
        )
        if has_void:
            _check_void(intent, voided[intent.slot_tag, intent.attempt], signing_key, findings)
    for attempts in slots.values():
        _check_attempts(sorted(attempts, key=lambda one: one.attempt), replies, findings)


def _check_message(intent: Intent, findings: Findings) -> None:
    """Check that message and parts say the same, and that nothing is left of who was forgotten."""
    where = f"intent {intent.key}"
    key = f"{intent.slot_tag.hex()}:{intent.attempt}"
    findings.expect(intent.key == key, f"{where}: its key is of another slot or attempt")
    if intent.erased:
        message = intent.message
        ids = (message.message_id, message.surface.chat, message.fan, intent.regenerate)
        left = (message.text, intent.parts, intent.spans, intent.context, *ids)
        findings.expect(not any(left), f"{where}: is forgotten, and something of it is left")
        return
    said = (intent.message.message_id, intent.message.text)
    whole = (intent.parts[0].id, join_parts(intent.parts)) if intent.parts else None
    findings.expect(said == whole, f"{where}: its message is not that of its parts")


def _check_attempts(
    attempts: Sequence[Intent], replies: Mapping[str, StoredReply], findings: Findings
) -> None:
    """Check that the attempts at one slot count from 0, and what each of them replaces."""
    where = f"slot {attempts[0].slot_tag.hex()[:16]}"
    findings.expect(
        [one.attempt for one in attempts] == list(range(len(attempts))),
        f"{where}: its attempts do not count from 0 without holes",
    )
    ended = all(one.state != "open" for one in attempts[:-1])
    findings.expect(ended, f"{where}: an attempt is open, and another one was made")
    latest: StoredReply | None = None
    before: Intent | None = None
    for one in attempts:
        reply = replies.get(one.key)
        if not one.erased:
            _check_replaced(one, reply, latest, attempts[0], findings)
        _check_redrawn(one, before, findings)
        latest, before = reply or latest, one
    findings.expect(not _is_rejected(attempts[-1]), f"{where}: rejected, and not drawn again")


def _check_replaced(
    intent: Intent,
    reply: StoredReply | None,
    latest: StoredReply | None,
    first: Intent,
    findings: Findings,
) -> None:
    """Check one attempt against the first one, and against the latest reply before it."""
    where = f"intent {intent.key}"
    of_slot = (intent.twin, intent.conversation, intent.message.surface, intent.parts)
    findings.expect(
        of_slot == (first.twin, first.conversation, first.message.surface, first.parts),
        f"{where}: answers another message than the first attempt",
    )
    asked = intent.regenerate is not None
    first_draw = intent.attempt - intent.rejected
    findings.expect(asked == (first_draw > 0), f"{where}: asked for again {asked}")
    wanted = None if latest is None else latest.receipt_hash
    findings.expect(intent.replaces == wanted, f"{where}: replaces another reply")
    if reply is not None and latest is not None:
        findings.expect(reply.turn == latest.turn, f"{where}: is of another turn than it replaces")


def _check_redrawn(intent: Intent, before: Intent | None, findings: Findings) -> None:
    """Check that an attempt counts on from a rejected one, in the same context."""
    where = f"intent {intent.key}"
    if before is None or not _is_rejected(before):
        findings.expect(intent.rejected == 0, f"{where}: the one before it was not rejected")
        return
    findings.expect(
        intent.rejected == before.rejected + 1, f"{where}: counts its rejected attempts wrongly"
    )
    same = (before.spans, before.context, before.choice, before.regenerate, before.replaces)
    findings.expect(
        (intent.spans, intent.context, intent.choice, intent.regenerate, intent.replaces) == same,
        f"{where}: has another context than the rejected attempt before it",
    )


def _is_rejected(intent: Intent) -> bool:
    if intent.void_statement is None:
        return False
    try:
        payload = parse_envelope(intent.void_statement).payload
        return VoidStatement.parse(payload).reason is VoidReason.REJECTED
    except FALSE:
        return False  # found by `_check_void`


def _check_void(intent: Intent, leaf: VoidLeaf, signing_key: bytes, findings: Findings) -> None:
    """Check that the statement which a void's leaf cites is kept, signed, and of this intent."""
    try:
        envelope = parse_envelope(intent.void_statement or b"")
        verify_envelope(envelope, payload_type=VOID_TYPE, key=signing_key)
        statement = VoidStatement.parse(envelope.payload)
    except FALSE as error:
        findings.wrong.append(f"intent {intent.key}: its void: {error}")
        return
    of_this = (statement.twin, statement.slot_tag, statement.attempt, statement.reason) == (
        *(intent.twin, intent.slot_tag, intent.attempt, leaf.reason),
    )
    findings.expect(
        of_this and envelope.digest == leaf.statement,
        f"intent {intent.key}: its void says something else",
    )


def _check_draw(intent: Intent, findings: Findings) -> None:
    """Check that slot tag and seed follow from the proof."""
    try:
        beta = vrf.proof_to_hash(intent.vrf_proof)
    except FALSE as error:
        findings.wrong.append(f"intent {intent.key}: {error}")
        return
    seed = derive_seed(beta, intent.manifest, intent.attempt)
    findings.expect(
        (derive_slot_tag(beta), seed) == (intent.slot_tag, intent.seed),
        f"intent {intent.key}: its seed does not follow from its proof",
    )
