"""Verdicts on real replies: honest ones made by other arithmetic, and four kinds that are not."""

import hashlib
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader

from bot.generation.calibration import parse_calibration
from bot.generation.sampling import SamplerPolicy
from bot.generation.verdict import Calibration, Verdict, decide, weigh
from bot.wiring.engine import STARTER
from scripts.calibrate_verdicts import LONGEST, Case, Reply, cases, seen
from scripts.verdict_runner import F16, PlainModel, Sample, quantise

pytestmark = pytest.mark.slow

REPLIES = 16
QUANTISED_BLOCK = 34  # a binary16 scale, then 32 numbers
KEPT_LEVELS = 21


@pytest.fixture(scope="module")
def model() -> PlainModel:
    return PlainModel(STARTER)


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    return parse_calibration(STARTER.with_suffix(".verdicts.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def asked(model: PlainModel) -> list[Case]:
    """Questions under seeds that were not counted."""
    policy = SamplerPolicy(0.8, 40, 0.95, LONGEST)
    found = list(cases(model, 1))[::10][:REPLIES]
    return [
        replace(
            case, sample=Sample(case.sample.context, policy, hashlib.sha256(b"%d" % n).digest())
        )
        for n, case in enumerate(found)
    ]


@pytest.fixture(scope="module")
def other_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter model with its weights rounded so coarsely that it is another model."""
    path = tmp_path_factory.mktemp("weights") / "other.gguf"
    path.write_bytes(STARTER.read_bytes())
    for tensor in GGUFReader(path, "r+").tensors:
        if tensor.tensor_type == GGMLQuantizationType.Q8_0:
            blocks = tensor.data.reshape(-1, QUANTISED_BLOCK)
            numbers = blocks[:, 2:].view(np.int8)
            numbers[:] = (np.round(numbers / KEPT_LEVELS) * KEPT_LEVELS).astype(np.int8)
    return path


def _replies(
    model: PlainModel, maker: PlainModel, samples: list[tuple[Sample, Sample]]
) -> list[Reply]:
    """Make replies, and replay them as what they are said to be."""
    made = [(said, maker.make(made_of, LONGEST)) for said, made_of in samples]
    return [seen(model, said, tokens) for said, tokens in made if tokens]


def _verdict(calibration: Calibration, replies: list[Reply]) -> Verdict:
    return decide(weigh(chain.from_iterable(replies), calibration), calibration)


def _differing(replies: list[Reply]) -> int:
    return sum(not token.same for token in chain.from_iterable(replies))


def test_same_arithmetic_gives_the_same_tokens(model: PlainModel, asked: list[Case]) -> None:
    replies = _replies(model, model, [(case.sample, case.sample) for case in asked])

    assert _differing(replies) == 0


def test_honest_replies_by_other_arithmetic_are_consistent(
    model: PlainModel, asked: list[Case], calibration: Calibration
) -> None:
    replies = _replies(
        model, PlainModel(STARTER, cache=F16), [(case.sample, case.sample) for case in asked]
    )

    verdicts = [_verdict(calibration, [reply]) for reply in replies]
    assert _verdict(calibration, replies) is Verdict.CONSISTENT
    assert Verdict.INCONSISTENT not in verdicts
    assert verdicts.count(Verdict.CONSISTENT) > len(verdicts) / 2
    assert all(token.margin < 0.5 for token in chain.from_iterable(replies))


def test_other_prompt_is_inconsistent(
    model: PlainModel, asked: list[Case], calibration: Calibration
) -> None:
    swapped = [(case.sample, replace(case.sample, context=case.elsewhere)) for case in asked]

    assert _verdict(calibration, _replies(model, model, swapped)) is Verdict.INCONSISTENT


def test_other_seed_is_inconsistent(
    model: PlainModel, asked: list[Case], calibration: Calibration
) -> None:
    swapped = [(case.sample, replace(case.sample, seed=bytes(32))) for case in asked]

    assert _verdict(calibration, _replies(model, model, swapped)) is Verdict.INCONSISTENT


def test_other_model_is_inconsistent(
    model: PlainModel, asked: list[Case], calibration: Calibration, other_weights: Path
) -> None:
    samples = [(case.sample, case.sample) for case in asked]
    replies = _replies(model, PlainModel(other_weights), samples)

    assert _differing(replies) > 0
    assert _verdict(calibration, replies) is Verdict.INCONSISTENT


def test_requantised_weights_weigh_against_an_honest_reply(
    model: PlainModel, asked: list[Case], calibration: Calibration, tmp_path: Path
) -> None:
    quantise(STARTER, tmp_path / "q4.gguf")
    lively = SamplerPolicy(1.5, 40, 1.0, LONGEST)  # cooler, most replies come out the same
    samples = [replace(case.sample, policy=lively) for case in asked]
    replies = _replies(
        model, PlainModel(tmp_path / "q4.gguf"), list(zip(samples, samples, strict=True))
    )

    assert _differing(replies) > 0
    evidence = weigh(chain.from_iterable(replies), calibration)
    named = {
        other.name: total for other, total in zip(calibration.others, evidence.sums, strict=True)
    }
    assert named["4-bit weights"] > 0
