"""A fan's own replies: what the person who was answered may do, and nobody else."""

from bot.domain.errors import UserError
from bot.ports.people import Person
from bot.ports.stores import Intent, StoredReply, StoreTransaction


async def find_own(
    tx: StoreTransaction, receipt_id: str, person: Person
) -> tuple[Intent, StoredReply]:
    """Return a reply and what it answers, to the person who was answered.

    Raises:
        UserError: there is no such reply, it was forgotten, or it is another person's.
    """
    reply = await tx.find_reply(receipt_id)
    intent = None if reply is None else await tx.find_intent(reply.intent)
    if reply is None or intent is None or reply.erased:
        raise UserError("There is no such reply here, or it was forgotten.")
    if Person(intent.message.surface.platform, intent.message.fan) != person:
        raise UserError("Only the person who was answered may do that.")
    return intent, reply


async def check_latest(tx: StoreTransaction, reply: StoredReply) -> None:
    """Refuse to replace any reply but the one that its conversation ends with.

    Raises:
        UserError: it is not the latest one, or its message was taken back.
    """
    latest = await tx.recent_turns(reply.conversation)
    if not latest or latest[0].receipt_hash != reply.receipt_hash:
        raise UserError("Only the latest reply can be made again.")
    if latest[0].withdrawn:
        raise UserError("This message was taken back: please send it once more.")
