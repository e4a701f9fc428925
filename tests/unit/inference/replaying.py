"""Replies made and replayed without an engine: the fake's own logits, row by row."""

from dataclasses import replace

from bot.generation.output import OutputText
from bot.generation.sampling import Draw, choose_tokens
from bot.inference.replay import ReplayWork
from bot.ports.inference import GenerationRequest, ReplayOutcome, ReplayRequest
from bot.ports.runner import Feed
from tests.fakes.model import FakeModel, rows_of


def text_of(tokens: tuple[int, ...], stops: tuple[str, ...] = ()) -> str:
    """Return the text of some tokens."""
    output = OutputText(stops)
    for token in tokens:
        output.append(FakeModel().piece(token))
    return output.final()


def claim_of(request: GenerationRequest) -> ReplayRequest:
    """Return a replay of what the request really gives."""
    tokens: tuple[int, ...] = ()
    output, finish = OutputText(request.stop_strings), "length"
    while len(tokens) < request.sampler.max_tokens:
        row = rows_of(request.context + tokens, 1)
        draw = Draw(request.sampler, request.seed, len(tokens), tokens)
        (token,) = choose_tokens(row, [draw])
        if token in request.stop_tokens:
            finish = "end"
            break
        tokens = (*tokens, token)
        if output.append(FakeModel().piece(token)):
            finish = "stop"
            break
    text = bytes(request.context[request.prefix_tokens :]).decode()
    return ReplayRequest(
        request=request,
        tokens=tokens,
        finish=finish,
        text=output.final(),
        texts=((text, tuple(text.encode())),),
    )


def seed_with(finish: str, request: GenerationRequest) -> GenerationRequest:
    """Return the request under the first seed that makes a reply of some length end so."""
    for number in range(256):
        tried = replace(request, seed=bytes([number]) * 32)
        claim = claim_of(tried)
        if claim.finish == finish and len(claim.tokens) > 2:
            return tried
    raise AssertionError(f"no seed ends by {finish}")


def replay(
    claim: ReplayRequest, *, chunk: int = 512, model: FakeModel | None = None
) -> ReplayOutcome:
    """Do a replay's work on the fake, `chunk` tokens a decode."""
    model = model or FakeModel()
    work = ReplayWork(1, claim, info=model.info())
    if work.hopeless is not None:
        return work.hopeless
    for start in range(0, len(work.tokens), chunk):
        tokens = work.tokens[start : start + chunk]
        rows = max(0, start + len(tokens) - max(start, work.rows_from))
        logits = model.decode([Feed(0, start, tokens, rows)])
        if rows:
            work.rows(start + len(tokens) - rows, logits)
    return work.outcome(model.piece, model.tokenize)
