"""From a message to an intent: what determines a reply, derived and never chosen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.crypto import vrf
from bot.crypto.hashing import tagged_hash
from bot.domain.fields import Choice, MessagePart
from bot.domain.ids import derive_seed, derive_slot, derive_slot_tag
from bot.domain.manifest import Manifest
from bot.domain.payment import Payer, Payment
from bot.generation.rendering import CommittedTurn, fit_turns, render
from bot.generation.repeats import Repeats, redraw_sampler
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.clock import Entropy
from bot.ports.inference import Caller, GenerationRequest
from bot.ports.stores import Intent, PastTurn, StoreTransaction
from bot.receipts.issue import slot_of
from bot.twins.roster import LiveTwin, sampler_policy

OPENING_KEY_BYTES = 32


def conversation_id(twin: bytes, surface: Surface, fan: str) -> bytes:
    """Return the 32-byte id of one fan's conversation with one twin in one place."""
    return tagged_hash(
        "conversation", twin, surface.platform, surface.bot, surface.chat, surface.thread, fan
    )


def draw_intent(
    message: IncomingMessage, twin: LiveTwin, *, vrf_key: bytes, moment: datetime, entropy: Entropy
) -> Intent:
    """Derive slot tag and seed from the platform's identifiers alone; the context comes later.

    `moment` is when the message was admitted; it becomes the receipt's time, so that a receipt
    always lies within the validity that admission checked.

    Raises:
        FormatError: the surface gave identifiers that its platform has not.
    """
    slot = slot_of(message)
    slot.check()  # of another spelling nobody could verify a reply
    proof = vrf.prove(vrf_key, derive_slot(twin.manifest.twin, slot))
    beta = vrf.proof_to_hash(proof)
    slot_tag = derive_slot_tag(beta)
    return Intent(
        key=f"{slot_tag.hex()}:0",
        slot_tag=slot_tag,
        attempt=0,
        twin=twin.manifest.twin,
        manifest=twin.manifest_hash,
        conversation=conversation_id(twin.manifest.twin, message.surface, message.fan),
        message=message,
        spans=(),
        context=(),
        prefix_tokens=len(twin.prefix),
        vrf_proof=proof,
        seed=derive_seed(beta, twin.manifest_hash, 0),
        opening_key=entropy.random_bytes(OPENING_KEY_BYTES),
        price_nano=twin.manifest.price_nano,
        created_at=moment,
        parts=(MessagePart(message.message_id, message.text),),
        payment=Payment(Payer.SPONSOR if twin.manifest.price_nano else Payer.FREE),
    )


def draw_again(
    replaced: Intent,
    receipt_hash: bytes,
    *,
    attempt: int,
    event_id: str,
    moment: datetime,
    entropy: Entropy,
) -> Intent:
    """Derive another attempt at a slot: the same message, under another seed.

    Its context is put together anew (`assemble_context`).

    Args:
        replaced: whose reply is to be replaced.
        receipt_hash: of that reply.
        attempt: one more than any attempt at that slot so far.
        event_id: the platform's id of the fan's wish.
        moment: when the wish was admitted.
        entropy: for the new opening key.
    """
    beta = vrf.proof_to_hash(replaced.vrf_proof)
    return replace(
        replaced,
        key=f"{replaced.slot_tag.hex()}:{attempt}",
        attempt=attempt,
        seed=derive_seed(beta, replaced.manifest, attempt),
        opening_key=entropy.random_bytes(OPENING_KEY_BYTES),
        created_at=moment,
        state="open",
        regenerate=event_id,
        replaces=receipt_hash,
        rejected=0,
    )


def draw_next(rejected: Intent) -> Intent:
    """Derive the attempt that follows a rejected one: the same context, under another seed.

    Nothing of it is chosen, so that it is the same one after a crash. The opening key is that of
    the rejected attempt, which has no receipt.
    """
    beta, attempt = vrf.proof_to_hash(rejected.vrf_proof), rejected.attempt + 1
    return replace(
        rejected,
        key=f"{rejected.slot_tag.hex()}:{attempt}",
        attempt=attempt,
        seed=derive_seed(beta, rejected.manifest, attempt),
        rejected=rejected.rejected + 1,
    )


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was said before in a conversation.

    Attributes:
        turns: newest first, at least as many as the window holds.
        start: number of the first turn that may be quoted.
        log_size: leaves of the log when this was read.
    """

    turns: Sequence[PastTurn]
    start: int
    log_size: int


async def read_earlier(
    tx: StoreTransaction, conversation: bytes, *, tokens: int, before: int | None = None
) -> Earlier:
    """Read what a context may quote: turns below `before`, more than `tokens` of them or all."""
    return Earlier(
        turns=await tx.recent_turns(conversation, before=before, tokens=tokens),
        start=await tx.chain_start(conversation, before=before),
        log_size=await tx.log_size(),
    )


def assemble_context(
    draft: Intent, twin: LiveTwin, *, earlier: Earlier, message: tuple[int, ...]
) -> Intent:
    """Choose the spans by the manifest's rules and render them.

    Args:
        draft: from `draw_intent` or `draw_again`.
        twin: whose manifest decides.
        earlier: the conversation's turns.
        message: token ids of the fan's message.

    Raises:
        MessageTooLongError: the message does not fit even alone.
    """
    # Quoted turns are contiguous and end with the previous one: a turn that was withdrawn or has a
    # fixed answer ends the chain.
    quoted = [
        CommittedTurn(fan=turn.fan_tokens, twin=turn.output_tokens, receipt=turn.receipt_hash)
        for turn in earlier.turns
        if turn.turn >= earlier.start
    ]
    rendering = twin.manifest.rendering
    fitted = fit_turns(rendering, persona=twin.persona_tokens, turns=quoted[::-1], message=message)
    return replace(
        draft,
        spans=fitted.spans,
        context=render(rendering, fitted.spans),
        choice=Choice(earlier.start, fitted.older),
        log_size=earlier.log_size,
    )


def caller_of(intent: Intent) -> Caller:
    """Return for whom an intent's reply is made."""
    message = intent.message
    return Caller(
        fan=f"{message.surface.platform} {message.fan}",
        twin=message.twin,
        conversation=intent.conversation.hex(),
    )


def generation_request(intent: Intent, manifest: Manifest) -> GenerationRequest:
    """Return what the engine needs to make an intent's reply."""
    sampler = sampler_policy(manifest)
    return GenerationRequest(
        context=intent.context,
        prefix_tokens=intent.prefix_tokens,
        seed=intent.seed,
        sampler=redraw_sampler(sampler) if intent.rejected else sampler,
        stop_tokens=manifest.filter.stop_tokens,
        stop_strings=manifest.filter.stop_strings,
        refused=repeats_of(intent, manifest).refused,
    )


def repeats_of(intent: Intent, manifest: Manifest) -> Repeats:
    """Return what this attempt must not repeat; nothing, if no more may be drawn after it."""
    if intent.rejected >= manifest.filter.redraws:
        return Repeats(())
    return Repeats.in_context(intent.spans)
