"""Attacks on model, weights, temperature, sampler, seed and cache, against exact replay."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.measuring import Figure, tell
from bench.proofs_models import F16, Q8_0, Cache, Schedule
from bench.proofs_replies import CANDIDATES, Operator, Reply, Subject
from bench.proofs_subjects import LENGTH, Extent, subjects
from bot.ports.inference import GenerationRequest
from scripts.progress_bar import ProgressBar, say

LENGTHS = (8, 16, 32, 64, 128, 256)
Promised = dict[int, tuple[int, ...]]


def _policy(**changes: float) -> Callable[[GenerationRequest, int], GenerationRequest]:
    def change(request: GenerationRequest, _number: int) -> GenerationRequest:
        return replace(request, sampler=replace(request.sampler, **changes))  # type: ignore[arg-type]

    return change


def _other_seed(request: GenerationRequest, _number: int) -> GenerationRequest:
    return replace(request, seed=request.seed[::-1])


def _other_token(request: GenerationRequest, number: int) -> GenerationRequest:
    """Change one token of the persona, ever another one."""
    at = 1 + number * 7 % (request.prefix_tokens - 2)
    context = request.context
    other = context[at] - 1 if context[at] > context[at - 1] else context[at] + 1
    return replace(request, context=(*context[:at], other, *context[at + 1 :]))


def _other_prompt(request: GenerationRequest, _number: int) -> GenerationRequest:
    """Put the persona's tokens in the reverse order: as many and the same ones, but another one."""
    prefix = request.context[: request.prefix_tokens]
    return replace(request, context=prefix[::-1] + request.context[request.prefix_tokens :])


HONEST = Operator("honest, batches of 8", honest=True)
OPERATORS = (
    HONEST,
    Operator("Q4_0 weights", weights="q4_0"),
    Operator("Q4_K_M weights", weights="q4_k_m"),
    Operator("f16 weights", weights="f16"),
    Operator("another model: an eighth of the layers left out", weights="shorter"),
    Operator("1 % noise on all weights", weights="noise"),
    Operator("LoRA of rank 8, 1 % of queries and values", weights="lora"),
    Operator("temperature 1.0 for 0.8", change=_policy(temperature=1.0)),
    Operator("temperature 0.9 for 0.8", change=_policy(temperature=0.9)),
    Operator("top-k 20 for 40", change=_policy(top_k=20)),
    Operator("top-p 0.9 for 0.95", change=_policy(top_p=0.9)),
    Operator("another seed", change=_other_seed),
    Operator("best of 8 seeds", best=CANDIDATES),
    Operator("f16 cache", cache=Cache(F16, F16, flash=True)),
    Operator("flash attention off", cache=Cache(Q8_0, F16, flash=False)),
    Operator("one token of the persona", change=_other_token),
    Operator("another persona", change=_other_prompt),
    Operator("honest, batches of 3, chunks of 17", honest=True, schedule=Schedule(3, 17)),
    Operator("honest, two threads", honest=True, schedule=Schedule(8, 40, threads=2)),
)


def make_replies(subject: Subject, count: int) -> dict[str, list[Reply]]:
    """Return all operators' replies; made round by round, so that an ended run has some of each."""
    say(f"replies and replays, {subject.name}")
    bar = ProgressBar("operators")
    many = subject.together
    rounds = [range(n, min(count, n + many)) for n in range(0, count, many)]
    for done, numbers in enumerate(rounds):
        for at, operator in enumerate(OPERATORS, start=1):
            subject.replies(operator, numbers)
            bar.show(done * len(OPERATORS) + at, len(rounds) * len(OPERATORS))
    bar.end()
    return {one.name: subject.replies(one, range(count)) for one in OPERATORS}


def attacks(extent: Extent) -> list[Figure]:
    """Return what share of replies exact replay detects, by model, operator and length."""
    with subjects(extent) as found:
        return [
            tell(figure)
            for subject, count in found
            for figure in figures_of(subject, make_replies(subject, count))
        ]


def figures_of(subject: Subject, replies: dict[str, list[Reply]]) -> list[Figure]:
    """Return a figure for each operator."""
    promised = {reply.number: reply.tokens for reply in replies[HONEST.name]}
    aimed = subject.length == LENGTH and subject.name.startswith("0.4B")
    figures = []
    for operator in OPERATORS:
        made, label = replies[operator.name], f"{subject.name}: {operator.name}"
        if operator.honest:
            figures.append(_accepted(label, made, promised))
        else:
            target = 100.0 if aimed else None
            figures.append(_detected(label, made, promised, target, subject.length))
    return figures


def _accepted(label: str, made: list[Reply], promised: Promised) -> Figure:
    accepted = sum(one.exact and one.tokens == promised[one.number] for one in made)
    tokens = sum(len(one.tokens) for one in made)
    note = f"{accepted} of {len(made)} replies, {tokens} tokens"
    rate = 100 * accepted / len(made)
    return Figure(f"{label}, accepted", rate, "%", 100, most=False, note=note)


def _detected(
    label: str, made: list[Reply], promised: Promised, target: float | None, length: int
) -> Figure:
    """Return how many were detected; what comes out as the honest reply does is none to detect."""
    same = sum(one.tokens == promised[one.number] for one in made)
    missed = sum(one.exact and one.tokens != promised[one.number] for one in made)
    rate = 100 * sum(not one.exact for one in made) / len(made)
    note = f"{by_length(made, length)}; {len(made)} replies, {same} the honest one, {missed} missed"
    return Figure(f"{label}, detected", rate, "%", target, most=False, note=note)


def detected_within(replies: Sequence[Reply], length: int) -> float:
    """Return the share of replies whose first `length` tokens hold one that differs."""
    firsts = [reply.first for reply in replies]
    return sum(first is not None and first < length for first in firsts) / len(firsts)


def by_length(replies: Sequence[Reply], length: int) -> str:
    """Return the shares in percent as text, by how many tokens are replayed."""
    shares = [f"{n}:{100 * detected_within(replies, n):.0f}" for n in LENGTHS if n <= length]
    return " ".join(shares)
