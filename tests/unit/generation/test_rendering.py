import pytest

from bot.crypto.errors import FormatError
from bot.domain.errors import MessageTooLongError
from bot.domain.fields import Span, SpanKind
from bot.domain.terms import RenderingProgram
from bot.generation.rendering import CommittedTurn, fit_window, persona_prefix, render

PERSONA, MESSAGE = (10, 11), (50,)
TURNS = [CommittedTurn((20,), (30,), b"a" * 32), CommittedTurn((21,), (31, 32), b"b" * 32)]


def _program(window_tokens: int) -> RenderingProgram:
    return RenderingProgram(
        span_prefix="",
        before_persona=(1,),
        persona_to_fan=(2,),
        fan_to_twin=(3,),
        twin_to_fan=(4,),
        window_tokens=window_tokens,
    )


def _fit(window_tokens: int) -> tuple[Span, ...]:
    return fit_window(_program(window_tokens), persona=PERSONA, turns=TURNS, message=MESSAGE)


def test_context_is_spans_between_segments() -> None:
    context = render(_program(64), _fit(64))

    assert context == (1, 10, 11, 2, 20, 3, 30, 4, 21, 3, 31, 32, 4, 50, 3)
    assert context[:4] == persona_prefix(_program(64), PERSONA)


@pytest.mark.parametrize(("window", "kept"), [(15, 2), (14, 1), (11, 1), (10, 0), (6, 0)])
def test_longest_suffix_that_fits_is_kept(window: int, kept: int) -> None:
    spans = _fit(window)

    assert len(spans) == 2 + 2 * kept
    assert len(render(_program(window), spans)) <= window
    assert [span.receipt for span in spans[1:-1:2]] == [t.receipt for t in TURNS[2 - kept :]]


def test_message_that_does_not_fit_alone_is_refused() -> None:
    with pytest.raises(MessageTooLongError):
        _fit(5)


def test_spans_outside_the_grammar_are_not_rendered() -> None:
    with pytest.raises(FormatError):
        render(_program(64), [Span(SpanKind.MESSAGE, MESSAGE)])
