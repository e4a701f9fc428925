"""The filter's second half: replies that are drawn again (docs/spec/formats.md section 5.1).

A twin that says to one message, word for word, what it said to another is tiresome. The filter
rejects such an output before anyone has seen it, and the next attempt draws with its own seed. What
is rejected follows from tokens that the receipt commits to, so that a verifier rejects the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bot.domain.fields import Span
from bot.generation.sampling import SamplerPolicy

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

    @classmethod
    def in_context(cls, spans: Sequence[Span]) -> "Repeats":
        """Build from a context's spans: persona, pairs of fan and twin, message."""
        pairs = [
            (fan.tokens, twin.tokens)
            for fan, twin in zip(spans[1:-1:2], spans[2:-1:2], strict=True)
        ]
        return cls.of(spans[-1].tokens, pairs)

    def rejects(self, output: Tokens) -> bool:
        """Whether a whole output is one of them."""
        return output in self.refused

    def may_reject(self, begun: Tokens) -> bool:
        """Whether an output that began like this can still become one: nobody may see it yet."""
        return any(known[: len(begun)] == begun for known in self.refused)


def redraw_sampler(sampler: SamplerPolicy) -> SamplerPolicy:
    """Return the policy of an attempt that follows a rejected one: temperature 1 at least.

    At a low temperature another seed gives the same reply again.
    """
    return replace(sampler, temperature=max(sampler.temperature, 1.0))
