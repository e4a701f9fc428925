"""Which token comes next: `gumbel-max/1` (docs/spec/formats.md sections 4 and 5).

Gumbel-max sampling: adding standard Gumbel noise to log-probabilities and taking the maximum draws
from the softmax (Gumbel 1954; Maddison, Tarlow and Minka 2014). The noise is a keyed function of
(seed, position, token id), so the draw can be repeated by anybody who holds the seed.

Of numpy only operations decide that are exact or correctly rounded everywhere; where its `exp` is
so near a limit that the last bits matter, and for the noise, `exp` and `log` are the C library's,
one value at a time. A row gives the same token alone and in any batch.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

MAX_TOP_K = 256
MAX_PENALTY = 2.0
Logits = NDArray[np.float32]
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]
_NOT_NUMBERS = "the logits are not numbers, or the largest is not finite"
_BLOCK = 32
_UNSURE = 1e-12  # of a probability: beyond what sums of 256 terms can be wrong by
_SHA256_BLOCK = 64
CLEAR = 2**30
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))


@dataclass(frozen=True, slots=True)
class SamplerPolicy:
    """A manifest's sampler.

    Attributes:
        temperature: greater than 0.
        top_k: size of the candidate set, 1 to `MAX_TOP_K`.
        top_p: probability mass that is kept, in (0, 1].
        max_tokens: longest output.
        min_p: candidates less probable than this share of the best one are dropped, in [0, 1].
        presence_penalty: taken from the logits of tokens that the output holds, in [0, 2].
        frequency_penalty: likewise, once for each time that it holds them, in [0, 2].

    Raises:
        ValueError: a value is out of its range.
    """

    temperature: float
    top_k: int
    top_p: float
    max_tokens: int
    min_p: float = 0.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError("temperature must be greater than 0")
        if not 1 <= self.top_k <= MAX_TOP_K:
            raise ValueError(f"top_k must be between 1 and {MAX_TOP_K}")
        if not 0 < self.top_p <= 1:
            raise ValueError("top_p must be greater than 0 and at most 1")
        if self.max_tokens < 1:
            raise ValueError("max_tokens must be at least 1")
        if not 0 <= self.min_p <= 1:
            raise ValueError("min_p must be between 0 and 1")
        if not 0 <= self.presence_penalty <= MAX_PENALTY:
            raise ValueError(f"presence_penalty must be between 0 and {MAX_PENALTY}")
        if not 0 <= self.frequency_penalty <= MAX_PENALTY:
            raise ValueError(f"frequency_penalty must be between 0 and {MAX_PENALTY}")

    @property
    def penalises(self) -> bool:
        """Whether a draw depends on the output so far."""
        return self.presence_penalty > 0 or self.frequency_penalty > 0


@dataclass(frozen=True, slots=True)
class Draw:
    """What decides a token beside the logits.

    Attributes:
        policy: the manifest's sampler.
        seed: 32 bytes.
        position: 0 for the first generated token.
        history: this reply's output so far; read only where the policy penalises.
    """

    policy: SamplerPolicy
    seed: bytes
    position: int
    history: Sequence[int] = ()


def choose_tokens(logits: Logits, draws: Sequence[Draw]) -> list[int]:
    """Return the token ids that `gumbel-max/1` draws, one a row.

    Args:
        logits: shape (rows, vocabulary), binary32.
        draws: one for each row.

    Raises:
        ValueError: a row holds a value that is not a number, or its largest is not finite.
    """
    return [_choose(row, draw) for row, draw in zip(logits, draws, strict=True)]


def _choose(logits: Logits, draw: Draw) -> int:
    kept = candidates(logits, draw.policy, draw.history)
    if len(kept) == 1:
        return kept[0][0]
    # Best first: whoever draws clearly less than one before it has lost already, and its logarithms
    # need not be taken. "Clearly" is far more than any rounding of theirs.
    number_of = numbers_of(draw.seed, draw.position)
    bar, best = -CLEAR, (-math.inf, 0)
    for token, z in kept:
        number = number_of(token)
        if number > bar:
            best = max(best, (z + gumbel_of(number), -token))
            bar = max(bar, number - CLEAR)
    return -best[1]


def candidates(
    logits: Logits, policy: SamplerPolicy, history: Sequence[int] = ()
) -> list[tuple[int, float]]:
    """Return the kept (token id, scaled logit) pairs, best first.

    Args:
        logits: shape (vocabulary,), binary32.
        policy: penalties, top-k, temperature, then top-p and min-p over what top-k kept.
        history: this reply's output so far.

    Raises:
        ValueError: the logits hold a value that is not a number, or the largest is not finite.
    """
    ids, scaled = scaled_candidates(logits, policy, history, count=policy.top_k)
    kept = kept_count(scaled, policy)
    return list(zip(ids[:kept].tolist(), scaled[:kept].tolist(), strict=True))


def scaled_candidates(
    logits: Logits, policy: SamplerPolicy, history: Sequence[int], *, count: int
) -> tuple[Ids, Floats]:
    """Return ids and scaled logits of the `count` best tokens, as penalised, best first.

    Raises:
        ValueError: the logits hold a value that is not a number, or the largest is not finite.
    """
    if policy.penalises and history:
        ids, values = _best_penalised(logits, policy, Counter(history), count)
    else:
        ids, values = _best(logits, count)
    if not math.isfinite(values[0]):
        raise ValueError(_NOT_NUMBERS)
    return ids, (values - values[0]) / policy.temperature


def _best(logits: Logits, count: int) -> tuple[Ids, Floats]:
    """Return ids and values of the `count` largest logits, best first; of equals the smaller id.

    At least `count` logits are as large as the `count`-th largest maximum of disjoint blocks, so
    no smaller one is among the best. Blocks are columns of the row laid out in 32 lines: that is
    what numpy reduces fastest.
    """
    blocks = logits.shape[0] // _BLOCK
    body, rest = logits[: blocks * _BLOCK], logits[blocks * _BLOCK :]
    if blocks > max(count, _BLOCK):  # so the rest is no longer than a line
        maxima = body.reshape(_BLOCK, blocks).max(axis=0)
        np.maximum(maxima[: rest.shape[0]], rest, out=maxima[: rest.shape[0]])
    else:
        maxima = logits
    if not maxima.max() < math.inf:  # also where anything is not a number
        raise ValueError(_NOT_NUMBERS)
    count = min(count, logits.shape[0])
    maxima = np.partition(maxima, -count)
    ids = np.flatnonzero(logits >= maxima[-count])
    values = logits[ids]
    order = np.argsort(-values, kind="stable")[:count]
    return ids[order], values[order].astype(np.float64)


def _best_penalised(
    logits: Logits, policy: SamplerPolicy, counts: Counter[int], count: int
) -> tuple[Ids, Floats]:
    """Return the best of the other tokens and of the penalised ones, each at its own value."""
    ids = np.fromiter(counts.keys(), np.int64, len(counts))
    times = np.fromiter(counts.values(), np.float64, len(counts))
    values = logits[ids].astype(np.float64)
    values -= policy.presence_penalty + policy.frequency_penalty * times
    if not values.max() < math.inf:
        raise ValueError(_NOT_NUMBERS)
    others = logits.copy()
    others[ids] = -math.inf
    best, best_values = _best(others, count)
    # Where fewer others than `count` are finite, masked ones are among them: each id once.
    free = best_values > -math.inf
    if not free.all():
        free |= ~np.isin(best, ids)
    ids = np.concatenate([best[free], ids])
    values = np.concatenate([best_values[free], values])
    order = np.lexsort((ids, -values))[:count]
    return ids[order], values[order]


def penalised(logit: float, policy: SamplerPolicy, times: int) -> float:
    """Return the logit of a token that the output holds `times` times."""
    if times == 0:
        return logit
    return logit - (policy.presence_penalty + policy.frequency_penalty * times)


def kept_count(scaled: Floats, policy: SamplerPolicy) -> int:
    """Return how many of the best scaled logits top-p and min-p keep, at least one.

    Sums that are not exact decide where they are far enough from the limits to be sure of what
    exact ones say.
    """
    size = len(scaled)
    if policy.top_p == 1 and policy.min_p == 0:
        return size
    weights = np.exp(scaled)
    limits: list[float] = []
    if policy.top_p < 1:
        shares = weights.cumsum()
        shares /= shares[-1]
        size = int(shares.searchsorted(policy.top_p)) + 1
        limits += (shares[max(0, size - 2) : size] - policy.top_p).tolist()
    if policy.min_p > 0:
        enough = int(np.count_nonzero(weights >= policy.min_p))
        limits += (weights[max(1, enough - 1) : enough + 1] - policy.min_p).tolist()
        size = min(size, max(1, enough))
    if any(abs(limit) <= _UNSURE for limit in limits):
        return _kept_exactly(scaled.tolist(), policy)
    return size


def _kept_exactly(scaled: list[float], policy: SamplerPolicy) -> int:
    """Count what is kept as the specification says, sum by sum."""
    weights = [math.exp(z) for z in scaled]
    total = math.fsum(weights)
    shares = [weight / total for weight in weights]
    sizes = range(1, len(weights))
    size = len(weights)
    if policy.top_p < 1:
        size = next((n for n in sizes if math.fsum(shares[:n]) >= policy.top_p), size)
    return next((n for n in range(1, size) if weights[n] < policy.min_p), size)


def noise_of(seed: bytes, position: int) -> Callable[[int], float]:
    """Return the Gumbel noise of one output position, by token id."""
    number_of = numbers_of(seed, position)
    return lambda token: gumbel_of(number_of(token))


def numbers_of(seed: bytes, position: int) -> Callable[[int], int]:
    """Return the draws below 2^53 of one output position, by token id.

    HMAC-SHA-256 as RFC 2104 writes it, with the two keyed states made once for all ids: that is
    half the time of `hmac.digest` a token.
    """
    key = seed.ljust(_SHA256_BLOCK, b"\0")
    keyed, outer = sha256(key.translate(_INNER)), sha256(key.translate(_OUTER))
    keyed.update(position.to_bytes(4, "big"))

    def number(token: int) -> int:
        inner, last = keyed.copy(), outer.copy()
        inner.update(token.to_bytes(4, "big"))
        last.update(inner.digest())
        return int.from_bytes(last.digest()[:8], "big") >> 11

    return number


def gumbel_of(draw: int) -> float:
    """Return the standard Gumbel variate of a draw from the integers below 2^53."""
    uniform = (draw + 0.5) * 2.0**-53
    if uniform == 1.0:  # the largest draw alone rounds to it; binary64 says -ln(-ln 1) = infinity
        return math.inf
    return -math.log(-math.log(uniform))
