"""How many tokens a verdict takes where bits may differ, and how often it errs.

The replies are those of `proofs_attacks`. Honest machines without the exact profile differ from it
as an f16 cache or another attention does, so those two kinds stand for honest replies here. Counts
are taken from one half of the replies and tried on the other, and the other way round. A verdict
over many tokens is one over many replies, drawn again and again from those that were not counted.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add

from bench.measuring import Figure, tell
from bench.proofs_attacks import make_replies
from bench.proofs_replies import FIRST, Reply
from bench.proofs_subjects import Extent, subjects
from bot.generation.calibration import encode_calibration, parse_calibration
from bot.generation.verdict import Calibration, Evidence, Other, Verdict, decide, weigh
from scripts.calibrate_verdicts import FALSE_ALARM, MARGINS, MISS, ROOMS, Seen, count

NOISE = ("f16 cache", "flash attention off")
OTHERS = ("another persona", "another seed", "Q4_0 weights", "temperature 1.0 for 0.8")
NEEDED = "another persona"
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
ONE_REPLY = 256
SURE = 0.95
DRAWS = 300
Tokens = list[Seen]
Shares = dict[int, tuple[float, float]]


def tolerant(extent: Extent) -> list[Figure]:
    """Return what share of replies is called inconsistent, by model, operator and tokens."""
    with subjects(extent) as found:
        return [
            tell(figure)
            for subject, many in found
            if not subject.ends
            for figure in figures_of(subject.name, subject.digest, make_replies(subject, many))
        ]


def figures_of(name: str, digest: bytes, replies: dict[str, list[Reply]]) -> list[Figure]:
    """Return a figure for each kind of replies; the honest kinds are one."""
    kinds = {kind: beginnings(made) for kind, made in replies.items() if "honest" not in kind}
    honest = [one for kind in NOISE for one in kinds.pop(kind)]
    figures = [
        _figure(f"{name}: honest, other arithmetic", both_ways(digest, honest, kinds, honest))
    ]
    for kind, made in kinds.items():
        shares = both_ways(digest, honest, kinds, made)
        figures.append(_figure(f"{name}: {kind}", shares, wrong=True))
    return figures


def _figure(name: str, shares: Shares, *, wrong: bool = False) -> Figure:
    """Return one figure: how many of such replies are called inconsistent at 256 tokens."""
    counted = " ".join(f"{n}:{100 * no:.1f}/{100 * yes:.1f}" for n, (yes, no) in shares.items())
    sure = [n for n, (yes, no) in shares.items() if (no if wrong else yes) >= SURE]
    needed = f"{sure[0]} tokens" if sure else f"more than {max(shares)} tokens"
    note = f"{'inconsistent' if wrong else 'consistent'} after {needed}; {counted}"
    value = 100 * shares[ONE_REPLY][1]
    return Figure(f"{name}, inconsistent at {ONE_REPLY} tokens", value, "%", note=note)


def beginnings(replies: Sequence[Reply]) -> list[Tokens]:
    """Return the first tokens of each reply: tampered ones are seldom made to their end."""
    return [list(reply.seen[:FIRST]) for reply in replies if len(reply.seen) >= FIRST]


def both_ways(
    digest: bytes, honest: list[Tokens], others: dict[str, list[Tokens]], tried: list[Tokens]
) -> Shares:
    """Count on one half and try on the other, twice; return the mean shares."""
    halves = [
        verdict_shares(
            calibrate(digest, honest[side::2], {name: others[name][side::2] for name in OTHERS}),
            tried[1 - side :: 2],
        )
        for side in (0, 1)
    ]
    first, second = halves
    return {
        n: ((first[n][0] + second[n][0]) / 2, (first[n][1] + second[n][1]) / 2) for n in LENGTHS
    }


def calibrate(digest: bytes, honest: list[Tokens], others: dict[str, list[Tokens]]) -> Calibration:
    """Return thresholds as they are shipped: written to their file and read again."""
    noise, empty = ", ".join(NOISE), ((0,) * (len(MARGINS) + 2),) * (len(ROOMS) + 1)
    plain = Calibration(digest, noise, FALSE_ALARM, MISS, ROOMS, MARGINS, empty, ())
    counted = replace(
        plain,
        honest=count(plain, honest),
        others=tuple(
            Other(name, name == NEEDED, count(plain, found)) for name, found in others.items()
        ),
    )
    return parse_calibration(encode_calibration(counted))


def verdict_shares(calibration: Calibration, replies: list[Tokens]) -> Shares:
    """Return for each number of tokens the shares of the verdicts consistent and inconsistent."""
    weights = [
        {n: weigh(reply[:n], calibration) for n in LENGTHS if n <= FIRST} for reply in replies
    ]
    chance = random.Random(1)  # noqa: S311 - repeatable
    shares = {}
    for n in LENGTHS:
        each, times = min(n, FIRST), max(1, n // FIRST)
        verdicts = [
            decide(_sum([chance.choice(weights)[each] for _ in range(times)]), calibration)
            for _ in range(DRAWS)
        ]
        said = (Verdict.CONSISTENT, Verdict.INCONSISTENT)
        yes, no = (verdicts.count(verdict) / DRAWS for verdict in said)
        shares[n] = (yes, no)
    return shares


def _sum(evidence: list[Evidence]) -> Evidence:
    return reduce(add, evidence)
