"""Replay: run the model again on what a verified receipt opened, and compare token by token.

Needs the bundle, the fan's key and the weights; nothing of the service that made the reply.
"""

from bot.domain.errors import ConfigurationError, VerificationError
from bot.domain.fields import SpanKind
from bot.generation.rendering import persona_prefix
from bot.ports.inference import GenerationRequest, InferenceEngine, ReplayOutcome, ReplayRequest
from bot.receipts.verify import VerifiedReceipt
from bot.twins.roster import sampler_policy

REPLAY_STEP = 11


def replay_request(verified: VerifiedReceipt) -> ReplayRequest:
    """Build the request from a verified receipt.

    Raises:
        VerificationError: the receipt was verified without the fan's key.
    """
    if verified.openings is None or verified.seed is None:
        raise VerificationError(
            REPLAY_STEP, "a replay needs the fan's key: use the link that ends in #k=…"
        )
    fields, manifest = verified.openings.fields, verified.manifest
    prefix = manifest.rendering.span_prefix
    persona = next(span.tokens for span in fields.spans if span.kind is SpanKind.PERSONA)
    message = next(span.tokens for span in fields.spans if span.kind is SpanKind.MESSAGE)
    return ReplayRequest(
        request=GenerationRequest(
            context=fields.context,
            prefix_tokens=len(persona_prefix(manifest.rendering, persona)),
            seed=verified.seed,
            sampler=sampler_policy(manifest),
            stop_tokens=manifest.filter.stop_tokens,
            stop_strings=manifest.filter.stop_strings,
        ),
        tokens=fields.output,
        finish=fields.finish.value,
        text=fields.text,
        texts=(
            (prefix + verified.openings.persona.text(), persona),
            (prefix + fields.message, message),
        ),
        spans=tuple(token for span in fields.spans for token in span.tokens),
    )


async def replay(
    verified: VerifiedReceipt, *, engine: InferenceEngine, model_sha256: bytes
) -> ReplayOutcome:
    """Recompute a verified reply on an engine of one's own.

    Args:
        verified: from `verify_bundle`, with the key.
        engine: a fresh one, loaded with the model file that has `model_sha256`.
        model_sha256: 32 bytes, of the file that the engine has loaded.

    Raises:
        ConfigurationError: the file is another model than the manifest's.
        VerificationError: the receipt was verified without the fan's key.
    """
    wanted = verified.manifest.model.gguf
    if model_sha256 != wanted:
        raise ConfigurationError(
            f"This reply was made by the weights with SHA-256 {wanted.hex()}: "
            "give that file with --model."
        )
    return await engine.replay(replay_request(verified))
