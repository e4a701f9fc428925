"""Which token comes next: `gumbel-max/1` (docs/spec/formats.md sections 4 and 5).

Gumbel-max sampling: adding standard Gumbel noise to log-probabilities and taking the maximum draws
from the softmax (Gumbel 1954; Maddison, Tarlow and Minka 2014). The noise is a keyed function of
(seed, position, token id), so the draw can be repeated by anybody who holds the seed.
"""

import hmac
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_TOP_K = 256


@dataclass(frozen=True, slots=True)
class SamplerPolicy:
    """A manifest's sampler.

    Attributes:
        temperature: greater than 0.
        top_k: size of the candidate set, 1 to `MAX_TOP_K`.
        top_p: probability mass that is kept, in (0, 1].
        max_tokens: longest output.

    Raises:
        ValueError: a value is out of its range.
    """

    temperature: float
    top_k: int
    top_p: float
    max_tokens: int

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError("temperature must be greater than 0")
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise ValueError(f"top_k must be between 1 and {MAX_TOP_K}")
        if not 0 < self.top_p <= 1:
            raise ValueError("top_p must be greater than 0 and at most 1")
        if self.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")


def gumbel_noise(seed: bytes, position: int, token: int) -> float:
    """Return the Gumbel noise of one token id at one output position."""
    message = position.to_bytes(4, "big") + token.to_bytes(4, "big")
    digest = hmac.digest(seed, message, "sha256")
    return gumbel_of(int.from_bytes(digest[:8], "big") >> 11)


def gumbel_of(draw: int) -> float:
    """Return the standard Gumbel variate of a draw from the integers below 2^53."""
    uniform = (draw + 0.5) * 2.0**-53
    if uniform == 1.0:  # the largest draw alone rounds to it; binary64 says -ln(-ln 1) = infinity
        return math.inf
    return -math.log(-math.log(uniform))


def candidates(logits: NDArray[np.float32], policy: SamplerPolicy) -> list[tuple[int, float]]:
    """Return the kept (token id, scaled logit) pairs, best first.

    Args:
        logits: shape (vocabulary,), binary32.
        policy: top-k first, then top-p over the softmax of what top-k kept.

    Raises:
        ValueError: the logits hold a value that is not a number.
    """
    if np.isnan(logits).any():
        raise ValueError("the logits are not numbers")
    count = min(policy.top_k, logits.shape[0])
    threshold = np.partition(logits, -count)[-count]
    ids = np.flatnonzero(logits >= threshold)
    order = np.lexsort((ids, -logits[ids]))[:count]
    best = [(int(ids[i]), float(logits[ids[i]])) for i in order]
    top = best[0][1]
    scaled = [(token, (logit - top) / policy.temperature) for token, logit in best]
    return scaled[: _nucleus(scaled, policy.top_p)]


def _nucleus(scaled: list[tuple[int, float]], top_p: float) -> int:
    """Count the shortest prefix whose probability mass reaches `top_p`."""
    weights = [math.exp(z) for _, z in scaled]
    total = math.fsum(weights)
    probabilities = [weight / total for weight in weights]
    for size in range(1, len(scaled)):
        if math.fsum(probabilities[:size]) >= top_p:
            return size
    return len(scaled)


def choose_token(
    logits: NDArray[np.float32], policy: SamplerPolicy, *, seed: bytes, position: int
) -> int:
    """Return the token id that `gumbel-max/1` draws.

    Args:
        logits: shape (vocabulary,), binary32.
        policy: the manifest's sampler.
        seed: 32 bytes.
        position: 0 for the first generated token.
    """
    scored = [
        (z + gumbel_noise(seed, position, token), -token) for token, z in candidates(logits, policy)
    ]
    return -max(scored)[1]
