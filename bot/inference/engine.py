"""The engine's loop, free of tensors and processes: evaluate, sample, filter, deliver.

One sequence at a time. The same steps make a reply and recompute it, so that a replay checks the
very code that generates.
"""

from collections.abc import Callable, Iterator

from bot.domain.errors import MessageTooLongError
from bot.domain.fields import Finish
from bot.generation.output import OutputText, decode_text
from bot.generation.sampling import choose_token
from bot.ports.inference import (
    Generated,
    GenerationEvent,
    GenerationRequest,
    LocalEngine,
    ModelInfo,
    ModelRunner,
    ReplayedToken,
    ReplayOutcome,
    ReplayRequest,
    TextDelta,
    never,
)

_HALTED = frozenset(finish.value for finish in Finish if finish.halted)


class Engine(LocalEngine):
    """Runs requests on a model, one after the other."""

    def __init__(self, *, model: ModelRunner) -> None:
        self._model = model

    def info(self) -> ModelInfo:
        """Return what the loaded model says of itself."""
        return self._model.info()

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`."""
        return self._model.tokenize(text, special=special)

    def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Prefill a persona prefix and keep it hot."""
        self._model.prepare_prefix(tokens)

    def generate(
        self, request: GenerationRequest, halted: Callable[[], bool] = never
    ) -> Iterator[GenerationEvent]:
        """Yield text as it becomes safe to show, then one `Generated`.

        Args:
            request: what determines the reply.
            halted: asked before each token; once it is true, no more tokens are made.

        Raises:
            MessageTooLongError: context and output do not fit the model.
        """
        self._check_room(request)
        output = OutputText(request.stop_strings)
        tokens: list[int] = []
        finish = "length"
        while len(tokens) < request.sampler.max_tokens:
            if halted():
                yield from self._end_halted(output, tuple(tokens))
                return
            token = self._next(request, tuple(tokens))
            if token in request.stop_tokens:
                finish = "end"
                break
            tokens.append(token)
            if output.append(self._model.piece(token)):
                finish = "stop"
                break
            if piece := output.showable():
                yield TextDelta(piece)
        if piece := output.rest():
            yield TextDelta(piece)
        yield Generated(tuple(tokens), output.final(), finish)

    def _end_halted(self, output: OutputText, tokens: tuple[int, ...]) -> Iterator[GenerationEvent]:
        """Yield the rest of what was made; nothing stands in for a text that is still empty."""
        text = decode_text(b"".join(map(self._model.piece, tokens)))
        if text and (piece := output.rest()):
            yield TextDelta(piece)
        yield Generated(tokens, text, "halted")

    def replay(self, request: ReplayRequest) -> ReplayOutcome:
        """Recompute a claimed reply in one prefill and compare it token by token.

        Every claimed output position, and the end, is sampled from the model's own logits given
        the claimed tokens before it: the first difference shows where the two part.
        """
        if not self._knows_tokens(request):
            return ReplayOutcome((), tokenisation_same=False, finish_same=False, text_same=False)
        claimed: list[int | None] = list(request.tokens)
        if request.finish == "end":
            claimed.append(None)
        compared = tuple(self._compare(request, claimed)) if claimed else ()
        finish, text = self._settle_output(request)
        return ReplayOutcome(
            tokens=compared,
            tokenisation_same=self._spans_are_plain(request),
            finish_same=finish == request.finish,
            text_same=text == request.text,
        )

    def _knows_tokens(self, request: ReplayRequest) -> bool:
        """Return whether the model could have been given and have made these tokens at all."""
        context = request.request.context
        vocabulary = self._model.info().vocabulary
        return bool(context) and max(context + request.tokens) < vocabulary

    def _spans_are_plain(self, request: ReplayRequest) -> bool:
        """Return whether texts give their tokens, and no span holds a control token."""
        texts_same = all(
            self._model.tokenize(text, special=False) == ids for text, ids in request.texts
        )
        return texts_same and all(self._model.piece(token) for token in set(request.spans))

    def _compare(
        self, request: ReplayRequest, claimed: list[int | None]
    ) -> Iterator[ReplayedToken]:
        generation = request.request
        self._check_room(generation)
        fed = generation.context + request.tokens[: len(claimed) - 1]
        rows = self._model.evaluate(fed, prefix_tokens=generation.prefix_tokens, rows=len(claimed))
        for position, (token, logits) in enumerate(zip(claimed, rows, strict=True)):
            drawn = choose_token(
                logits, generation.sampler, seed=generation.seed, position=position
            )
            ended = drawn in generation.stop_tokens
            yield ReplayedToken(
                position=position,
                claimed=token,
                recomputed=drawn,
                text=self._model.piece(drawn).decode("utf-8", errors="replace"),
                same=ended if token is None else token == drawn and not ended,
            )

    def _settle_output(self, request: ReplayRequest) -> tuple[str, str]:
        """Apply the output policy to the claimed tokens; return (finish, text)."""
        generation = request.request
        output = OutputText(generation.stop_strings)
        for position, token in enumerate(request.tokens, start=1):
            if output.append(self._model.piece(token)):
                finish = "stop" if position == len(request.tokens) else "overrun"
                return finish, output.final()
        over = len(request.tokens) - generation.sampler.max_tokens
        if over < 0 and request.tokens and request.finish in _HALTED:
            return request.finish, output.final()  # where it was halted, no model can tell
        finish = "end" if over < 0 else "length" if over == 0 else "overrun"
        return finish, output.final()

    def _next(self, request: GenerationRequest, tokens: tuple[int, ...]) -> int:
        logits = self._model.evaluate(
            request.context + tokens, prefix_tokens=request.prefix_tokens, rows=1
        )
        return choose_token(logits[0], request.sampler, seed=request.seed, position=len(tokens))

    def _check_room(self, request: GenerationRequest) -> None:
        room = self._model.info().context_tokens
        needed = len(request.context) + request.sampler.max_tokens
        if needed > room:
            raise MessageTooLongError(
                f"This conversation is {needed - room} tokens too long for the model: "
                "please send a shorter message."
            )
