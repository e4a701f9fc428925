"""A replay as a piece of work: which tokens to evaluate, which rows to look at, what was found.

Pure: the engine evaluates `tokens` among everything else that it does, in chunks of its choosing,
and hands over the rows of logits as they come.
"""

from collections.abc import Callable
from typing import Protocol

from bot.domain.fields import Finish
from bot.generation.margins import Judged, judge
from bot.generation.output import OutputText
from bot.generation.sampling import Draw, Logits
from bot.ports.inference import (
    ANYONE,
    Caller,
    ModelInfo,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
)

Piece = Callable[[int], bytes]
_HALTED = frozenset(finish.value for finish in Finish if finish.halted)


class Tokenize(Protocol):
    """A model's tokeniser."""

    def __call__(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        ...


class ReplayWork:
    """A claimed reply to be recomputed in one prefill and compared token by token.

    Every claimed output position, and the end, is drawn from the model's own logits given the
    claimed tokens before it: the first difference shows where the two part.

    Attributes:
        number: the request's number.
        caller: nobody: a replay keeps no state.
        tokens: what to evaluate, from an empty sequence.
        rows_from: index in `tokens` of the first one whose row of logits is wanted; all after it
            are wanted too.
        prefix_tokens: how many leading tokens are the persona's.
        hopeless: what was found, where the model could not have been given or have made these
            tokens at all: there is nothing to evaluate then.
    """

    background = True  # fans come first, and it waits as long as it takes

    def __init__(self, number: int, request: ReplayRequest, *, info: ModelInfo) -> None:
        self.number = number
        self.caller: Caller = ANYONE
        self._request = request
        self._info = info
        generation = request.request
        self._claimed: list[int | None] = list(request.tokens)
        if request.finish == Finish.END.value:
            self._claimed.append(None)
        ids = generation.context + request.tokens
        self.rows_from = len(generation.context) - 1
        self.tokens = ids[: self.rows_from + len(self._claimed)]
        self.prefix_tokens = generation.prefix_tokens
        self.hopeless = None if self._can_be() else self._outcome_of_nothing()
        self._judged: list[Judged] = []
        self._stops = tuple(t for t in generation.stop_tokens if 0 <= t < info.vocabulary)

    @property
    def finished(self) -> bool:
        """Whether all rows were given."""
        return len(self._judged) == len(self._claimed)

    def rows(self, first_position: int, logits: Logits) -> None:
        """Take the rows of some tokens, each once and in order.

        Args:
            first_position: index in `tokens` of the first row's token.
            logits: shape (rows, vocabulary), binary32; not kept.

        Raises:
            ValueError: the rows are not the next ones, or are not numbers.
        """
        if first_position != self.rows_from + len(self._judged):
            raise ValueError("rows of logits in another order than that of the tokens")
        if first_position + len(logits) > len(self.tokens):
            raise ValueError("more rows of logits than tokens")
        generation = self._request.request
        for row in logits:
            position = len(self._judged)
            claimed = self._claimed[position]
            draw = Draw(
                generation.sampler, generation.seed, position, self._request.tokens[:position]
            )
            self._judged.append(judge(row, draw, self._stops if claimed is None else (claimed,)))

    def outcome(self, piece: Piece, tokenize: Tokenize) -> ReplayOutcome:
        """Return what was found, after all rows were given.

        Args:
            piece: the bytes of a token.
            tokenize: the tokens of a text.

        Raises:
            ValueError: rows are missing.
        """
        if self.hopeless is not None:
            return self.hopeless
        if not self.finished:
            raise ValueError("a replay's outcome before all of its rows")
        finish, text = self._settle_output(piece)
        return ReplayOutcome(
            tokens=tuple(
                self._compared(position, judged, piece)
                for position, judged in enumerate(self._judged)
            ),
            tokenisation_same=self._spans_are_plain(piece, tokenize),
            finish_same=finish == self._request.finish,
            text_same=text == self._request.text,
            engine_exact=self._info.profile_exact,
        )

    def _can_be(self) -> bool:
        """Return whether the model could have been given and have made so many such tokens."""
        generation = self._request.request
        ids = generation.context + self._request.tokens
        return (
            bool(generation.context and self._claimed)
            and len(self._request.tokens) <= generation.sampler.max_tokens
            and min(ids) >= 0
            and max(ids) < self._info.vocabulary
            and all(0 <= token < self._info.vocabulary for token in self._request.spans)
        )

    def _outcome_of_nothing(self) -> ReplayOutcome:
        return ReplayOutcome(
            (),
            tokenisation_same=False,
            finish_same=False,
            text_same=False,
            engine_exact=self._info.profile_exact,
        )

    def _compared(self, position: int, judged: Judged, piece: Piece) -> ReplayedToken:
        claimed, drawn = self._claimed[position], judged.token
        ended = drawn in self._request.request.stop_tokens
        return ReplayedToken(
            position=position,
            claimed=claimed,
            recomputed=drawn,
            text=piece(drawn).decode("utf-8", errors="replace"),
            same=ended if claimed is None else claimed == drawn and not ended,
            margin=judged.margin,
            room=judged.room,
        )

    def _spans_are_plain(self, piece: Piece, tokenize: Tokenize) -> bool:
        """Return whether texts give their tokens, and no span holds a control token."""
        texts_same = all(tokenize(text, special=False) == ids for text, ids in self._request.texts)
        return texts_same and all(piece(token) for token in set(self._request.spans))

    def _settle_output(self, piece: Piece) -> tuple[str, str]:
        """Apply the output policy to the claimed tokens; return (finish, text)."""
        request, generation = self._request, self._request.request
        output = OutputText(generation.stop_strings)
        for position, token in enumerate(request.tokens, start=1):
            if output.append(piece(token)):
                finish = "stop" if position == len(request.tokens) else "overrun"
                return finish, output.final()
        over = len(request.tokens) - generation.sampler.max_tokens
        if over < 0 and request.tokens and request.finish in _HALTED:
            return request.finish, output.final()  # where it was halted, no model can tell
        finish = "end" if over < 0 else "length" if over == 0 else "overrun"
        return finish, output.final()
