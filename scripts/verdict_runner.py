"""A model run plainly, one list of tokens at a time, under a build option or another.

For calibration only: it makes the differences that honest machines without the exact profile show.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adapters.llama.library import prepare_environment
from bot.generation.margins import Judged, judge
from bot.generation.sampling import Draw, Logits, SamplerPolicy, choose_tokens

F16, Q8_0, Q4_0_FILE = 1, 8, 2


@dataclass(frozen=True, slots=True)
class Sample:
    """A reply to be made: its context, and what decides its tokens."""

    context: tuple[int, ...]
    policy: SamplerPolicy
    seed: bytes

    def draw(self, output: tuple[int, ...]) -> Draw:
        """Return what decides the token after `output`."""
        return Draw(self.policy, self.seed, len(output), output)


class PlainModel:
    """One model file under one set of options."""

    def __init__(self, path: Path, *, cache: int = Q8_0, window: int = 1024) -> None:
        llama_cpp = _library()
        self._model: Any = llama_cpp.Llama(
            model_path=str(path),
            n_ctx=window,
            n_batch=window,
            n_threads=1,
            n_threads_batch=1,
            logits_all=True,
            type_k=cache,
            type_v=cache,
            flash_attn=True,
            verbose=False,
        )
        self.template: str = self._model.metadata["tokenizer.chat_template"]
        self.end = int(self._model.token_eos())
        vocabulary = llama_cpp.llama_model_get_vocab(self._model.model)
        begins = llama_cpp.llama_vocab_get_add_bos(vocabulary)
        self.begin_text = self._text_of(self._model.token_bos()) if begins else ""
        self.end_text = self._text_of(self.end)

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the ids of a text."""
        return tuple(self._model.tokenize(text.encode(), add_bos=False, special=special))

    def _text_of(self, token: int) -> str:
        text: bytes = self._model.detokenize([token], special=True)
        return text.decode()

    def make(self, sample: Sample, longest: int) -> tuple[int, ...]:
        """Make a reply, token by token."""
        self._model.reset()
        self._model.eval(list(sample.context))
        output: tuple[int, ...] = ()
        while len(output) < longest:
            row = self._rows(1)
            (token,) = choose_tokens(row, [sample.draw(output)])
            if token == self.end:
                break
            output = (*output, token)
            self._model.eval([token])
        return output

    def judge(self, sample: Sample, output: tuple[int, ...]) -> list[Judged]:
        """Replay a reply in one go and say of each token how near it came."""
        if not output:
            return []
        self._model.reset()
        self._model.eval([*sample.context, *output[:-1]])
        return [
            judge(row, sample.draw(output[:position]), (output[position],))
            for position, row in enumerate(self._rows(len(output)))
        ]

    def _rows(self, count: int) -> Logits:
        end = self._model.n_tokens
        rows: Logits = np.array(self._model.scores[end - count : end], np.float32)
        return rows


def quantise(source: Path, target: Path) -> None:
    """Write a model again with 4-bit weights.

    Raises:
        RuntimeError: the library refused.
    """
    llama_cpp = _library()
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = Q4_0_FILE
    params.allow_requantize = True
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), params) != 0:
        raise RuntimeError(f"{source} can't be written with 4-bit weights")


def _library() -> Any:  # noqa: ANN401 - a module without types
    """Load the library, which reads the environment when it is loaded."""
    prepare_environment()
    import llama_cpp  # noqa: PLC0415 - loads the library

    return llama_cpp
