"""Count how honest and other replies of a model replay, and write its verdict thresholds.

    python -m scripts.calibrate_verdicts MODEL.gguf

writes MODEL.verdicts.json beside it (formats.md section 11.2). Honest differences are made with the
cache kept as f16 instead of q8_0: one build shows with it what two builds show without it (one
hundredth of the logits' spread). A reply that came out the very same, token for token, though
something else made it, is no other reply: nobody could tell, and it is left out. Half of the
replies is counted, the other half measures how often the test errs. Takes some minutes with the
starter model.
"""

import argparse
import hashlib
import itertools
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.files.personas import load_personas
from bot.generation.calibration import encode_calibration
from bot.generation.chat_template import compile_template
from bot.generation.sampling import SamplerPolicy
from bot.generation.verdict import (
    Calibration,
    Counts,
    Measured,
    Other,
    Verdict,
    decide,
    weigh,
)
from scripts.verdict_runner import F16, PlainModel, Sample, quantise

ROOT = Path(__file__).resolve().parents[1]
ROOMS = (0.03, 0.1, 0.3, 1.0, 3.0)
MARGINS = (0.03, 0.1, 0.3, 1.0)
FALSE_ALARM, MISS = 0.001, 0.02
TEMPERATURES = (0.1, 0.2, 0.8, 1.2)
WARMER = 1.25
LONGEST = 64
TOGETHER = 8
TOLD_EVERY = 56
HONEST, FOUR_BIT = "an honest reply", "4-bit weights"
NOISE = "cache kept as f16 instead of q8_0, same build"
NEEDED = ("another prompt",)
QUESTIONS = (
    *("hi, who are you?", "where do you live?", "what are you working on?", "any tips?"),
    *("tell me about your family", "what do you do all day?", "what makes you happy?"),
    *("can you help me choose something?", "what did you do yesterday?", "say something funny"),
    *("what do you like most?", "do you have a pet?", "how did you learn that?", "good night!"),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """A replayed token, as `verdict.weigh` reads it."""

    same: bool
    margin: float
    room: float


Reply = list[Seen]


def main() -> int:
    """Count, measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=4, help="seeds for each question")
    parser.add_argument("--out", type=Path, help="default: beside the model")
    options = parser.parse_args()
    out = options.out or options.model.with_suffix(".verdicts.json")
    with tempfile.TemporaryDirectory() as folder:
        replies = collect(options.model, Path(folder), rounds=options.rounds)
    digest = hashlib.sha256(options.model.read_bytes()).digest()
    calibration = calibrate(digest, replies)
    out.write_text(encode_calibration(calibration), encoding="utf-8")
    for one in calibration.measured:
        print(one)
    return 0


@dataclass(frozen=True, slots=True)
class Case:
    """A reply to be made, and the context that the same question has with another persona."""

    sample: Sample
    elsewhere: tuple[int, ...]


KINDS: dict[str, Callable[[Case], Sample]] = {
    HONEST: lambda case: case.sample,
    "another prompt": lambda case: replace(case.sample, context=case.elsewhere),
    "another seed": lambda case: replace(case.sample, seed=case.sample.seed[::-1]),
    FOUR_BIT: lambda case: case.sample,
    "another temperature": lambda case: replace(case.sample, policy=_warmer(case.sample.policy)),
}


def collect(path: Path, folder: Path, *, rounds: int) -> dict[str, list[Reply]]:
    """Make replies of every kind and replay them with the model as it is."""
    quantise(path, folder / "q4.gguf")
    model = PlainModel(path)
    makers = {HONEST: PlainModel(path, cache=F16), FOUR_BIT: PlainModel(folder / "q4.gguf")}
    replies: dict[str, list[Reply]] = {kind: [] for kind in KINDS}
    for number, case in enumerate(cases(model, rounds), start=1):
        own = model.make(case.sample, LONGEST)
        for kind, change in KINDS.items():
            made = makers.get(kind, model).make(change(case), LONGEST)
            if made and (kind == HONEST or made != own):
                replies[kind].append(seen(model, case.sample, made))
        if number % TOLD_EVERY == 0:
            print(f"{number} cases", file=sys.stderr, flush=True)
    return replies


def cases(model: PlainModel, rounds: int) -> Iterator[Case]:
    """Yield every question to every sample persona at every temperature, with ever new seeds."""
    personas = [file.persona.text() for file in load_personas(ROOT / "personas")]
    grid = itertools.product(range(rounds), TEMPERATURES, QUESTIONS, range(len(personas)))
    for number, (_, temperature, question, who) in enumerate(grid):
        other = personas[(who + 1) % len(personas)]
        policy = SamplerPolicy(temperature, top_k=40, top_p=0.95, max_tokens=LONGEST)
        seed = hashlib.sha256(b"verdicts %d" % number).digest()
        sample = Sample(context_of(model, personas[who], question), policy, seed)
        yield Case(sample, context_of(model, other, question))


def context_of(model: PlainModel, persona: str, message: str) -> tuple[int, ...]:
    """Render a first turn as the service does."""
    parts = compile_template(model.template, begin_text=model.begin_text, end_text=model.end_text)
    return (
        *model.tokenize(parts.before_persona, special=True),
        *model.tokenize(parts.span_prefix + persona, special=False),
        *model.tokenize(parts.persona_to_fan, special=True),
        *model.tokenize(parts.span_prefix + message, special=False),
        *model.tokenize(parts.fan_to_twin, special=True),
    )


def seen(model: PlainModel, sample: Sample, made: tuple[int, ...]) -> Reply:
    """Replay a reply as it was promised to be made."""
    judged = model.judge(sample, made)
    return [
        Seen(one.token == token, one.margin, one.room)
        for one, token in zip(judged, made, strict=True)
    ]


def calibrate(digest: bytes, replies: dict[str, list[Reply]]) -> Calibration:
    """Count one half of the replies, and measure on the other."""
    empty: Counts = tuple((0,) * (len(MARGINS) + 2) for _ in range(len(ROOMS) + 1))
    plain = Calibration(digest, NOISE, FALSE_ALARM, MISS, ROOMS, MARGINS, empty, ())
    counted = {kind: count(plain, found[::2]) for kind, found in replies.items()}
    others = tuple(
        Other(kind, kind in NEEDED, counts) for kind, counts in counted.items() if kind != HONEST
    )
    calibration = replace(plain, honest=counted[HONEST], others=others)
    measured = [
        measure(calibration, kind, found[1::2], together)
        for kind, found in replies.items()
        for together in (1, TOGETHER)
    ]
    return replace(calibration, measured=tuple(measured))


def count(calibration: Calibration, replies: Iterable[Reply]) -> Counts:
    """Count tokens by class of room and of margin."""
    table = [[0] * (len(MARGINS) + 2) for _ in range(len(ROOMS) + 1)]
    for token in itertools.chain.from_iterable(replies):
        row, column = calibration.cell_of(token)
        table[row][column] += 1
    return tuple(tuple(row) for row in table)


def measure(calibration: Calibration, kind: str, replies: list[Reply], together: int) -> Measured:
    """Decide over groups of replies."""
    groups = [replies[n : n + together] for n in range(0, len(replies), together)]
    verdicts = [
        decide(weigh(itertools.chain.from_iterable(group), calibration), calibration)
        for group in groups
    ]
    return Measured(
        what=kind if together == 1 else f"{kind}, {together} replies together",
        replies=len(verdicts),
        consistent=verdicts.count(Verdict.CONSISTENT),
        undecided=verdicts.count(Verdict.UNDECIDED),
        inconsistent=verdicts.count(Verdict.INCONSISTENT),
    )


def _warmer(policy: SamplerPolicy) -> SamplerPolicy:
    return replace(policy, temperature=policy.temperature * WARMER)


if __name__ == "__main__":
    sys.exit(main())
