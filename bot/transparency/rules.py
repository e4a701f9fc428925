"""What the leaves of a log must keep to, one leaf at a time (docs/spec/log.md section 6).

Pure: each rule is told what was seen before and returns what is wrong, in sentences.
"""

from collections.abc import Sequence

from bot.domain.leaf import Outcome, OutcomeLeaf, ReplyLeaf, VoidLeaf
from bot.ports.monitor import SeenAttempt, SeenReply, SeenTwin, StoredFinding

MAX_OUTCOMES = 2
NOTES = frozenset({"after-order", "unserved"})
"""Kinds that say what to look at, and are no fault by themselves."""
_REVERSALS = frozenset({Outcome.WITHDRAWN, Outcome.REFUNDED})


def judge_reply(
    index: int,
    leaf: ReplyLeaf,
    *,
    attempts: Sequence[SeenAttempt],
    known: SeenReply | None,
    twin: SeenTwin | None,
) -> list[StoredFinding]:
    """Judge a reply by what was seen of its slot, its receipt and its twin."""
    slot = f"slot {leaf.slot_tag.hex()}"
    found = []
    if known is not None:
        found.append(finding("receipt-twice", index, f"logs the receipt of leaf {known.index}"))
    if twin is None:
        sentence = f"is a reply of twin {leaf.twin.hex()}, of which no manifest was logged before"
        found.append(finding("no-manifest", index, sentence))
    elif twin.stopped_by is not None:
        sentence = (
            f"is a reply of twin {leaf.twin.hex()} after its creator's order at leaf "
            f"{twin.stopped_by} had stopped it: right only if it was cut off and is not paid"
        )
        found.append(finding("after-order", index, sentence))
    same = [one for one in attempts if one.attempt == leaf.attempt]
    for one in same:
        what = "there is a second reply to one message" if one.receipt else "it was voided"
        sentence = f"is attempt {leaf.attempt} at {slot}, as leaf {one.index} is: {what}"
        found.append(finding("two-replies", index, sentence))
    if any(one.twin and one.twin != leaf.twin for one in attempts):
        found.append(finding("two-twins", index, f"answers {slot} as another twin than before"))
    if not same:
        found += _gap(index, leaf.slot_tag, leaf.attempt, attempts)
    return found


def judge_void(index: int, leaf: VoidLeaf, attempts: Sequence[SeenAttempt]) -> list[StoredFinding]:
    """Judge a void by what was seen of its slot."""
    slot = f"slot {leaf.slot_tag.hex()}"
    for one in attempts:
        if one.attempt == leaf.attempt:
            was = "led to a reply" if one.receipt else "was voided"
            sentence = f"voids attempt {leaf.attempt} at {slot}, which {was} at leaf {one.index}"
            return [finding("void-twice", index, sentence)]
    return _gap(index, leaf.slot_tag, leaf.attempt, attempts)


def _gap(
    index: int, slot_tag: bytes, attempt: int, attempts: Sequence[SeenAttempt]
) -> list[StoredFinding]:
    """Check that the attempts before this one are there, and that one of them was replaced."""
    if attempt == 0:
        return []
    seen = {one.attempt for one in attempts}
    missing = next((number for number in range(attempt) if number not in seen), None)
    slot = f"slot {slot_tag.hex()}"
    if missing is not None:
        sentence = f"is attempt {attempt} at {slot}, and attempt {missing} was not logged before it"
        return [finding("attempt-gap", index, sentence)]
    if not any(one.receipt for one in attempts):
        sentence = (
            f"is attempt {attempt} at {slot}, and there is no reply before it that it could replace"
        )
        return [finding("attempt-without-cause", index, sentence)]
    return []


def judge_outcome(index: int, leaf: OutcomeLeaf, reply: SeenReply | None) -> list[StoredFinding]:
    """Judge an outcome by its reply and the outcomes before it."""
    if reply is None:
        sentence = f"is an outcome of receipt {leaf.receipt.hex()}, which was not logged before it"
        return [finding("outcome-without-reply", index, sentence)]
    found = []
    of = f"the reply at leaf {reply.index}"
    before = [Outcome(code) for code in reply.outcomes]
    if len(before) >= MAX_OUTCOMES:
        sentence = f"is outcome {len(before) + 1} of {of}; a reply has at most two"
        found.append(finding("outcome-too-many", index, sentence))
    elif before and not (before == [Outcome.DELIVERED] and leaf.outcome in _REVERSALS):
        sentence = f"says that {of} was {leaf.outcome.word}, after it was {before[0].word}"
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
