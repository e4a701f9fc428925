"""What parent and engine process say to each other: one JSON object a line.

Parent to child: `{"id", "op", …}` with op `info`, `tokenize`, `prepare`, `generate`, `replay`,
`cancel`, `halt`. Child to parent: `{"id", "event", …}` with event `delta`, `done` or `error`, and
once at start `{"id": 0, "event": "ready"}` or an `error`.
"""

from dataclasses import asdict
from typing import Any

from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Generated,
    GenerationRequest,
    ModelInfo,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
)

Message = dict[str, Any]


def encode_request(request: GenerationRequest) -> Message:
    """Return a generation request as JSON values."""
    return {
        "context": request.context,
        "prefix_tokens": request.prefix_tokens,
        "seed": request.seed.hex(),
        "sampler": asdict(request.sampler),
        "stop_tokens": request.stop_tokens,
        "stop_strings": request.stop_strings,
    }


def parse_request(message: Message) -> GenerationRequest:
    """Read what `encode_request` wrote."""
    return GenerationRequest(
        context=tuple(message["context"]),
        prefix_tokens=message["prefix_tokens"],
        seed=bytes.fromhex(message["seed"]),
        sampler=SamplerPolicy(**message["sampler"]),
        stop_tokens=tuple(message["stop_tokens"]),
        stop_strings=tuple(message["stop_strings"]),
    )


def encode_replay(request: ReplayRequest) -> Message:
    """Return a replay request as JSON values."""
    return {
        "request": encode_request(request.request),
        "tokens": request.tokens,
        "finish": request.finish,
        "text": request.text,
        "texts": request.texts,
        "spans": request.spans,
    }


def parse_replay(message: Message) -> ReplayRequest:
    """Read what `encode_replay` wrote."""
    return ReplayRequest(
        request=parse_request(message["request"]),
        tokens=tuple(message["tokens"]),
        finish=message["finish"],
        text=message["text"],
        texts=tuple((text, tuple(ids)) for text, ids in message["texts"]),
        spans=tuple(message["spans"]),
    )


def parse_outcome(message: Message) -> ReplayOutcome:
    """Read a `ReplayOutcome` written by `dataclasses.asdict`."""
    return ReplayOutcome(
        tokens=tuple(ReplayedToken(**token) for token in message["tokens"]),
        tokenisation_same=message["tokenisation_same"],
        finish_same=message["finish_same"],
        text_same=message["text_same"],
    )


def encode_generated(made: Generated) -> Message:
    """Return a result as JSON values."""
    return {"tokens": made.tokens, "text": made.text, "finish": made.finish}


def parse_generated(message: Message) -> Generated:
    """Read what `encode_generated` wrote."""
    return Generated(tuple(message["tokens"]), message["text"], message["finish"])


def parse_info(message: Message) -> ModelInfo:
    """Read a `ModelInfo` written by `dataclasses.asdict`."""
    return ModelInfo(**{**message, "end_tokens": tuple(message["end_tokens"])})
