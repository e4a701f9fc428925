"""From a message to an intent: what determines a reply, derived and never chosen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.crypto import vrf
from bot.crypto.hashing import tagged_hash
from bot.domain.ids import derive_seed, derive_slot, derive_slot_tag
from bot.domain.manifest import Manifest
from bot.generation.rendering import CommittedTurn, fit_window, render
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.clock import Entropy
from bot.ports.inference import GenerationRequest
from bot.ports.stores import Intent, StoredReply
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
    """
    proof = vrf.prove(vrf_key, derive_slot(twin.manifest.twin, slot_of(message)))
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
    )


def assemble_context(
    draft: Intent, twin: LiveTwin, *, earlier: Sequence[StoredReply], message: tuple[int, ...]
) -> Intent:
    """Choose the spans by the manifest's rules and render them.

    Args:
        draft: from `draw_intent`.
        twin: whose manifest decides.
        earlier: the conversation's replies, oldest first.
        message: token ids of the fan's message.

    Raises:
        MessageTooLongError: the message does not fit even alone.
    """
    # Quoted turns are contiguous and end with the previous one: a withdrawn turn ends the chain.
    withdrawn = [i for i, reply in enumerate(earlier) if reply.outcome == "withdrawn"]
    turns = [
        CommittedTurn(fan=reply.fan_tokens, twin=reply.output_tokens, receipt=reply.receipt_hash)
        for reply in earlier[max(withdrawn, default=-1) + 1 :]
    ]
    rendering = twin.manifest.rendering
    spans = fit_window(rendering, persona=twin.persona_tokens, turns=turns, message=message)
    return replace(draft, spans=spans, context=render(rendering, spans))


def generation_request(intent: Intent, manifest: Manifest) -> GenerationRequest:
    """Return what the engine needs to make an intent's reply."""
    return GenerationRequest(
        context=intent.context,
        prefix_tokens=intent.prefix_tokens,
        seed=intent.seed,
        sampler=sampler_policy(manifest),
        stop_tokens=manifest.filter.stop_tokens,
        stop_strings=manifest.filter.stop_strings,
    )
