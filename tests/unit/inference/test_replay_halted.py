"""A halted reply is replayed token by token; where it was halted, no model can tell."""

from dataclasses import replace

import pytest

from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import GenerationRequest, ReplayRequest
from tests.fakes.model import END
from tests.unit.inference.replaying import claim_of, replay, text_of

REQUEST = GenerationRequest(
    context=tuple(b"Say something."),
    prefix_tokens=0,
    seed=bytes(range(32)),
    sampler=SamplerPolicy(temperature=1.0, top_k=40, top_p=0.95, max_tokens=24),
    stop_tokens=(),
    stop_strings=(),
)


def _halted(length: int, finish: str = "stopped") -> ReplayRequest:
    """Return a claim that a reply was halted after some tokens that the model really gives."""
    tokens = claim_of(REQUEST).tokens[:length]
    return ReplayRequest(
        request=REQUEST, tokens=tokens, finish=finish, text=text_of(tokens), texts=(), spans=()
    )


@pytest.mark.parametrize("finish", ["stopped", "cut"])
@pytest.mark.parametrize("length", [1, 7, 23])
def test_tokens_until_the_halt_are_compared_and_no_end_is_claimed(length: int, finish: str) -> None:
    outcome = replay(_halted(length, finish))

    assert outcome.exact
    assert [token.claimed for token in outcome.tokens] == list(_halted(length).tokens)


@pytest.mark.parametrize("finish", ["end", "length", "stop"])
def test_halted_reply_that_is_called_ended_is_not_exact(finish: str) -> None:
    assert not replay(_halted(7, finish)).exact


@pytest.mark.parametrize("length", [0, 24])
def test_halt_before_the_first_token_or_at_the_longest_is_not_exact(length: int) -> None:
    outcome = replay(_halted(length))

    assert not outcome.finish_same
    assert not outcome.exact


def test_changed_token_is_found() -> None:
    claim = _halted(7)
    changed = (*claim.tokens[:3], claim.tokens[3] ^ 1, *claim.tokens[4:])

    outcome = replay(replace(claim, tokens=changed, text=text_of(changed)))

    assert not outcome.tokens[3].same
    assert not outcome.exact


def test_changed_text_is_found() -> None:
    outcome = replay(replace(_halted(7), text="something else"))

    assert not outcome.text_same
    assert not outcome.exact


def test_halt_after_a_stop_string_or_a_stop_token_is_not_exact() -> None:
    claim = _halted(7)
    stops = (claim.text[2:4],)
    after_string = replace(
        claim,
        request=replace(REQUEST, stop_strings=stops),
        text=text_of(claim.tokens, stops),
    )
    after_token = replace(claim, request=replace(REQUEST, stop_tokens=(claim.tokens[3], END)))

    assert not replay(after_string).exact
    assert not replay(after_token).exact
