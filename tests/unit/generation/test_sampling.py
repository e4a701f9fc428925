"""Sampling against the specification, computed here a second time (formats.md sections 4 and 5)."""

import hashlib
import hmac
import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bot.generation import sampling
from bot.generation.sampling import SamplerPolicy, candidates, choose_token, gumbel_noise
from bot.ports.inference import Logits

SEED = bytes(range(32))
FLAT = SamplerPolicy(temperature=1.0, top_k=256, top_p=1.0, max_tokens=8)


def _logits(*values: float) -> Logits:
    return np.array(values, np.float32)


def _noise_of_the_text(seed: bytes, position: int, token: int) -> float:
    """`g(t, i)` from the words of formats.md section 4, with exact fractions up to the logarithm."""
    message = bytes.fromhex(f"{position:08x}{token:08x}")
    head = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8])
    uniform = (Fraction(head >> 11) + Fraction(1, 2)) / 2**53
    return -math.log(-math.log(float(uniform)))


def _choice_of_the_text(logits: Logits, policy: SamplerPolicy, seed: bytes, position: int) -> int:
    """Section 5 word by word, without numpy."""
    order = sorted(range(len(logits)), key=lambda i: (-float(logits[i]), i))[: policy.top_k]
    best = float(logits[order[0]])
    scaled = [(float(logits[i]) - best) / policy.temperature for i in order]
    weights = [math.exp(z) for z in scaled]
    total = math.fsum(weights)
    size = 1
    while size < len(order) and math.fsum(w / total for w in weights[:size]) < policy.top_p:
        size += 1
    scores = [z + _noise_of_the_text(seed, position, i) for i, z in zip(order, scaled, strict=True)]
    return min(range(size), key=lambda n: (-scores[n], order[n])) and order[
        min(range(size), key=lambda n: (-scores[n], order[n]))
    ] or order[min(range(size), key=lambda n: (-scores[n], order[n]))]


@pytest.mark.parametrize(
    ("position", "token", "expected"),
    [
        (0, 0, "GOLDEN0"),
    ],
)
def test_noise_has_the_golden_values(position: int, token: int, expected: str) -> None:
    assert gumbel_noise(SEED, position, token).hex() == expected
