"""What parent and engine process say to each other: one JSON object a line.

Parent to child: `{"id", "op", …}` with op `info`, `tokenize`, `prepare`, `generate`, `replay`,
`forget`, `cancel`, `halt`. Child to parent: `{"id", "event", …}` with event `queued`, `delta`,
`done` or `error`, and once at start `{"id": 0, "event": "ready", "remark"}` or an `error`.
"""

import json
from dataclasses import asdict, fields
from operator import attrgetter
from typing import Any

from bot.domain import errors
from bot.domain.model_record import template_of
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    ModelInfo,
    Queued,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
)
from bot.ports.runner import Failed, Prepared, StepEvent

Message = dict[str, Any]

_KINDS = {
    kind.__name__: kind
    for kind in (
        errors.ConfigurationError,
        errors.MessageTooLongError,
        errors.InvariantError,
    )
}
_TRANSIENT = {
    kind.__name__: kind for kind in (errors.EngineOverloadedError, errors.EngineCrashedError)
}
_TOKEN_FIELDS = attrgetter(*(field.name for field in fields(ReplayedToken)))


def encode_line(message: Message) -> bytes:
    """Return a message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def encode_event(number: int, event: StepEvent) -> Message:
    """Return what came of a step for one request."""
    match event:
        case TextDelta(text):
            return {"id": number, "event": "delta", "text": text}
        case Queued(ahead, wait_s):
            return {"id": number, "event": "queued", "ahead": ahead, "wait_s": round(wait_s, 1)}
        case Generated():
            return done(number, encode_generated(event))
        case ReplayOutcome():
            return done(number, encode_outcome(event))
        case Prepared():
            return done(number, None)
        case Failed(error):
            return encode_error(number, error)


def done(number: int, value: object) -> Message:
    """Return the message that ends a request."""
    return {"id": number, "event": "done", "value": value}


def encode_error(number: int, error: errors.BotError) -> Message:
    """Return the message that fails a request."""
    message = {"id": number, "event": "error", "kind": type(error).__name__, "text": str(error)}
    if isinstance(error, errors.TransientError):
        return message | {"retry_after_s": round(error.retry_after_s, 1)}
    return message


def parse_error(message: Message) -> errors.BotError:
    """Return the error that `encode_error` wrote; what is not known is a crash."""
    kind = _KINDS.get(message["kind"])
    if kind is not None:
        return kind(message["text"])
    transient = _TRANSIENT.get(message["kind"], errors.EngineCrashedError)
    return transient(message["text"], retry_after_s=message.get("retry_after_s", 1.0))


def encode_request(request: GenerationRequest) -> Message:
    """Return a generation request as JSON values."""
    return {
        "context": request.context,
        "prefix_tokens": request.prefix_tokens,
        "seed": request.seed.hex(),
        "sampler": asdict(request.sampler),
        "stop_tokens": request.stop_tokens,
        "stop_strings": request.stop_strings,
        "refused": request.refused,
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
        refused=tuple(tuple(output) for output in message["refused"]),
    )


def encode_caller(caller: Caller) -> list[str | float]:
    """Return for whom a request is, as JSON values."""
    return [caller.fan, caller.twin, caller.conversation, caller.patience_s]


def parse_caller(message: list[Any]) -> Caller:
    """Read what `encode_caller` wrote."""
    return Caller(*message)


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


def encode_outcome(outcome: ReplayOutcome) -> Message:
    """Return what a replay found, as JSON values; one list a token."""
    return {
        "tokens": [_TOKEN_FIELDS(token) for token in outcome.tokens],
        "tokenisation_same": outcome.tokenisation_same,
        "finish_same": outcome.finish_same,
        "text_same": outcome.text_same,
        "engine_exact": outcome.engine_exact,
    }


def parse_outcome(message: Message) -> ReplayOutcome:
    """Read what `encode_outcome` wrote."""
    tokens = tuple(ReplayedToken(*token) for token in message["tokens"])
    return ReplayOutcome(**{**message, "tokens": tokens})


def encode_generated(made: Generated) -> Message:
    """Return a result as JSON values."""
    return {"tokens": made.tokens, "text": made.text, "finish": made.finish}


def parse_generated(message: Message) -> Generated:
    """Read what `encode_generated` wrote."""
    return Generated(tuple(message["tokens"]), message["text"], message["finish"])


def parse_info(message: Message) -> ModelInfo:
    """Read a `ModelInfo` written by `dataclasses.asdict`."""
    template = message.get("template")
    return ModelInfo(
        **{
            **message,
            "end_tokens": tuple(message["end_tokens"]),
            "template": None if template is None else template_of(template),
        }
    )
