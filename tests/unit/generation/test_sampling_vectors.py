"""docs/spec/sampling.json: what the generator makes, and what the specification says."""

import base64
import json
from dataclasses import fields

import numpy as np
import pytest

from bot.crypto.errors import FormatError
from bot.domain.manifest import parse_manifest
from bot.domain.terms import SamplerTerms
from bot.generation.sampling import Draw, candidates, choose_tokens
from scripts.make_sampling_vectors import FILE, encode, policy_of
from tests.unit.domain.test_manifest import _with
from tests.unit.generation.literal_sampling import literal_choice, literal_kept

CASES = {case["name"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))}
GOOD = [name for name in CASES if name.startswith("good")]
BAD_LOGITS = ["bad-nan", "bad-infinite", "bad-nothing"]
BAD_SAMPLERS = ["bad-min-p", "bad-penalty"]


def _terms(name: str) -> SamplerTerms:
    return SamplerTerms(**CASES[name]["sampler"])


def _logits(name: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.frombuffer(base64.b64decode(CASES[name]["logits"]), "<f4").astype(np.float32)


def test_file_is_what_its_script_writes() -> None:
    assert FILE.read_text(encoding="utf-8") == encode()
    assert set(CASES) == {*GOOD, *BAD_LOGITS, *BAD_SAMPLERS}


@pytest.mark.parametrize("name", GOOD)
def test_specification_word_by_word_gives_the_good_ones(name: str) -> None:
    case, policy = CASES[name], policy_of(_terms(name))
    logits, seed = _logits(name).tolist(), bytes.fromhex(case["seed"])

    kept = [token for token, _ in literal_kept(logits, policy, case["history"])]

    assert kept == case["kept"]
    assert literal_choice(logits, policy, seed, case["history"]) == case["token"]


@pytest.mark.parametrize("name", BAD_LOGITS)
def test_bad_logits_give_no_token(name: str) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        choose_tokens(_logits(name)[None, :], [Draw(policy_of(_terms(name)), bytes(32), 0)])
    with pytest.raises(ValueError, match="not numbers"):
        candidates(_logits(name), policy_of(_terms(name)))


@pytest.mark.parametrize("name", BAD_SAMPLERS)
def test_bad_samplers_are_in_no_manifest(name: str) -> None:
    terms = _terms(name)
    changed = [
        f.name for f in fields(terms) if getattr(terms, f.name) != f.default and f.default == "0"
    ]

    with pytest.raises(ValueError, match="must be"):
        policy_of(terms)
    for setting in changed:
        with pytest.raises(FormatError, match=setting):
            parse_manifest(_with(f"sampler.{setting}", getattr(terms, setting)))
