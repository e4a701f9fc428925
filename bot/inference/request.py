"""What the engine works on: replies, persona prefixes and replays, each a list of tokens to fill.

A piece of work wants its tokens evaluated in order and, from one position on, the logits after
them. A reply grows by the token that its last row gives; a prefix and a replay never grow. So
generating, prefilling and replaying are one thing to the scheduler and to the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bot.generation.output import OutputText, decode_text
from bot.generation.repeats import Repeats
from bot.generation.sampling import Draw
from bot.ports.inference import ANYONE, Caller, Generated, GenerationRequest, TextDelta

Piece = Callable[[int], bytes]


class Work(Protocol):
    """One request under way.

    Attributes:
        number: the request's number.
        caller: for whom.
    """

    number: int
    caller: Caller

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be evaluated, though tokens may be left."""
        ...

    @property
    def tokens(self) -> Sequence[int]:
        """What the sequence has to hold."""
        ...

    @property
    def rows_from(self) -> int:
        """Index of the first token after which logits are wanted."""
        ...

    @property
    def prefix_tokens(self) -> int:
        """How many leading tokens are a persona's."""
        ...

    @property
    def background(self) -> bool:
        """Whether nobody waits for it."""
        ...


@dataclass(slots=True)
class PrefixWork:
    """A persona prefix to compute and keep."""

    number: int
    tokens: tuple[int, ...]
    caller: Caller = ANYONE
    prefix_tokens: int = 0
    background: bool = True
    finished: bool = False

    @property
    def rows_from(self) -> int:
        """None is wanted."""
        return len(self.tokens)


@dataclass(slots=True)
class ReplyWork:
    """A reply that is being made.

    Attributes:
        tokens: the context and the output so far.
        halted: whether somebody asked to end it.
        finish: how it ended; empty while it runs.
    """

    number: int
    request: GenerationRequest
    caller: Caller
    piece: Piece
    tokens: list[int] = field(init=False)
    halted: bool = False
    finish: str = ""
    background: bool = False
    _output: OutputText = field(init=False)
    _made: list[int] = field(default_factory=list)
    _repeats: Repeats = field(init=False)
    _held: bool = field(init=False)  # whether what was made so far may still be rejected

    def __post_init__(self) -> None:
        self._repeats = Repeats(self.request.refused)
        self._held = bool(self.request.refused)
        self.tokens = list(self.request.context)
        self._output = OutputText(self.request.stop_strings)

    @property
    def rows_from(self) -> int:
        """The logits after the last token of the context give the first output token."""
        return len(self.request.context) - 1

    @property
    def prefix_tokens(self) -> int:
        """How many leading tokens are the persona's."""
        return self.request.prefix_tokens

    @property
    def finished(self) -> bool:
        """Whether the reply has ended."""
        return bool(self.finish)

    def draw(self) -> Draw:
        """Return what decides the next token, beside the logits."""
        return Draw(self.request.sampler, self.request.seed, len(self._made), self._made)

    def take(self, token: int) -> TextDelta | None:
        """Add a drawn token; return what may be shown now. `finish` says whether that ends it."""
        if token in self.request.stop_tokens:
            self.finish = "end"
            return None
        self._made.append(token)
        self.tokens.append(token)
        self._held = self._held and self._repeats.may_reject(tuple(self._made))
        if self._output.append(self.piece(token)):
            self.finish = "stop"
        elif len(self._made) == self.request.sampler.max_tokens:
            self.finish = "length"
        elif not self._held and (shown := self._output.showable()):
            return TextDelta(shown)
        return None

    def end(self) -> list[TextDelta | Generated]:
        """Return the rest of the text and the result; a reply that has no `finish` was halted.

        Of a whole output that is refused no text is returned but in the result.
        """
        made = tuple(self._made)
        halted = decode_text(b"".join(map(self.piece, made)))
        text = self._output.final() if self.finish else halted
        # Nothing stands in for the text of a reply that was halted before it had any.
        refused = bool(self.finish) and self._repeats.rejects(made)
        rest = self._output.rest() if text and not refused else ""
        shown: list[TextDelta | Generated] = [TextDelta(rest)] if rest else []
        return [*shown, Generated(made, text, self.finish or "halted")]
