"""Seeded random draws."""

from __future__ import annotations

import random


def chance(rng: random.Random, probability: float) -> bool:
    """Return True with the given probability."""
    return rng.random() < probability
