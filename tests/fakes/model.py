"""A model without weights: logits follow from a hash of the token ids, tokens are bytes.

It is a pure function of the ids, as the exact profile promises, and polices what the runner's port
asks of its caller.
"""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from bot.domain.errors import EngineCrashedError, InvariantError
from bot.ports.inference import Logits, ModelInfo, ModelRunner

CONTROL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
BYTES = 256
END = BYTES
VOCABULARY = BYTES + len(CONTROL)
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + (m['content'] | trim) + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
LETTER_BIAS, END_BIAS, BYTE_BIAS = 4.0, 3.0, -2.0


def _bias() -> Logits:
    bias = np.full(VOCABULARY, BYTE_BIAS, np.float32)
    for char in b"abcdefghijklmnopqrstuvwxyz  \n.,FUan:":
        bias[char] = LETTER_BIAS
    bias[END] = END_BIAS
    bias[END + 1 :] = -20.0
    return bias


_BIAS = _bias()


@dataclass(slots=True)
class FakeModel(ModelRunner):
    """Words from a hash; deterministic, instant, polite to nobody.

    Attributes:
        context_tokens: longest context.
        profile_exact: what the self-check is said to have found.
        evaluations: how many calls of `evaluate` there were.
        prefixes: persona prefixes that were prepared.
        hot: how often a prepared prefix was used.
    """

    context_tokens: int = 4096
    profile_exact: bool = True
    evaluations: int = 0
    prefixes: set[tuple[int, ...]] = field(default_factory=set)
    hot: int = 0

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        return ModelInfo(
            name="fake",
            chat_template=TEMPLATE,
            end_tokens=(END,),
            context_tokens=self.context_tokens,
            vocabulary=VOCABULARY,
            profile_exact=self.profile_exact,
        )

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return one token a byte; with `special`, control tokens are read."""
        ids: list[int] = []
        while text:
            mark = next((m for m in CONTROL if special and text.startswith(m)), None)
            if mark is None:
                ids += text[0].encode()
                text = text[1:]
            else:
                ids.append(BYTES + CONTROL.index(mark))
                text = text[len(mark) :]
        return tuple(ids)

    def piece(self, token: int) -> bytes:
        """Return the byte; control tokens have none."""
        if not 0 <= token < VOCABULARY:
            raise InvariantError("the port: a piece of a token that the vocabulary lacks")
        return bytes([token]) if token < BYTES else b""

    def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Note the prefix."""
        self.prefixes.add(tokens)

    def evaluate(self, tokens: tuple[int, ...], *, prefix_tokens: int, rows: int) -> Logits:
        """Return the last `rows` rows of logits after `tokens`."""
        if not 1 <= rows <= len(tokens) or not 0 <= prefix_tokens <= len(tokens):
            raise InvariantError("the port: rows and prefix lie within the tokens")
        if len(tokens) > self.context_tokens or max(tokens) >= VOCABULARY or min(tokens) < 0:
            raise EngineCrashedError("the fake library refused the batch")
        self.evaluations += 1
        self.hot += tokens[:prefix_tokens] in self.prefixes
        first = len(tokens) - rows
        state = sha256(np.asarray(tokens[:first], np.int32).tobytes())
        kept = []
        for token in tokens[first:]:
            state.update(np.int32(token).tobytes())
            noise = np.random.default_rng(int.from_bytes(state.copy().digest()[:8]))
            kept.append(noise.standard_normal(VOCABULARY, np.float32) * 2 + _BIAS)
        return np.stack(kept)
