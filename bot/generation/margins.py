"""By how much a token missed being the sampler's choice (docs/spec/formats.md section 11.2).

Two machines without the exact profile give logits that differ a little. A token that an honest
machine drew is then the choice, or all but: a small shift of the logits makes it so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.generation.sampling import (
    Draw,
    Floats,
    Logits,
    SamplerPolicy,
    kept_count,
    noise_of,
    penalised,
    scaled_candidates,
)

FARTHEST = 1000.0  # JSON has no infinity
_LOWEST = -1e9  # in the place of minus infinity, which has no differences


@dataclass(frozen=True, slots=True)
class Judged:
    """A draw made again, and what was claimed of it; shifts are in units of the logits.

    Attributes:
        token: what the sampler gives.
        margin: least shift with which a claimed token is the choice; 0 if it is.
        room: least shift with which another token than `token` is the choice.
    """

    token: int
    margin: float
    room: float


def judge(logits: Logits, draw: Draw, claimed: Sequence[int]) -> Judged:
    """Draw a token and measure how near the claimed one came.

    Args:
        logits: shape (vocabulary,), binary32.
        draw: what decided the token.
        claimed: the claimed token; all stop tokens where the reply is said to have ended.

    Raises:
        ValueError: the logits hold a value that is not a number, or the largest is not finite.
    """
    policy = draw.policy
    ids, scaled = scaled_candidates(logits, policy, draw.history, count=policy.top_k + 1)
    tokens, listed = ids.tolist(), len(ids)
    best = _adjusted(logits, draw, tokens[0])
    tokens += sorted(set(claimed) - set(tokens))
    further = [
        (_adjusted(logits, draw, token) - best) / policy.temperature for token in tokens[listed:]
    ]
    noise = noise_of(draw.seed, draw.position)
    z = np.maximum(np.append(scaled, further), _LOWEST)
    scores = z + np.array([noise(token) for token in tokens])
    needs = _needs(z, scores, policy, listed=listed)
    kept = kept_count(scaled[: policy.top_k], policy)
    chosen = max(range(kept), key=lambda n: (scores[n], -tokens[n]))
    needs[chosen] = 0.0
    margin = min((needs[tokens.index(token)] for token in set(claimed)), default=math.inf)
    others = np.delete(needs[:listed], chosen)
    room = float(others.min()) if others.size else math.inf
    return Judged(
        token=tokens[chosen],
        margin=_logit_units(float(margin), policy),
        room=_logit_units(room, policy),
    )


def _adjusted(logits: Logits, draw: Draw, token: int) -> float:
    """Return a token's logit as the sampler sees it."""
    times = list(draw.history).count(token) if draw.policy.penalises else 0
    return penalised(float(logits[token]), draw.policy, times)


def _logit_units(shift: float, policy: SamplerPolicy) -> float:
    return round(min(shift * policy.temperature, FARTHEST), 6)


def _needs(z: Floats, scores: Floats, policy: SamplerPolicy, *, listed: int) -> Floats:
    """Return for each token the least shift of scaled logits that makes it the choice.

    It must be kept, and each kept token with a larger score must either fall below it or fall out.

    Args:
        z: scaled logits; the first `listed` are the best ones in order.
        scores: with noise.
        policy: the sampler.
        listed: top-k and one more, or the vocabulary.
    """
    edge = _Edge.of(z[:listed], policy)
    outside = np.array([edge.outside(n, value) for n, value in enumerate(z.tolist())])
    slack = np.array([edge.slack(n, value) for n, value in enumerate(z[: edge.kept].tolist())])
    ahead = scores[None, : edge.kept] - scores[:, None]
    beaten = np.where(ahead > 0, np.minimum(ahead, slack[None, :]), 0.0)
    needs: Floats = np.maximum(outside, beaten.max(axis=1))
    return needs


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where truncation cuts the ordered candidates.

    Attributes:
        z: scaled logits of the best ones, in order; one more than top-k if there is one.
        kept: how many are kept.
        before: probability mass before each of them, under what top-k kept.
    """

    z: list[float]
    kept: int
    before: list[float]
    policy: SamplerPolicy

    @classmethod
    def of(cls, z: Floats, policy: SamplerPolicy) -> "_Edge":
        inside = z[: policy.top_k]
        weights = np.exp(inside)
        before = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
        return cls(z.tolist(), kept_count(inside, policy), before.tolist(), policy)

    def outside(self, rank: int, z: float) -> float:
        """Return the least shift that brings a token in; 0 if it is in."""
        if rank < self.kept:
            return 0.0
        rules = []
        if rank >= self.policy.top_k:
            rules.append(self.z[self.policy.top_k - 1] - z)
        if self.policy.top_p < 1:
            rules.append(min(self.z[self.kept - 1] - z, max(0.0, self._mass(rank))))
        if self.policy.min_p > 0:
            rules.append(math.log(self.policy.min_p) - z)
        return max(0.0, *rules) if rules else 0.0

    def slack(self, rank: int, z: float) -> float:
        """Return the least shift that drops a kept token."""
        rules = [math.inf]
        if self.kept < len(self.z):
            rules.append(z - self.z[self.kept])
        if self.policy.top_p < 1 and rank > 0:
            rules.append(max(0.0, -self._mass(rank)))
        if self.policy.min_p > 0 and rank > 0:
            rules.append(z - math.log(self.policy.min_p))
        return max(0.0, min(rules))

    def _mass(self, rank: int) -> float:
        """Return by how much the better ones must sink together to let a token in."""
        mass = self.before[rank] if rank < len(self.before) else 1.0
        if not 0.0 < mass < 1.0:
            return math.inf if mass >= 1.0 else -math.inf
        return _log_odds(mass) - _log_odds(self.policy.top_p)


def _log_odds(mass: float) -> float:
    return math.log(mass) - math.log1p(-mass)
