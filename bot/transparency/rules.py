"""What the leaves of a log must keep to, one leaf at a time (docs/spec/log.md section 6).

Pure: each rule is told what was seen before and returns what is wrong, in sentences.
"""

from collections.abc import Sequence

from bot.domain.leaf import OutcomeLeaf, ReplyLeaf, VoidLeaf
from bot.domain.outcomes import MAX_OUTCOMES, may_follow
from bot.domain.statements import Outcome, VoidReason
from bot.ports.monitor import SeenAttempt, SeenReply, SeenTwin, SeenVersion, StoredFinding

MAX_REDRAWS = 4
NOTES = frozenset({"after-order", "unserved", "sealed", "rates"})
"""Kinds that say what to look at, and are no fault by themselves."""


def judge_reply(
    index: int,
    leaf: ReplyLeaf,
    *,
    attempts: Sequence[SeenAttempt],
    known: SeenReply | None,
    twin: SeenTwin | None,
    version: SeenVersion | None,
) -> list[StoredFinding]:
    """Judge a reply by what was seen of its slot, its receipt, its twin and its version."""
    slot = f"slot {leaf.slot_tag.hex()}"
    found = []
    if known is not None:
        found.append(finding("receipt-twice", index, f"logs the receipt of leaf {known.index}"))
    found += _terms(index, leaf, twin, version)
    same = [one for one in attempts if one.attempt == leaf.attempt]
    for one in same:
        what = "there is a second reply to one message" if one.receipt else "it was voided"
        sentence = f"is attempt {leaf.attempt} at {slot}, as leaf {one.index} is: {what}"
        found.append(finding("two-replies", index, sentence))
    if any(one.twin and one.twin != leaf.twin for one in attempts):
        found.append(finding("two-twins", index, f"answers {slot} as another twin than before"))
    cause = [] if same else _cause(index, leaf.slot_tag, leaf.attempt, attempts)
    found += cause
    rejected = _rejected_before(leaf.attempt, attempts)
    if leaf.rejected != rejected:
        sentence = (
            f"is a reply at {slot} that says it follows {leaf.rejected} rejected attempts in a "
            f"row; it follows {rejected}"
        )
        found.append(finding("rejected-miscounted", index, sentence))
    replies = any(one.receipt for one in attempts if one.attempt < leaf.attempt)
    if leaf.attempt > leaf.rejected and not replies and not cause:
        sentence = (
            f"is attempt {leaf.attempt} at {slot} after {leaf.rejected} rejected ones, and there "
            "is no reply before it that it could replace"
        )
        found.append(finding("attempt-without-cause", index, sentence))
    if version is not None and rejected > version.redraws:
        sentence = (
            f"is a reply at {slot} after {rejected} rejected attempts in a row; its version allows "
            f"{version.redraws}"
        )
        found.append(finding("too-many-redraws", index, sentence))
    return found


def against_of(twin: SeenTwin | None, version: SeenVersion | None) -> int | None:
    """Return the leaf of the order that stands against a reply of this version, if one does."""
    stopped = None if twin is None else twin.stopped_by
    return stopped if stopped is not None or version is None else version.revoked_by


def _terms(
    index: int, leaf: ReplyLeaf, twin: SeenTwin | None, version: SeenVersion | None
) -> list[StoredFinding]:
    """Check that its creator has published this version, and had not stopped it."""
    if twin is None or version is None:
        sentence = (
            f"is a reply of twin {leaf.twin.hex()} by manifest {leaf.manifest.hex()}, which was "
            "not logged before"
        )
        return [finding("no-manifest", index, sentence)]
    against = against_of(twin, version)
    if against is None:
        return []
    what = "the twin" if twin.stopped_by is not None else "this version of it"
    sentence = (
        f"is a reply of twin {leaf.twin.hex()} after its creator's order at leaf {against} had "
        f"stopped {what}: right only if it was cut off and is not paid"
    )
    return [finding("after-order", index, sentence)]


def judge_void(index: int, leaf: VoidLeaf, attempts: Sequence[SeenAttempt]) -> list[StoredFinding]:
    """Judge a void by what was seen of its slot."""
    slot = f"slot {leaf.slot_tag.hex()}"
    for one in attempts:
        if one.attempt == leaf.attempt:
            was = "led to a reply" if one.receipt else "was voided"
            sentence = f"voids attempt {leaf.attempt} at {slot}, which {was} at leaf {one.index}"
            return [finding("void-twice", index, sentence)]
    found = _cause(index, leaf.slot_tag, leaf.attempt, attempts)
    rejected = 1 + _rejected_before(leaf.attempt, attempts)
    if leaf.reason is VoidReason.REJECTED and rejected > MAX_REDRAWS:
        sentence = (
            f"rejects an attempt at {slot}, as {rejected - 1} right before it: no version may "
            f"reject more than {MAX_REDRAWS} in a row"
        )
        found.append(finding("too-many-redraws", index, sentence))
    return found


def _rejected_before(attempt: int, attempts: Sequence[SeenAttempt]) -> int:
    """Return how many attempts right before one were rejected, without a hole."""
    rejected = {one.attempt for one in attempts if one.void == VoidReason.REJECTED.value}
    number = attempt
    while number - 1 in rejected:
        number -= 1
    return attempt - number


def _cause(
    index: int, slot_tag: bytes, attempt: int, attempts: Sequence[SeenAttempt]
) -> list[StoredFinding]:
    """Check that the attempts before this one are there, and that one of them is its cause.

    Either there was a reply, which a fan wished replaced, or the one right before was rejected.
    """
    if attempt == 0:
        return []
    seen = {one.attempt for one in attempts}
    missing = next((number for number in range(attempt) if number not in seen), None)
    slot = f"slot {slot_tag.hex()}"
    if missing is not None:
        sentence = f"is attempt {attempt} at {slot}, and attempt {missing} was not logged before it"
        return [finding("attempt-gap", index, sentence)]
    if any(one.receipt for one in attempts) or _rejected_before(attempt, attempts):
        return []
    sentence = (
        f"is attempt {attempt} at {slot}, and there is no reply before it that it could replace, "
        "nor was the attempt right before it rejected"
    )
    return [finding("attempt-without-cause", index, sentence)]


def judge_outcome(index: int, leaf: OutcomeLeaf, reply: SeenReply | None) -> list[StoredFinding]:
    """Judge an outcome by its reply and the outcomes before it."""
    if reply is None:
        sentence = f"is an outcome of receipt {leaf.receipt.hex()}, which was not logged before it"
        return [finding("outcome-without-reply", index, sentence)]
    found = []
    of = f"the reply at leaf {reply.index}"
    before = [Outcome(code) for code in reply.outcomes]
    if len(before) >= MAX_OUTCOMES:
        sentence = f"is outcome {len(before) + 1} of {of}; a reply has at most three"
        found.append(finding("outcome-too-many", index, sentence))
    elif not may_follow(before, leaf.outcome):
        sentence = f"says that {of} was {leaf.outcome.word}, after it was {before[-1].word}"
        found.append(finding("outcome-contradiction", index, sentence))
    if reply.against is not None and leaf.outcome is Outcome.DELIVERED:
        sentence = (
            f"says that {of} was delivered, and so is paid, though its creator's order at leaf "
            f"{reply.against} had stopped the twin"
        )
        found.append(finding("paid-after-order", index, sentence))
    return found


def finding(kind: str, index: int, sentence: str) -> StoredFinding:
    """Return a finding about one leaf."""
    return StoredFinding(kind, f"Leaf {index} {sentence}.", index)
