"""A replay as a piece of work: what it wants evaluated, and what it finds."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.generation.sampling import SamplerPolicy
from bot.inference.replay import ReplayWork
from bot.ports.inference import GenerationRequest, ReplayRequest
from tests.fakes.model import END, VOCABULARY, FakeModel, rows_of
from tests.unit.inference.replaying import claim_of, replay, seed_with

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
PENALISED = replace(
    REQUEST, sampler=SamplerPolicy(0.8, 40, 0.95, 24, 0.02, presence_penalty=1, frequency_penalty=1)
)
CONTEXT = len(REQUEST.context)


def _work(claim: ReplayRequest) -> ReplayWork:
    return ReplayWork(7, claim, info=FakeModel().info())


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(1, 60),
    st.sampled_from([REQUEST, ENDLESS, PENALISED]),
)
def test_own_output_replays_exactly_however_it_is_cut(
    seed: bytes, chunk: int, request: GenerationRequest
) -> None:
    claim = claim_of(replace(request, seed=seed))

    outcome = replay(claim, chunk=chunk)

    assert outcome.exact
    assert outcome == replay(claim)
    assert all(token.margin == 0 and token.room > 0 for token in outcome.tokens)
    assert [token.claimed for token in outcome.tokens[: len(claim.tokens)]] == list(claim.tokens)


def test_only_what_is_needed_is_evaluated() -> None:
    endless, ended = claim_of(ENDLESS), claim_of(seed_with("end", REQUEST))

    of_endless, of_ended = _work(endless), _work(ended)

    assert of_endless.tokens == endless.request.context + endless.tokens[:-1]
    assert of_ended.tokens == ended.request.context + ended.tokens
    assert of_endless.rows_from == of_ended.rows_from == CONTEXT - 1
    assert (of_ended.number, of_ended.prefix_tokens, of_ended.background) == (7, 16, True)


def test_rows_are_taken_once_and_in_order() -> None:
    work = _work(claim_of(ENDLESS))
    rows = rows_of(work.tokens, len(work.tokens) - work.rows_from)

    with pytest.raises(ValueError, match="order"):
        work.rows(work.rows_from + 1, rows[1:])
    with pytest.raises(ValueError, match="more rows"):
        work.rows(work.rows_from, np.concatenate([rows, rows[:1]]))
    work.rows(work.rows_from, rows[:10])
    with pytest.raises(ValueError, match="order"):
        work.rows(work.rows_from, rows[:10])
    with pytest.raises(ValueError, match="before all"):
        work.outcome(FakeModel().piece, FakeModel().tokenize)
    unfinished = work.finished
    work.rows(work.rows_from + 10, rows[10:])
    assert (unfinished, work.finished) == (False, True)
    assert work.outcome(FakeModel().piece, FakeModel().tokenize).exact


def test_rows_that_are_not_numbers_are_refused() -> None:
    work = _work(claim_of(ENDLESS))

    with pytest.raises(ValueError, match="not numbers"):
        work.rows(work.rows_from, np.full((1, VOCABULARY), np.nan, np.float32))


@pytest.mark.parametrize("position", [0, 1, 5])
def test_changed_token_is_found_at_its_position_with_its_margin(position: int) -> None:
    claim = claim_of(ENDLESS)
    forged = list(claim.tokens)
    forged[position] ^= 1

    outcome = replay(replace(claim, tokens=tuple(forged)))

    first = next(token for token in outcome.tokens if not token.same)
    assert not outcome.exact
    assert (first.position, first.claimed) == (position, forged[position])
    assert first.recomputed == claim.tokens[position]
    assert first.margin >= first.room > 0


@pytest.mark.parametrize(
    "change",
    [
        lambda c: replace(c, text=c.text + "!"),
        lambda c: replace(c, finish="stop"),
        lambda c: replace(c, finish="length"),
        lambda c: replace(c, texts=(("Say something else.", c.texts[0][1]),)),
        lambda c: replace(c, tokens=c.tokens[:-1]),
        lambda c: replace(c, tokens=()),
        lambda c: replace(c, tokens=(), finish="length"),
        lambda c: replace(c, tokens=(), finish="stopped"),
        lambda c: replace(c, tokens=(*c.tokens, c.tokens[-1])),
        lambda c: replace(c, request=replace(c.request, seed=b"\xff" * 32)),
        lambda c: replace(c, request=replace(c.request, context=c.request.context[1:])),
        lambda c: replace(c, spans=(*b"Say", END)),
    ],
    ids=[
        *("text", "stop", "length", "message", "cut", "empty", "nothing", "nothing stopped"),
        *("longer", "seed", "context", "control token in a span"),
    ],
)
def test_replay_of_a_false_claim_is_not_exact(
    change: Callable[[ReplayRequest], ReplayRequest],
) -> None:
    claim = claim_of(seed_with("end", REQUEST))

    assert replay(claim).exact
    assert not replay(change(claim)).exact


@pytest.mark.parametrize(
    "changed",
    [
        replace(PENALISED.sampler, presence_penalty=0.0),
        replace(PENALISED.sampler, frequency_penalty=0.0),
        replace(PENALISED.sampler, min_p=0.9),
    ],
    ids=["presence", "frequency", "min-p"],
)
def test_a_reply_made_with_another_setting_is_not_exact(changed: SamplerPolicy) -> None:
    request = replace(ENDLESS, sampler=PENALISED.sampler)
    made = claim_of(replace(ENDLESS, sampler=changed))

    assert replay(claim_of(request)).exact
    assert not replay(replace(made, request=request)).exact


def test_reply_cut_short_and_called_ended_is_found_at_its_end() -> None:
    claim = claim_of(seed_with("end", REQUEST))
    cut = replace(claim, tokens=claim.tokens[:2], finish="end", text="")

    outcome = replay(cut)

    assert [token.same for token in outcome.tokens] == [True] * 2 + [False]
    assert outcome.tokens[-1].claimed is None
    assert outcome.tokens[-1].margin > 0


def test_end_without_stop_tokens_is_as_far_off_as_can_be() -> None:
    claim = claim_of(ENDLESS)
    cut = replace(claim, tokens=claim.tokens[:4], finish="end", text="")

    assert replay(cut).tokens[-1].margin == 1000


def test_output_beyond_the_longest_is_never_evaluated() -> None:
    longer = replace(ENDLESS, sampler=replace(ENDLESS.sampler, max_tokens=25))
    overlong = replace(claim_of(longer), request=ENDLESS)

    for finish in ("length", "end", "stop", "stopped"):
        work = _work(replace(overlong, finish=finish))
        assert work.hopeless is not None
        assert not work.hopeless.exact


def test_stop_token_within_the_output_is_not_exact() -> None:
    ended = claim_of(seed_with("end", REQUEST))
    with_end = (*ended.tokens, END)
    full = replace(ended.request.sampler, max_tokens=len(with_end))
    request = replace(ended.request, sampler=full)

    outcome = replay(replace(ended, request=request, tokens=with_end, finish="length"))

    assert outcome.formal
    assert not outcome.exact


def test_tokens_past_the_one_that_completed_a_stop_string_are_not_exact() -> None:
    claim = claim_of(ENDLESS)
    stopped = claim_of(replace(ENDLESS, stop_strings=(claim.text[3:5],)))
    assert replay(stopped).exact

    outcome = replay(replace(stopped, tokens=claim.tokens))

    assert outcome.text_same
    assert not outcome.exact


def test_text_past_a_stop_string_is_not_exact() -> None:
    claim = claim_of(ENDLESS)
    stopped = replace(ENDLESS, stop_strings=(claim.text[3:5],))

    assert not replay(replace(claim, request=stopped)).finish_same


@pytest.mark.parametrize("exact", [True, False])
def test_outcome_says_whether_the_engine_is_exact(exact: bool) -> None:  # noqa: FBT001 - a parameter
    model = FakeModel(profile_exact=exact)
    claim = claim_of(ENDLESS)

    assert replay(claim, model=model).engine_exact is exact
    assert replay(replace(claim, tokens=(VOCABULARY,)), model=model).engine_exact is exact


@pytest.mark.parametrize(
    "hostile",
    [
        lambda c: replace(c, tokens=(VOCABULARY, *c.tokens[1:])),
        lambda c: replace(c, tokens=(*c.tokens[:-1], 2**31 - 1)),
        lambda c: replace(c, tokens=(-1, *c.tokens[1:])),
        lambda c: replace(c, request=replace(c.request, context=(VOCABULARY + 7,))),
        lambda c: replace(c, request=replace(c.request, context=(), prefix_tokens=0)),
        lambda c: replace(c, request=replace(c.request, context=(), prefix_tokens=0), tokens=()),
    ],
    ids=["first-token", "last-token", "negative", "context", "no-context", "nothing"],
)
def test_tokens_that_the_model_lacks_are_found_without_asking_it(
    hostile: Callable[[ReplayRequest], ReplayRequest],
) -> None:
    work = _work(hostile(claim_of(seed_with("end", REQUEST))))

    assert work.hopeless is not None
    assert not work.hopeless.exact


def test_stop_tokens_beyond_the_vocabulary_are_no_matter() -> None:
    request = replace(seed_with("end", REQUEST), stop_tokens=(END, VOCABULARY + 3))

    assert replay(claim_of(request)).exact
