"""How the engine divides what a model has room for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How the engine divides what the model has room for.

    Attributes:
        parallel: most requests that run at once.
        prefixes: hot persona prefixes.
        chunk: tokens of new contexts that a step evaluates beside running replies.
        waiting: longest queue.
    """

    parallel: int = 8
    prefixes: int = 4
    chunk: int = 96
    waiting: int = 256
