"""A model without weights: logits follow from a hash of the token ids, tokens are bytes.

It is a pure function of the ids, as the exact profile promises, and polices what the runner's port
asks of its caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np

from bot.domain.errors import EngineCrashedError, InvariantError
from bot.domain.model_record import TemplateIds
from bot.ports.inference import ModelInfo
from bot.ports.runner import Capacity, Feed, Logits, ModelRunner

CONTROL = ("<|end|>", "<|system|>", "<|user|>", "<|assistant|>")
BYTES = 256
END = BYTES
ASSISTANT = BYTES + CONTROL.index("<|assistant|>")
VOCABULARY = BYTES + len(CONTROL)
TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + (m['content'] | trim) + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
TEMPLATE_IDS = TemplateIds(" ", (257,), (256, 258), (256, 259), (256, 258))
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

    Copies are deferred until the next decode, as the library defers them: it polices what may not
    be done to a sequence before that.

    Attributes:
        sequences: how many there are.
        context_tokens: longest context.
        batch: most tokens of one decode.
        profile_exact: what the self-check is said to have found.
        evaluations: how many calls of `decode` there were.
        evaluated: how many tokens they had.
        refuses_states: whether `restore` refuses.
        letters: if there are any, each reply is one of them, each as likely: replies repeat.
        held: what each sequence holds.
    """

    sequences: int = 16
    context_tokens: int = 4096
    batch: int = 512
    profile_exact: bool = True
    evaluations: int = 0
    evaluated: int = 0
    refuses_states: bool = False
    letters: bytes = b""
    held: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _sources: set[int] = field(default_factory=set)
    _targets: set[int] = field(default_factory=set)

    @property
    def capacity(self) -> Capacity:
        """What there is room for."""
        return Capacity(self.sequences, self.context_tokens, self.batch)

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        return ModelInfo(
            name="fake",
            chat_template=TEMPLATE,
            end_tokens=(END,),
            context_tokens=self.context_tokens,
            vocabulary=VOCABULARY,
            profile_exact=self.profile_exact,
            template=TEMPLATE_IDS,
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

    def decode(self, feeds: Sequence[Feed]) -> Logits:
        """Return rows that follow from the sequences' tokens."""
        if len({feed.sequence for feed in feeds}) != len(feeds) or not feeds:
            raise InvariantError("the port: one feed for each sequence")
        if sum(len(feed.tokens) for feed in feeds) > self.batch:
            raise InvariantError("the port: more tokens than a batch has room for")
        self.evaluations += 1
        rows: list[Logits] = [np.empty((0, VOCABULARY), np.float32)]
        for feed in feeds:
            before = self._held(feed.sequence)
            if feed.start != len(before) or not 0 <= feed.rows <= len(feed.tokens):
                raise InvariantError("the port: tokens follow what the sequence holds")
            if not feed.tokens or min(feed.tokens) < 0 or max(feed.tokens) >= VOCABULARY:
                raise EngineCrashedError("the fake library refused the batch")
            tokens = self.held[feed.sequence] = before + feed.tokens
            if len(tokens) > self.context_tokens:
                raise InvariantError("the port: more tokens than a sequence has cells")
            self.evaluated += len(feed.tokens)
            if feed.rows:
                rows.append(
                    _letter_rows(tokens, feed.rows, self.letters)
                    if self.letters
                    else rows_of(tokens, feed.rows)
                )
        self._sources.clear()
        self._targets.clear()
        return np.concatenate(rows)

    def copy(self, source: int, target: int) -> None:
        """Copy a sequence."""
        if source == target:
            raise InvariantError("the port: a sequence copied to itself")
        self.held[target] = self._held(source)
        self._sources.add(source)
        self._targets.add(target)

    def trim(self, sequence: int, length: int) -> None:
        """Cut a sequence's tail off."""
        if not 0 <= length <= len(self._held(sequence)):
            raise InvariantError("the port: trimmed to more than it holds")
        self.held[sequence] = self._held(sequence)[:length]

    def save(self, sequence: int) -> bytes:
        """Return the token ids."""
        if sequence in self._targets:
            raise InvariantError("the port: a state saved before its copy was carried out")
        return np.asarray(self._held(sequence), np.int32).tobytes()

    def restore(self, sequence: int, tokens: int, state: bytes) -> bool:
        """Take the token ids."""
        if sequence in self._targets | self._sources:
            raise InvariantError("the port: a state loaded into a copy that is under way")
        found = tuple(int(one) for one in np.frombuffer(state, np.int32))
        taken = not self.refuses_states and len(found) == tokens
        self.held[sequence] = found if taken else ()
        return taken

    def _held(self, sequence: int) -> tuple[int, ...]:
        if not 0 <= sequence < self.sequences:
            raise InvariantError("the port: a sequence that does not exist")
        return self.held.get(sequence, ())


def _letter_rows(tokens: tuple[int, ...], rows: int, letters: bytes) -> Logits:
    """Return rows that give one of a few letters at the beginning of a reply, and then its end."""
    made = np.full((rows, VOCABULARY), -50.0, np.float32)
    for row, token in enumerate(tokens[len(tokens) - rows :]):
        made[row, list(letters) if token == ASSISTANT else [END]] = 0.0
    return made


def rows_of(tokens: tuple[int, ...], rows: int) -> Logits:
    """Return the last rows of logits for these tokens; they depend on nothing else."""
    first = len(tokens) - rows
    state = sha256(np.asarray(tokens[:first], np.int32).tobytes())
    kept = []
    for token in tokens[first:]:
        state.update(np.int32(token).tobytes())
        noise = np.random.default_rng(int.from_bytes(state.copy().digest()[:8]))
        kept.append(noise.standard_normal(VOCABULARY, np.float32) * 2 + _BIAS)
    return np.stack(kept)
