"""Sections 4 and 5 of formats.md word by word: slow, without numpy and bot's arithmetic."""

import hashlib
import hmac
import math
from collections.abc import Sequence
from fractions import Fraction

from bot.generation.sampling import SamplerPolicy


def literal_noise(seed: bytes, position: int, token: int) -> float:
    """Section 4, with exact fractions up to the logarithm."""
    message = bytes.fromhex(f"{position:08x}{token:08x}")
    head = int.from_bytes(hmac.new(seed, message, hashlib.sha256).digest()[:8])
    return -math.log(-math.log((Fraction(head >> 11) + Fraction(1, 2)) / 2**53))


def literal_kept(
    logits: Sequence[float], policy: SamplerPolicy, history: Sequence[int]
) -> list[tuple[int, float]]:
    """Section 5, steps 1 to 5: ids with their scaled logits."""
    values = list(logits)
    for token in set(history):
        times = sum(one == token for one in history)
        values[token] = logits[token] - (policy.presence_penalty + policy.frequency_penalty * times)
    order = sorted(range(len(values)), key=lambda i: (-values[i], i))[: policy.top_k]
    scaled = [(values[i] - values[order[0]]) / policy.temperature for i in order]
    total = math.fsum(math.exp(z) for z in scaled)
    size = 1
    while size < len(order) and (
        policy.top_p == 1 or math.fsum(math.exp(z) / total for z in scaled[:size]) < policy.top_p
    ):
        size += 1
    least = 1
    while least < size and math.exp(scaled[least]) >= policy.min_p:
        least += 1
    return list(zip(order, scaled, strict=True))[:least]


def literal_choice(
    logits: Sequence[float], policy: SamplerPolicy, seed: bytes, history: Sequence[int]
) -> int:
    """Section 5, step 6; the position is the history's length."""
    scores = {
        token: z + literal_noise(seed, len(history), token)
        for token, z in literal_kept(logits, policy, history)
    }
    return min(scores, key=lambda token: (-scores[token], token))
