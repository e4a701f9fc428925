"""Every way in which a bundle is made false here, with the step that must notice first.

A mutation names the stage at which it strikes (`tests.corpus.maker`): what is hashed, signed or
sealed after it follows from the changed value, so nothing else is wrong. Steps are those of
docs/spec/formats.md section 11.
"""

import random
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from tests.corpus.maker import Change
from tests.corpus.plans import Plan

Json = Any
Strike = Callable[[Json, random.Random], Json]
Fits = Callable[[Plan], bool]
Prepare = Callable[[Plan, random.Random], None]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One falsehood.

    Attributes:
        step: the first step that must fail.
        stage: where it strikes; empty if `prepare` alone changes the plan.
        strike: returns the stage's value, changed.
        fits: whether the plan can be falsified in this way.
        prepare: changes the plan before anything is made.
    """

    name: str
    step: int
    stage: str
    strike: Strike
    fits: Fits
    prepare: Prepare | None = None

    def changes(self, rng: random.Random) -> dict[str, Change]:
        """Return what `make` takes."""
        if not self.stage:
            return {}
        return {self.stage: lambda value: self.strike(deepcopy(value), rng)}


MUTATIONS: list[Mutation] = []


def always(_plan: Plan) -> bool:
    """Whether any plan can be falsified in this way."""
    return True


def is_open(plan: Plan) -> bool:
    """Whether the verifier has the key."""
    return plan.opened


def is_reply(plan: Plan) -> bool:
    """Whether the verifier has the key of a generated reply."""
    return plan.opened and plan.receipt["type"] == "reply"


def is_fixed(plan: Plan) -> bool:
    """Whether the verifier has the key of a fixed answer."""
    return plan.opened and plan.receipt["type"] == "fixed"


def has_pairs(plan: Plan) -> bool:
    """Whether earlier turns are quoted."""
    return is_reply(plan) and len(plan.fields["spans"]) > 2


def has_outcome(plan: Plan) -> bool:
    """Whether there is an outcome."""
    return plan.outcome is not None


def has_revocation(plan: Plan) -> bool:
    """Whether there is a revocation."""
    return plan.revocation is not None


def has_anchor(plan: Plan) -> bool:
    """Whether there is an anchor."""
    return plan.anchor_size is not None


def has_seals(plan: Plan) -> bool:
    """Whether the log continues another one."""
    return len(plan.logs) > 1


def has_policy(plan: Plan) -> bool:
    """Whether the verifier knows whom to trust."""
    return plan.policy is not None


def has_cosigners(plan: Plan) -> bool:
    """Whether witnesses that the policy names have cosigned."""
    return plan.policy is not None and bool(plan.cosigners)


def mutation(
    step: int, stage: str, fits: Fits = always, prepare: Prepare | None = None
) -> Callable[[Strike], Strike]:
    """Add a mutation, named as its function."""

    def add(strike: Strike) -> Strike:
        name = strike.__name__.strip("_").replace("_", " ")
        MUTATIONS.append(Mutation(name, step, stage, strike, fits, prepare))
        return strike

    return add


def planned(step: int, fits: Fits = always) -> Callable[[Prepare], Prepare]:
    """Add a mutation that changes the plan itself."""

    def add(prepare: Prepare) -> Prepare:
        name = prepare.__name__.strip("_").replace("_", " ")
        MUTATIONS.append(Mutation(name, step, "", lambda value, _rng: value, fits, prepare))
        return prepare

    return add


def field(fields: Json, name: str) -> Json:
    """Return a salted field's value among the list of them."""
    return next(pair for pair in fields if pair[0] == name)


def flip_hex(text: str, rng: random.Random) -> str:
    """Change one hexadecimal digit."""
    at = rng.randrange(len(text))
    return text[:at] + rng.choice([c for c in "0123456789abcdef" if c != text[at]]) + text[at + 1 :]


def flip_byte(data: bytes, rng: random.Random) -> bytes:
    """Change one bit."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
