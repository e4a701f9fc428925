"""The corpus: good bundles and falsified ones, in an order that a seed fixes."""

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.corpus import mutations_logged as logged  # noqa: F401 - each adds its mutations
from tests.corpus import mutations_opened as opened_  # noqa: F401
from tests.corpus import mutations_paid as paid  # noqa: F401
from tests.corpus import mutations_signed as signed  # noqa: F401
from tests.corpus import mutations_spelled as spelled  # noqa: F401
from tests.corpus.maker import Case, make
from tests.corpus.mutations import MUTATIONS, Mutation
from tests.corpus.plans import Plan, draw

SEED = "twinproof corpus/2"


@dataclass(frozen=True, slots=True)
class Expected:
    """One case, what it is, and what every verifier must say.

    Attributes:
        step: the first step that must fail; None of a good bundle.
        levels: of a good bundle.
    """

    name: str
    case: Case
    step: int | None
    levels: tuple[str, ...] = ()
    trust: str = ""
    opened: bool = False

    def line(self) -> bytes:
        """Return the case as verifiers read it: a line of JSON.

        Bytes that are no UTF-8 travel as half pairs of surrogates, which are none either.
        """
        case = self.case
        key = None if case.key is None else base64.urlsafe_b64encode(case.key).decode().rstrip("=")
        value = {
            "bundle": case.bundle.decode("utf-8", "surrogateescape"),
            "key": key,
            "policy": case.policy,
            "receipt_id": case.receipt_id,
        }
        return json.dumps(value).encode() + b"\n"

    def answer(self) -> dict[str, Any]:
        """Return what every verifier must answer."""
        if self.step is not None:
            return {"step": self.step}
        return {"levels": list(self.levels), "trust": self.trust, "opened": self.opened}


def good(count: int) -> Iterator[Expected]:
    """Yield true bundles."""
    for number in range(count):
        rng = random.Random(f"{SEED} good {number}")  # noqa: S311 - drawn again, not secret
        yield _true(f"good {number}", draw(rng))


def _true(name: str, plan: Plan) -> Expected:
    witnessed = plan.policy is not None and plan.policy["needed"] >= 1
    return Expected(
        name,
        make(plan),
        None,
        ("L0", "L1" if witnessed else "L1-unwitnessed"),
        "policy" if plan.policy else "self-consistent",
        plan.opened,
    )


def bad(count: int) -> Iterator[Expected]:
    """Yield falsified bundles, every mutation as often as the others."""
    for number in range(count):
        kind = MUTATIONS[number % len(MUTATIONS)]
        rng = random.Random(f"{SEED} bad {number}")  # noqa: S311 - drawn again, not secret
        yield _false(kind, rng, number)


def _false(kind: Mutation, rng: random.Random, number: int) -> Expected:
    plan = draw(rng)
    while not kind.fits(plan):
        plan = draw(rng)
    if kind.prepare:
        kind.prepare(plan, rng)
    return Expected(f"{kind.name} ({number})", make(plan, kind.changes(rng)), kind.step)
