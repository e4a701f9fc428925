"""What can be done with sequences: the vocabulary in which `cells` decides and `sequences` acts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Copy:
    """Make `target` hold what `source` holds."""

    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Trim:
    """Keep the first `length` tokens of a sequence."""

    sequence: int
    length: int


@dataclass(frozen=True, slots=True)
class Save:
    """Put a resting conversation on disk."""

    sequence: int
    conversation: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Read a state from disk: a conversation's, or, where that is empty, a persona prefix's."""

    sequence: int
    conversation: str
    tokens: tuple[int, ...]


Move = Copy | Trim | Save | Load


@dataclass(frozen=True, slots=True)
class OnDisk:
    """What there is on disk for a request.

    Attributes:
        conversation: the tokens of its conversation's state; empty if there is none.
        prefix: whether its persona prefix is there.
    """

    conversation: tuple[int, ...] = ()
    prefix: bool = False


NOTHING_ON_DISK = OnDisk()
