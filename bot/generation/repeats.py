"""The filter's second half: replies that are drawn again (docs/spec/formats.md section 5.1).

A twin that says to one message, word for word, what it said to another is tiresome. The filter
rejects such an output before anyone has seen it, and the next attempt draws with its own seed. What
is rejected follows from tokens that the receipt commits to, so that a verifier rejects the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Repeats:
    """What an output must not be: the replies in its context that answered another message."""

    refused: tuple[Tokens, ...]

    @classmethod
    def of(cls, message: Tokens, pairs: Sequence[tuple[Tokens, Tokens]]) -> "Repeats":
        """Build from the message span's tokens and (fan, twin) spans of the context.

        To the same question the same answer is right, so pairs with the same fan span are left out.
        An empty reply refuses nothing.
        """
        return cls(tuple({twin: None for fan, twin in pairs if fan != message and twin}))

    def rejects(self, output: Tokens) -> bool:
        """Whether a whole output is one of them."""
        return output in self.refused

    def may_reject(self, begun: Tokens) -> bool:
        """Whether an output that began like this can still become one: nobody may see it yet."""
        return any(known[: len(begun)] == begun for known in self.refused)
