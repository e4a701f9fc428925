"""Which outputs the filter rejects (docs/spec/formats.md section 5.1)."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.fields import Span, SpanKind
from bot.generation.repeats import Repeats, redraw_sampler
from bot.generation.sampling import SamplerPolicy

TOKENS = st.lists(st.integers(0, 3), max_size=4).map(tuple)


def test_an_answer_to_another_message_is_rejected() -> None:
    repeats = Repeats.of((1,), [((2,), (7, 8, 9))])

    assert repeats.rejects((7, 8, 9))
    assert not repeats.rejects((7, 8))
    assert not repeats.rejects((7, 8, 9, 9))


def test_the_same_answer_to_the_same_question_is_right() -> None:
    assert not Repeats.of((2,), [((2,), (7, 8, 9))]).rejects((7, 8, 9))


def test_an_output_without_tokens_is_never_rejected() -> None:
    assert not Repeats.of((1,), [((2,), ())]).rejects(())


def test_pairs_are_those_of_the_context() -> None:
    spans = [
        Span(SpanKind.PERSONA, (5,)),
        Span(SpanKind.FAN, (1,), b"r" * 32),
        Span(SpanKind.TWIN, (7, 8), b"r" * 32),
        Span(SpanKind.FAN, (2,), b"s" * 32),
        Span(SpanKind.TWIN, (9,), b"s" * 32),
        Span(SpanKind.MESSAGE, (2,)),
    ]

    assert Repeats.in_context(spans) == Repeats(((7, 8),))


def test_what_may_still_be_rejected_is_held_back() -> None:
    repeats = Repeats.of((1,), [((2,), (7, 8, 9)), ((3,), (7, 5))])

    assert [repeats.may_reject((7, 8, 9)[:n]) for n in range(4)] == [True] * 4
    assert repeats.may_reject((7, 5))
    assert not repeats.may_reject((7, 8, 8))
    assert not repeats.may_reject((7, 8, 9, 1))


def test_without_earlier_turns_nothing_is_held_back() -> None:
    assert not Repeats.of((1,), []).may_reject(())


@given(TOKENS, st.lists(st.tuples(TOKENS, TOKENS), max_size=4), TOKENS)
def test_nothing_is_shown_of_what_is_rejected(
    message: tuple[int, ...],
    pairs: list[tuple[tuple[int, ...], tuple[int, ...]]],
    output: tuple[int, ...],
) -> None:
    repeats = Repeats.of(message, pairs)

    expected = bool(output) and any(fan != message and twin == output for fan, twin in pairs)
    assert repeats.rejects(output) == expected
    if expected:
        assert all(repeats.may_reject(output[:n]) for n in range(len(output) + 1))


def test_an_attempt_after_a_rejected_one_is_drawn_more_freely() -> None:
    cold, hot = SamplerPolicy(0.1, 40, 0.95, 64), SamplerPolicy(1.3, 40, 0.95, 64)

    assert redraw_sampler(cold) == SamplerPolicy(1.0, 40, 0.95, 64)
    assert redraw_sampler(hot) == hot
