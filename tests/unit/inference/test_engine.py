"""The engine's loop: what ends a generation, and what a replay notices."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import MessageTooLongError
from bot.generation.output import EMPTY_REPLY, decode_text
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.ports.inference import Generated, GenerationRequest, ReplayRequest, TextDelta
from tests.fakes.model import END, VOCABULARY, FakeModel
from tests.fakes.states import MemoryStates

PREFIX = tuple(b"You are a test. ")
REQUEST = GenerationRequest(
    context=(*PREFIX, *b"Say something."),
    prefix_tokens=len(PREFIX),
    seed=bytes(range(32)),
    sampler=SamplerPolicy(temperature=1.0, top_k=40, top_p=0.95, max_tokens=24),
    stop_tokens=(END,),
    stop_strings=("\nFan:",),
)
ENDLESS = replace(REQUEST, stop_tokens=(), stop_strings=())


def _engine(model: FakeModel | None = None) -> Engine:
    return Engine(model=model or FakeModel(), states=MemoryStates())


def _generate(request: GenerationRequest, model: FakeModel | None = None) -> tuple[str, Generated]:
    """Return the joined pieces and the result, which comes last and once."""
    *pieces, last = _engine(model).run(request)
    assert isinstance(last, Generated)
    texts = [piece.text for piece in pieces if isinstance(piece, TextDelta)]
    assert len(texts) == len(pieces)
    return "".join(texts), last


def _claim(request: GenerationRequest, **changes: object) -> ReplayRequest:
    """Return a replay of what the request really gives, with something changed."""
    _, made = _generate(request)
    claim = ReplayRequest(
        request=request,
        tokens=made.tokens,
        finish=made.finish,
        text=made.text,
        texts=(("Say something.", tuple(b"Say something.")),),
    )
    return replace(claim, **changes)  # type: ignore[arg-type]


def _seed_with(finish: str, request: GenerationRequest = REQUEST) -> GenerationRequest:
    """Return the request under the first seed that makes a generation of some length end so."""
    for number in range(256):
        tried = replace(request, seed=bytes([number]) * 32)
        _, made = _generate(tried)
        if made.finish == finish and len(made.tokens) > 2:
            return tried
    raise AssertionError(f"no seed ends by {finish}")


@given(st.binary(min_size=32, max_size=32))
def test_pieces_join_to_the_text_and_the_same_request_gives_the_same(seed: bytes) -> None:
    request = replace(REQUEST, seed=seed)

    shown, made = _generate(request)

    assert shown == made.text
    assert _generate(request) == (shown, made)


@given(st.binary(min_size=32, max_size=32))
def test_own_output_replays_exactly(seed: bytes) -> None:
    outcome = _engine().recompute(_claim(replace(REQUEST, seed=seed)))

    assert outcome.exact


def test_stop_token_ends_the_reply_and_is_not_part_of_it() -> None:
    request = _seed_with("end")

    _, made = _generate(request)

    assert END not in made.tokens
    assert len(made.tokens) < request.sampler.max_tokens


def test_longest_output_ends_by_length() -> None:
    _, made = _generate(ENDLESS)

    assert made.finish == "length"
    assert len(made.tokens) == ENDLESS.sampler.max_tokens


def test_stop_string_ends_the_reply_and_the_token_that_completed_it_is_committed() -> None:
    _, endless = _generate(ENDLESS)
    stop = endless.text[6:8]
    request = replace(ENDLESS, stop_strings=(stop,))

    shown, made = _generate(request)

    assert made.finish == "stop"
    assert made.tokens == endless.tokens[: len(made.tokens)]
    assert stop not in shown
    assert made.text == (endless.text[: endless.text.index(stop)].rstrip() or EMPTY_REPLY)


def test_reply_that_ends_at_once_is_not_empty() -> None:
    at_once = replace(REQUEST, stop_tokens=tuple(range(VOCABULARY)))

    assert _generate(at_once) == (EMPTY_REPLY, Generated((), EMPTY_REPLY, "end"))
    assert _engine().recompute(_claim(at_once)).exact


def test_conversation_too_long_for_the_model_is_refused_before_any_work() -> None:
    room = len(REQUEST.context) + REQUEST.sampler.max_tokens
    model = FakeModel(context_tokens=room - 3)

    with pytest.raises(MessageTooLongError, match="3 tokens too long"):
        list(_engine(model).run(REQUEST))
    assert model.evaluations == 0
    assert _generate(REQUEST, FakeModel(context_tokens=room))[1].tokens


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 24),
    st.lists(st.sampled_from(["a", "e ", "\n", "Fan", "xyz"]), max_size=2).map(tuple),
)
def test_halted_after_any_token_the_text_is_that_of_the_tokens(
    seed: bytes, allowed: int, stops: tuple[str, ...]
) -> None:
    request = replace(REQUEST, seed=seed, stop_strings=stops)
    _, whole = _generate(request)
    asked = iter(range(100))

    *pieces, made = _engine().run(request, lambda: next(asked) >= allowed)

    shown = "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
    assert isinstance(made, Generated)
    assert made.tokens == whole.tokens[: len(made.tokens)]
    assert shown == made.text
    assert not any(stop in made.text for stop in stops if made.text != EMPTY_REPLY)
    if made.finish == "halted":
        assert len(made.tokens) == allowed
        assert made.text == decode_text(bytes(made.tokens))
    else:
        assert made == whole


def test_halted_before_any_text_nothing_stands_in_for_it() -> None:
    class Blank(FakeModel):
        def piece(self, token: int) -> bytes:
            return b" " if token < END else b""

    asked = iter(range(100))

    events = list(_engine(Blank()).run(ENDLESS, lambda: next(asked) >= 3))

    (made,) = events
    assert isinstance(made, Generated)
    assert (len(made.tokens), made.text, made.finish) == (3, "", "halted")


def test_replay_is_one_prefill() -> None:
    model = FakeModel()

    _engine(model).recompute(_claim(REQUEST))

    assert model.evaluations == 1


@pytest.mark.parametrize("position", [0, 1, 5])
def test_changed_token_is_found_at_its_position(position: int) -> None:
    claim = _claim(ENDLESS)
    forged = list(claim.tokens)
    forged[position] ^= 1

    outcome = _engine().recompute(replace(claim, tokens=tuple(forged)))

    first = next(token for token in outcome.tokens if not token.same)
    assert not outcome.exact
    assert (first.position, first.claimed) == (position, forged[position])
    assert first.recomputed == claim.tokens[position]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, text=c.text + "!"),
        lambda c: replace(c, finish="stop"),
        lambda c: replace(c, finish="length"),
        lambda c: replace(c, texts=(("Say something else.", c.texts[0][1]),)),
        lambda c: replace(c, tokens=c.tokens[:-1]),
        lambda c: replace(c, tokens=()),
        lambda c: replace(c, tokens=(*c.tokens, c.tokens[-1])),
        lambda c: replace(c, request=replace(c.request, seed=b"\xff" * 32)),
        lambda c: replace(c, request=replace(c.request, context=c.request.context[1:])),
        lambda c: replace(c, spans=(*b"Say", END)),
    ],
    ids=[
        *("text", "stop", "length", "message", "cut", "empty", "longer", "seed", "context"),
        "control token in a span",
    ],
)
def test_replay_of_a_false_claim_is_not_exact(
    change: Callable[[ReplayRequest], ReplayRequest],
) -> None:
    claim = _claim(_seed_with("end"))

    assert _engine().recompute(claim).exact
    assert not _engine().recompute(change(claim)).exact


def test_reply_cut_short_and_called_ended_is_found_at_its_end() -> None:
    claim = _claim(ENDLESS)
    cut = replace(claim, tokens=claim.tokens[:4], finish="end", text="")

    outcome = _engine().recompute(cut)

    assert [token.same for token in outcome.tokens] == [True] * 4 + [False]
    assert outcome.tokens[-1].claimed is None


def test_output_beyond_the_longest_is_not_exact() -> None:
    longer = replace(ENDLESS, sampler=replace(ENDLESS.sampler, max_tokens=25))
    overlong = replace(_claim(longer), request=ENDLESS)

    for finish in ("length", "end"):
        assert not _engine().recompute(replace(overlong, finish=finish)).exact


def test_stop_token_within_the_output_is_not_exact() -> None:
    ended = _claim(_seed_with("end"))
    with_end = (*ended.tokens, END)
    full = replace(ended.request.sampler, max_tokens=len(with_end))
    request = replace(ended.request, sampler=full)

    outcome = _engine().recompute(replace(ended, request=request, tokens=with_end, finish="length"))

    assert outcome.finish_same
    assert outcome.text_same
    assert not outcome.exact


def test_tokens_past_the_one_that_completed_a_stop_string_are_not_exact() -> None:
    claim = _claim(ENDLESS)
    stopped = _claim(replace(ENDLESS, stop_strings=(claim.text[3:5],)))
    assert _engine().recompute(stopped).exact

    outcome = _engine().recompute(replace(stopped, tokens=claim.tokens))

    assert outcome.text_same
    assert not outcome.exact


def test_text_past_a_stop_string_is_not_exact() -> None:
    claim = _claim(ENDLESS)
    stopped = replace(ENDLESS, stop_strings=(claim.text[3:5],))

    outcome = _engine().recompute(replace(claim, request=stopped))

    assert not outcome.finish_same


@pytest.mark.parametrize(
    "hostile",
    [
        lambda c: replace(c, tokens=(VOCABULARY, *c.tokens[1:])),
        lambda c: replace(c, tokens=(*c.tokens[:-1], 2**31 - 1)),
        lambda c: replace(c, request=replace(c.request, context=(VOCABULARY + 7,))),
        lambda c: replace(c, request=replace(c.request, context=(), prefix_tokens=0)),
        lambda c: replace(c, request=replace(c.request, context=(), prefix_tokens=0), tokens=()),
    ],
    ids=["first-token", "last-token", "context", "no-context", "nothing"],
)
def test_receipt_with_tokens_outside_the_vocabulary_is_false_and_kills_no_engine(
    hostile: Callable[[ReplayRequest], ReplayRequest],
) -> None:
    outcome = _engine().recompute(hostile(_claim(_seed_with("end"))))

    assert not outcome.exact
