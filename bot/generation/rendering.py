"""From typed spans to a context: rendering program `typed-spans/1` (formats.md section 6).

The service renders with it and the verifier renders again, so it knows tokens only: no text, no
tokenizer, no template engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.errors import MessageTooLongError
from bot.domain.fields import LeftOut, Span, SpanKind, check_span_order
from bot.domain.terms import RenderingProgram

__all__ = [
    "CommittedTurn",
    "Fitted",
    "RenderingProgram",
    "Span",
    "SpanKind",
    "fit_turns",
    "fit_window",
    "persona_prefix",
    "render",
    "rendered_length",
]


@dataclass(frozen=True, slots=True)
class CommittedTurn:
    """An earlier turn: the fan's tokens, the committed output tokens, and its receipt's hash."""

    fan: tuple[int, ...]
    twin: tuple[int, ...]
    receipt: bytes


def render(program: RenderingProgram, spans: Sequence[Span]) -> tuple[int, ...]:
    """Join spans and segments to the context's token ids.

    Raises:
        FormatError: the spans do not follow the grammar.
    """
    check_span_order(spans)
    after = _segments(program)
    context = list(program.before_persona)
    for span in spans:
        context += span.tokens
        context += after[span.kind]
    return tuple(context)


def rendered_length(program: RenderingProgram, spans: Sequence[Span]) -> int:
    """Return how many token ids the context of spans has, without building it."""
    after = _segments(program)
    lengths = (len(span.tokens) + len(after[span.kind]) for span in spans)
    return len(program.before_persona) + sum(lengths)


def _segments(program: RenderingProgram) -> dict[SpanKind, tuple[int, ...]]:
    """Return what follows each kind of span."""
    return {
        SpanKind.PERSONA: program.persona_to_fan,
        SpanKind.FAN: program.fan_to_twin,
        SpanKind.TWIN: program.twin_to_fan,
        SpanKind.MESSAGE: program.fan_to_twin,
    }


def persona_prefix(program: RenderingProgram, persona: tuple[int, ...]) -> tuple[int, ...]:
    """Return the leading tokens that every context of a persona shares."""
    return program.before_persona + persona + program.persona_to_fan


@dataclass(frozen=True, slots=True)
class Fitted:
    """The spans that were chosen, and the latest turn that did not fit; None if all do."""

    spans: tuple[Span, ...]
    older: LeftOut | None


def fit_window(
    program: RenderingProgram,
    *,
    persona: tuple[int, ...],
    turns: Sequence[CommittedTurn],
    message: tuple[int, ...],
) -> tuple[Span, ...]:
    """Choose the spans of a reply: the longest suffix of turns that fits `window_tokens`.

    Args:
        program: the manifest's.
        persona: tokens of the persona text.
        turns: the conversation's committed turns, oldest first.
        message: tokens of the fan's message.

    Raises:
        MessageTooLongError: the message does not fit even alone.
    """
    return fit_turns(program, persona=persona, turns=turns, message=message).spans


def fit_turns(
    program: RenderingProgram,
    *,
    persona: tuple[int, ...],
    turns: Sequence[CommittedTurn],
    message: tuple[int, ...],
) -> Fitted:
    """Choose as `fit_window` does, and say what was left out.

    Raises:
        MessageTooLongError: the message does not fit even alone.
    """
    used = len(persona_prefix(program, persona)) + len(message) + len(program.fan_to_twin)
    if used > program.window_tokens:
        raise MessageTooLongError("This message is too long for the twin: please shorten it.")
    pairs: list[Span] = []
    older: LeftOut | None = None
    between = len(program.fan_to_twin) + len(program.twin_to_fan)
    for turn in reversed(turns):
        added = len(turn.fan) + len(turn.twin) + between
        if used + added > program.window_tokens:
            older = LeftOut(turn.receipt, added)
            break
        used += added
        fan = Span(SpanKind.FAN, turn.fan, turn.receipt)
        pairs[:0] = [fan, Span(SpanKind.TWIN, turn.twin, turn.receipt)]
    spans = (Span(SpanKind.PERSONA, persona), *pairs, Span(SpanKind.MESSAGE, message))
    return Fitted(spans, older)
