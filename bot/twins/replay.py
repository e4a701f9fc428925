"""Replay: run the model again on what a verified receipt opened, and compare token by token.

Needs the bundle, the fan's key and the weights; nothing of the service that made the reply.
"""

from dataclasses import dataclass, replace

from bot.domain.errors import (
    ConfigurationError,
    InvariantError,
    UserError,
    VerificationError,
)
from bot.domain.fields import SpanKind
from bot.domain.manifest import Manifest
from bot.generation.rendering import persona_prefix
from bot.generation.repeats import Repeats, redraw_sampler
from bot.generation.sampling import SamplerPolicy
from bot.generation.verdict import (
    Calibration,
    Evidence,
    Verdict,
    decide,
    excluded,
    suspected,
    weigh,
)
from bot.ports.inference import (
    Generated,
    GenerationRequest,
    InferenceEngine,
    ReplayOutcome,
    ReplayRequest,
)
from bot.receipts.openings import Openings
from bot.receipts.verified import Drawn
from bot.receipts.verify import VerifiedReceipt
from bot.twins.roster import sampler_policy

REPLAY_STEP = 11
REDRAWN = "an attempt that is said to be rejected comes out as something that repeats nothing"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a replay shows, and why.

    Attributes:
        reason: in words, the end of a sentence.
        evidence: what the tokens weigh; None where it took no weighing.
    """

    verdict: Verdict
    reason: str
    evidence: Evidence | None = None


def replay_request(verified: VerifiedReceipt) -> ReplayRequest:
    """Build the request from a verified receipt.

    Raises:
        VerificationError: the receipt was verified without the fan's key.
        UserError: it is of a fixed answer.
    """
    openings, drawn = _opened(verified)
    fields, manifest = openings.fields, verified.manifest
    prefix = manifest.rendering.span_prefix
    persona = next(span.tokens for span in fields.spans if span.kind is SpanKind.PERSONA)
    message = next(span.tokens for span in fields.spans if span.kind is SpanKind.MESSAGE)
    return ReplayRequest(
        request=GenerationRequest(
            context=fields.context,
            prefix_tokens=len(persona_prefix(manifest.rendering, persona)),
            seed=drawn.seed,
            sampler=_sampler(manifest, redrawn=fields.rejected > 0),
            stop_tokens=manifest.filter.stop_tokens,
            stop_strings=manifest.filter.stop_strings,
        ),
        tokens=fields.output,
        finish=fields.finish.value,
        text=fields.text,
        texts=(
            (prefix + openings.persona.text(), persona),
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
    request = replay_request(verified)
    outcome = await engine.replay(request)
    for attempt in rejected_requests(verified, request.request):
        if not await _is_rejected(verified, attempt, engine):
            return replace(outcome, redrawn_same=False)
    return outcome


def rejected_requests(
    verified: VerifiedReceipt, kept: GenerationRequest
) -> list[GenerationRequest]:
    """Return the requests of the attempts that were rejected right before a reply, oldest first."""
    _, drawn = _opened(verified)
    return [
        replace(kept, seed=seed, sampler=_sampler(verified.manifest, redrawn=number > 0))
        for number, seed in enumerate(drawn.rejected)
    ]


async def _is_rejected(
    verified: VerifiedReceipt, attempt: GenerationRequest, engine: InferenceEngine
) -> bool:
    """Make an attempt anew; return whether the filter rejects what comes out."""
    openings, _ = _opened(verified)
    repeats = Repeats.in_context(openings.fields.spans)
    async for event in engine.generate(attempt):
        if isinstance(event, Generated):
            return repeats.rejects(event.tokens)
    raise InvariantError("the engine ended a generation without a result")


def _opened(verified: VerifiedReceipt) -> tuple[Openings, Drawn]:
    if verified.openings is None or verified.drawn is None:
        raise VerificationError(
            REPLAY_STEP, "a replay needs the fan's key: use the link that ends in #k=…"
        )
    if verified.receipt.rule is not None:
        raise UserError(
            f"This is the fixed answer of the rule {verified.receipt.rule}: nothing was "
            "generated, so there is nothing to replay. The verification has shown all of it."
        )
    return verified.openings, verified.drawn


def _sampler(manifest: Manifest, *, redrawn: bool) -> SamplerPolicy:
    """Return the sampler of an attempt, and of one that follows a rejected one."""
    sampler = sampler_policy(manifest)
    return redraw_sampler(sampler) if redrawn else sampler


def assess(
    verified: VerifiedReceipt, outcome: ReplayOutcome, *, library: str, calibration: Calibration
) -> Finding:
    """Say what a replay shows.

    Two engines that hold the exact profile give the same bits, so one other token is enough to know
    that the reply is another one. Otherwise the tokens are weighed.

    Args:
        verified: the receipt.
        outcome: its replay.
        library: name and version of the library that replayed.
        calibration: thresholds for this model.
    """
    if outcome.exact:
        return Finding(Verdict.EXACT, "the reply is the same, bit for bit")
    if not outcome.formal:
        return Finding(Verdict.INCONSISTENT, _formal_fault(outcome))
    difference = first_difference(outcome)
    model = verified.receipt.model
    exact = model.verdict == "exact" and outcome.engine_exact and model.library == library
    if exact:
        return Finding(
            Verdict.INCONSISTENT,
            f"{difference}; both machines hold the exact profile, where every bit is the same",
        )
    evidence = weigh(outcome.tokens, calibration)
    if not outcome.redrawn_same and decide(evidence, calibration) is not Verdict.INCONSISTENT:
        # The rejected tokens are not in the receipt: there is nothing of them to weigh.
        reason = f"{REDRAWN}, which two machines' arithmetic may explain"
        return Finding(Verdict.UNDECIDED, reason, evidence)
    return Finding(decide(evidence, calibration), explain(evidence, calibration), evidence)


def explain(evidence: Evidence, calibration: Calibration) -> str:
    """Return in words what weighed tokens say."""
    verb = "differs" if evidence.differing == 1 else "differ"
    differ = f"{evidence.differing} of {evidence.tokens} tokens {verb}"
    match decide(evidence, calibration):
        case Verdict.INCONSISTENT:
            return (
                f"{differ}, more than two machines' arithmetic explains; "
                f"{suspected(evidence, calibration)} explains it better"
            )
        case Verdict.CONSISTENT:
            names = ", ".join(excluded(evidence, calibration))
            return f"{differ}, as two machines' arithmetic does; ruled out: {names}"
        case _:
            return f"{differ}; so few tokens do not rule out {_open(evidence, calibration)}"


def _open(evidence: Evidence, calibration: Calibration) -> str:
    out = excluded(evidence, calibration)
    return ", ".join(o.name for o in calibration.others if o.needed and o.name not in out)


def first_difference(outcome: ReplayOutcome) -> str:
    """Return in words where a replay parts from its receipt."""
    for token in outcome.tokens:
        if not token.same:
            return f"token {token.position} is {token.recomputed}, the receipt says {token.claimed}"
    return _formal_fault(outcome) if outcome.redrawn_same else REDRAWN


def _formal_fault(outcome: ReplayOutcome) -> str:
    if not outcome.tokenisation_same:
        return "persona or message have other tokens"
    return "finish or text differ"
