"""Which messages become one turn: those that came while the twin was still answering."""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.errors import AdmissionError, InvariantError
from bot.domain.fields import MAX_PARTS, MessagePart, join_parts
from bot.ports.chat import IncomingMessage
from bot.ports.stores import Intent, StoreTransaction
from bot.twins.turns import Turn


def choose_parts(first: Turn, behind: Sequence[Turn], *, max_chars: int) -> list[Turn]:
    """Return the turns that are answered together, the first one's first.

    In the order in which they came; the first one that does not fit any more, and all after it,
    keep their own turn.
    """
    chosen = [first]
    if first.message is None or not first.message.may_merge:
        return chosen
    used, ids = len(first.message.text), {first.message.message_id}
    for turn in behind:
        message = turn.message
        if message is None or turn.withdrawn or message.message_id in ids:
            break
        used += 1 + len(message.text)
        if used > max_chars or len(chosen) == MAX_PARTS:
            break
        chosen.append(turn)
        ids.add(message.message_id)
    return chosen


def merge_messages(draft: Intent, messages: Sequence[IncomingMessage]) -> Intent:
    """Return the draft with the text of all messages, of which the first one is its own."""
    parts = tuple(MessagePart(message.message_id, message.text) for message in messages)
    return replace(draft, parts=parts, message=replace(draft.message, text=join_parts(parts)))


async def find_known(tx: StoreTransaction, draft: Intent) -> Intent | None:
    """Return the intent that answers a draft's message already, perhaps as a part of another's.

    Of several attempts, it is the last one that has a reply: the first may have been rejected.

    Raises:
        AdmissionError: it was forgotten.
        InvariantError: it is somebody else's: its reply and opening key are not for this fan.
    """
    known = await tx.find_intent(draft.key)
    if known is None:
        message = draft.message
        found = await tx.intents_of_message(message.surface, message.message_id)
        known = next((intent for intent in found if intent.twin == draft.twin), None)
    if known is not None and known.erased:
        raise AdmissionError("What was said here was forgotten. Please send it as a new message.")
    if known is not None and known.conversation != draft.conversation:
        raise InvariantError("two fans' messages have one id in one place")
    if known is None:
        return None
    attempts = await tx.attempts_of(known.slot_tag)
    return next((intent for intent in reversed(attempts) if intent.state == "done"), known)


async def keep_new(tx: StoreTransaction, draft: Intent, turns: Sequence[Turn]) -> list[Turn]:
    """Return the leading turns whose messages no intent answers yet; the first is not looked up."""
    kept = list(turns[:1])
    for turn in turns[1:]:
        message = turn.message
        if message is None:
            break
        found = await tx.intents_of_message(message.surface, message.message_id)
        if any(intent.twin == draft.twin for intent in found):
            break
        kept.append(turn)
    return kept
