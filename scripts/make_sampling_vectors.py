"""Write docs/spec/sampling.json: draws of `gumbel-max/1`, for whoever writes it a second time.

Run as `python -m scripts.make_sampling_vectors`; the same bytes every time. The tests compute every
draw once more, word by word as the specification has it.
"""

import json
import math
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from bot.crypto.encoding import encode_b64
from bot.domain.terms import SamplerTerms
from bot.generation.sampling import Draw, Logits, SamplerPolicy, candidates, choose_tokens

FILE = Path(__file__).resolve().parents[1] / "docs" / "spec" / "sampling.json"
PLAIN = SamplerTerms("0.8", 40, "0.95", 64)


@dataclass(frozen=True, slots=True)
class Case:
    """One draw."""

    name: str
    about: str
    sampler: SamplerTerms
    logits: Logits
    history: tuple[int, ...] = ()
    good: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the case with what comes of it."""
        seed = sha256(self.name.encode()).digest()
        terms = {name: getattr(self.sampler, name) for name in SamplerTerms.__slots__}
        kept, token = None, None
        if self.good:
            policy = policy_of(self.sampler)
            kept = [one for one, _ in candidates(self.logits, policy, self.history)]
            draw = Draw(policy, seed, len(self.history), self.history)
            (token,) = choose_tokens(self.logits[None, :], [draw])
        return {
            "name": self.name,
            "about": self.about,
            "sampler": terms,
            "seed": seed.hex(),
            "history": self.history,
            "logits": encode_b64(self.logits.astype("<f4").tobytes()),
            "kept": kept,
            "token": token,
        }


def policy_of(sampler: SamplerTerms) -> SamplerPolicy:
    """Return terms as the engine wants them."""
    return SamplerPolicy(
        temperature=float(sampler.temperature),
        top_k=sampler.top_k,
        top_p=float(sampler.top_p),
        max_tokens=sampler.max_tokens,
        min_p=float(sampler.min_p),
        presence_penalty=float(sampler.presence_penalty),
        frequency_penalty=float(sampler.frequency_penalty),
    )


def cases() -> list[Case]:
    """Return every case."""
    peaked, flat = _normal("peaked", 300, 3.0), np.zeros(300, np.float32)
    holes = peaked.copy()
    holes[::3] = -math.inf
    order = tuple(int(one) for one in np.argsort(-peaked)[:6])
    nan, infinite = peaked.copy(), peaked.copy()
    nan[7], infinite[7] = math.nan, math.inf
    return [
        Case("good", "temperature 0.8, top-k 40, top-p 0.95", PLAIN, peaked),
        Case("good-later", "the same logits at position 12", PLAIN, peaked, order * 2),
        Case("good-flat", "equal logits: the smaller ids are kept", _sampler(top_p="1"), flat),
        Case("good-nucleus", "half of four equal ones is two", _sampler(top_k=4, top_p="0.5"),
             flat),
        Case("good-top-k-1", "one candidate", _sampler(top_k=1), peaked),
        Case("good-min-p", "less than a twentieth of the best", _sampler(min_p="0.05"), peaked),
        Case("good-min-p-1", "as probable as the best", _sampler(min_p="1", top_p="1"), flat),
        Case("good-presence", "repeated or not, it costs the same",
             _sampler(presence_penalty="1.5"), peaked, (*order, order[0])),
        Case("good-frequency", "every time costs",
             _sampler(frequency_penalty="0.75"), peaked, (*order, order[0], order[0])),
        Case("good-both", "both penalties, all ids of a small vocabulary, some of them absent",
             _sampler(presence_penalty="0.1", frequency_penalty="0.2", min_p="0.01"),
             peaked[:5], (0, 1, 2, 3, 4, 1, 1)),
        Case("good-holes", "every third logit is minus infinity", _sampler(top_k=256), holes, (0,)),
        Case("good-large", "a vocabulary of 5,003", _sampler(top_k=256, top_p="0.999"),
             _normal("large", 5003, 2.0)),
        Case("bad-nan", "a logit is not a number", PLAIN, nan, good=False),
        Case("bad-infinite", "a logit is infinite", PLAIN, infinite, good=False),
        Case("bad-nothing", "all are minus infinity", PLAIN, flat - np.float32(math.inf),
             good=False),
        Case("bad-min-p", "more probable than the best", _sampler(min_p="1.1"), peaked, good=False),
        Case("bad-penalty", "a penalty above 2", _sampler(presence_penalty="2.1"), peaked,
             good=False),
    ]  # fmt: skip


def encode() -> str:
    """Return the file's text."""
    return json.dumps([case.to_json() for case in cases()], indent=1) + "\n"


def _sampler(**changes: Any) -> SamplerTerms:  # noqa: ANN401 - values of several types
    return replace(PLAIN, **changes)


def _normal(name: str, size: int, spread: float) -> Logits:
    """Return numbers that any version of numpy gives: sums of bytes of hashes, about normal."""
    rows = b"".join(sha256(f"{name} {n}".encode()).digest() for n in range(size))
    sums = np.frombuffer(rows, np.uint8).reshape(size, 32)[:, :12].astype(np.int64).sum(axis=1)
    values: Logits = ((sums - 1530) * spread / 256).astype(np.float32)
    return values


if __name__ == "__main__":
    FILE.write_text(encode(), encoding="utf-8")
    print(f"{len(cases())} draws in {FILE}")
