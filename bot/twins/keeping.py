"""Keep a reply: turn, receipt, sequence number, leaf, outbox row; in the caller's transaction."""

from dataclasses import dataclass

import structlog

from bot.domain.errors import InvariantError
from bot.domain.manifest import Manifest
from bot.domain.payment import split_fee
from bot.domain.persona import Persona
from bot.ports.inference import Generated
from bot.ports.stores import Intent, StoredReply, StoreTransaction
from bot.receipts.issue import Issuer, Place
from bot.receipts.log import append_leaf

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an intent's manifest says."""

    manifest: Manifest
    persona: Persona


async def keep_reply(
    tx: StoreTransaction,
    issuer: Issuer,
    intent: Intent,
    made: Generated,
    terms: Terms,
    *,
    halt: str | None = None,
) -> StoredReply:
    """Issue the receipt of an open intent and store all that belongs to it.

    Args:
        tx: the caller's.
        issuer: with the verdict of the engine that made it.
        intent: what was decided; a fixed answer names its rule.
        made: what the model made of it, or the rule said.
        terms: of the intent's manifest.
        halt: id of what ended it early.
    """
    place = await next_place(tx, intent)
    issued = issuer.issue(
        intent,
        made,
        manifest=terms.manifest,
        persona=terms.persona,
        place=place,
        moment=intent.created_at,
        halt=halt,
    )
    reply = StoredReply(
        receipt_hash=issued.receipt_hash,
        receipt_id=issued.receipt_id,
        intent=intent.key,
        twin=intent.twin,
        seq=place.seq,
        conversation=intent.conversation,
        turn=place.turn,
        fan_tokens=intent.spans[-1].tokens if intent.spans else (),
        output_tokens=made.tokens,
        fan_text=intent.message.text,
        text=made.text,
        finish=made.finish,
        price_nano=intent.price_nano,
        creator_nano=split_fee(intent.payment.payer, intent.price_nano, terms.manifest.creator_bp)[
            0
        ],
        opening_key=intent.opening_key,
        envelope=issued.envelope,
        sealed=issued.sealed,
        log_index=await append_leaf(tx, issued.leaf),
        attempt=intent.attempt,
        halt=halt,
        rejected=intent.rejected,
    )
    await tx.add_reply(reply)
    await tx.close_intent(intent.key, "done")
    return reply


def log_kept(intent: Intent, reply: StoredReply) -> None:
    """Write down that a reply is durable; nothing of what was said."""
    _log.info(
        "reply.committed",
        receipt=reply.receipt_id,
        twin=intent.message.twin,
        seq=reply.seq,
        turn=reply.turn,
        attempt=reply.attempt,
        finish=reply.finish,
        context_size=len(intent.context),
        output_size=len(reply.output_tokens),
        fee_nano=reply.price_nano,
    )


async def next_place(tx: StoreTransaction, intent: Intent) -> Place:
    """Return where a reply stands: after the latest turn, or in the place of what it replaces."""
    latest = await tx.recent_turns(intent.conversation)
    turn = latest[0].turn + 1 if latest else 1
    if intent.replaces is not None:
        if not latest or latest[0].receipt_hash != intent.replaces:
            raise InvariantError(f"intent {intent.key} replaces a reply that is not the latest")
        turn = latest[0].turn
        latest = await tx.recent_turns(intent.conversation, before=turn)
    return Place(
        seq=await tx.next_sequence(intent.twin),
        turn=turn,
        previous=latest[0].receipt_hash if latest else None,
    )
