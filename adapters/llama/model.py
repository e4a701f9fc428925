"""The model runner: llama.cpp's low-level API under the exact profile.

Exact profile (docs/adr/0002-exact-replay.md): flash attention on, KV cache in q8_0, one KV stream
per sequence, portable build. Sequence 0 is the working sequence; the others keep persona prefixes,
which are copied whole (a partial copy across streams aborts the library).
"""

import ctypes
from collections import OrderedDict
from pathlib import Path

import llama_cpp as lib
import numpy as np

from adapters.llama.library import built_portably
from bot.domain.errors import ConfigurationError, EngineCrashedError
from bot.ports.inference import Logits, ModelInfo, ModelRunner

WORKING = 0
PREFIX_SEQUENCES = 7
BATCH_TOKENS = 256
MAX_CONTEXT = 4096
KV_Q8_0 = 8
FLASH_ATTENTION_ON = 1
PIECE_BYTES, MAX_PIECE_BYTES = 256, 65_536
CHECK_TOKENS = 48
CHECK_PREFIX = 16


@lib.llama_log_callback  # type: ignore[untyped-decorator]  # ctypes
def _drop_log(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Swallow the library's chatter; errors come back as return values."""


class LlamaModel(ModelRunner):
    """A GGUF in memory with one context; owned by one thread.

    Attributes of the state, all owned here: `_held`, the ids whose KV the working sequence holds;
    `_prefixes`, ids of a kept prefix -> its sequence, coldest first.
    """

    def __init__(self, path: Path, *, threads: int, name: str, portable: bool) -> None:
        """Load the file.

        Raises:
            ConfigurationError: the file is no usable GGUF, or has no chat template.
        """
        lib.llama_log_set(_drop_log, ctypes.c_void_p(0))
        lib.llama_backend_init()
        params = lib.llama_model_default_params()
        params.n_gpu_layers = 0
        model = lib.llama_model_load_from_file(str(path).encode(), params)
        if model is None:
            raise ConfigurationError(f"{path} is not a model that llama.cpp can load.")
        vocabulary = lib.llama_model_get_vocab(model)
        template = lib.llama_model_chat_template(model, None)
        if vocabulary is None or template is None:
            raise ConfigurationError(f"{path} has no chat template: choose a chat model.")
        self._vocabulary = vocabulary
        self._size = lib.llama_vocab_n_tokens(vocabulary)
        self._context_tokens = min(lib.llama_model_n_ctx_train(model), MAX_CONTEXT)
        self._context = self._open_context(model, threads)
        self._memory = lib.llama_get_memory(self._context)
        self._held: tuple[int, ...] = ()
        self._prefixes: OrderedDict[tuple[int, ...], int] = OrderedDict()
        self._batch = _Batch(BATCH_TOKENS)
        ends = (t for t in range(self._size) if lib.llama_vocab_is_eog(vocabulary, t))
        portable = portable and built_portably(lib.llama_print_system_info())
        self._info = ModelInfo(
            name=name,
            chat_template=template.decode(),
            end_tokens=tuple(ends),
            context_tokens=self._context_tokens,
            vocabulary=self._size,
            profile_exact=portable and self._profile_holds(),
            begin_text=self._text_of(lib.llama_vocab_bos(vocabulary))
            if lib.llama_vocab_get_add_bos(vocabulary)
            else "",
            end_text=self._text_of(lib.llama_vocab_eos(vocabulary)),
        )

    def _open_context(self, model: object, threads: int) -> object:
        params = lib.llama_context_default_params()
        params.n_seq_max = 1 + PREFIX_SEQUENCES
        params.n_ctx = self._context_tokens * params.n_seq_max
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_outputs_max = BATCH_TOKENS
        params.n_outputs_max_per_seq = BATCH_TOKENS
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = FLASH_ATTENTION_ON
        params.type_k = params.type_v = KV_Q8_0
        params.kv_unified = False
        params.no_perf = True
        context = lib.llama_init_from_model(model, params)
        if context is None:
            raise ConfigurationError(
                "The model does not run under the exact profile "
                "(flash attention with a q8_0 cache): choose a model with Q8_0 weights."
            )
        return context

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        return self._info

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`, without begin or end marks added."""
        data = text.encode()
        buffer = (lib.llama_token * (len(data) + 1))()
        count = lib.llama_tokenize(
            self._vocabulary,
            data,
            len(data),
            buffer,
            len(buffer),
            False,  # noqa: FBT003 - a C function
            special,
        )
        if count < 0:
            raise EngineCrashedError("the tokenizer refused a text")
        return tuple(buffer[:count])

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token stands for; empty for control tokens."""
        for size in (PIECE_BYTES, MAX_PIECE_BYTES):
            buffer = ctypes.create_string_buffer(size)
            no_special = False
            count = lib.llama_token_to_piece(self._vocabulary, token, buffer, size, 0, no_special)
            if count >= 0:
                return buffer.raw[:count]
        raise EngineCrashedError(f"token {token} stands for too many bytes")

    def _text_of(self, token: int) -> str:
        """Return how a control token is written; empty where the vocabulary has none."""
        if token < 0:
            return ""
        return bytes(lib.llama_vocab_get_text(self._vocabulary, token)).decode()

    def prepare_prefix(self, tokens: tuple[int, ...]) -> None:
        """Compute and keep the state of a persona prefix, evicting the coldest if need be."""
        if tokens in self._prefixes or not tokens:
            return
        taken = set(self._prefixes.values())
        free = [s for s in range(1, 1 + PREFIX_SEQUENCES) if s not in taken]
        sequence = free[0] if free else self._prefixes.popitem(last=False)[1]
        lib.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        self._decode(tokens, start=0, sequence=sequence, rows=1)
        self._prefixes[tokens] = sequence

    def evaluate(self, tokens: tuple[int, ...], *, prefix_tokens: int, rows: int) -> Logits:
        """Bring the working sequence to `tokens` and return the last `rows` rows of logits.

        What it holds already is kept: tail removal and refill were measured bit-exact.
        """
        keep = min(_shared(self._held, tokens), len(tokens) - rows)
        prefix = tokens[:prefix_tokens]
        if keep < prefix_tokens <= len(tokens) - rows and prefix in self._prefixes:
            self._prefixes.move_to_end(prefix)
            lib.llama_memory_seq_rm(self._memory, WORKING, -1, -1)
            lib.llama_memory_seq_cp(self._memory, self._prefixes[prefix], WORKING, -1, -1)
            keep = prefix_tokens
        else:
            lib.llama_memory_seq_rm(self._memory, WORKING, keep, -1)
        self._held = ()  # unknown while a decode may fail half-way
        logits = self._decode(tokens[keep:], start=keep, sequence=WORKING, rows=rows)
        self._held = tokens
        return logits

    def _decode(self, tokens: tuple[int, ...], *, start: int, sequence: int, rows: int) -> Logits:
        """Decode in chunks and return a copy of the last `rows` rows of logits."""
        first_row = len(tokens) - rows
        kept: list[Logits] = []
        for offset in range(0, len(tokens), BATCH_TOKENS):
            chunk = tokens[offset : offset + BATCH_TOKENS]
            wanted = max(0, offset + len(chunk) - max(first_row, offset))
            batch = self._batch.fill(chunk, start + offset, sequence, wanted)
            status = lib.llama_decode(self._context, batch)
            if status != 0:
                raise EngineCrashedError(f"llama_decode failed with status {status}")
            if wanted:
                view = np.ctypeslib.as_array(
                    lib.llama_get_logits(self._context), (wanted * self._size,)
                )
                # The view is overwritten by the next decode.
                kept.append(view.reshape(wanted, self._size).copy())
        return np.concatenate(kept)

    def _profile_holds(self) -> bool:
        """Compare decoding one by one, one prefill and a copied prefix, bit for bit."""
        length = min(CHECK_TOKENS, self._context_tokens)
        tokens = tuple((7919 * i + 13) % self._size for i in range(length))
        rest = length - CHECK_PREFIX
        whole = self.evaluate(tokens, prefix_tokens=0, rows=rest + 1)
        self._forget()
        steps = [
            self.evaluate(tokens[:end], prefix_tokens=0, rows=1)
            for end in range(CHECK_PREFIX, length + 1)
        ]
        self._forget()
        self.prepare_prefix(tokens[:CHECK_PREFIX])
        copied = self.evaluate(tokens, prefix_tokens=CHECK_PREFIX, rows=rest)
        self._forget()
        self._prefixes.clear()
        stepwise = np.concatenate(steps)
        return whole.tobytes() == stepwise.tobytes() and whole[1:].tobytes() == copied.tobytes()

    def _forget(self) -> None:
        lib.llama_memory_seq_rm(self._memory, WORKING, -1, -1)
        self._held = ()


def _shared(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """Return the length of the longest common prefix."""
    for index, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return index
    return min(len(left), len(right))


class _Batch:
    """A `llama_batch` over numpy buffers, so that filling it copies nothing else."""

    def __init__(self, capacity: int) -> None:
        self._tokens = np.zeros(capacity, np.int32)
        self._positions = np.zeros(capacity, np.int32)
        self._counts = np.ones(capacity, np.int32)
        self._logits = np.zeros(capacity, np.int8)
        self._sequence = np.zeros(1, np.int32)
        pointer = self._sequence.ctypes.data_as(ctypes.POINTER(ctypes.c_int32))
        self._sequences = (ctypes.POINTER(ctypes.c_int32) * capacity)(*[pointer] * capacity)
        self._batch = lib.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            embd=None,
            pos=self._positions.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            n_seq_id=self._counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=ctypes.cast(self._sequences, ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))),
            logits=self._logits.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(
        self, tokens: tuple[int, ...], start: int, sequence: int, rows: int
    ) -> "lib.llama_batch":
        """Describe `tokens` at positions from `start`; the last `rows` give logits."""
        count = len(tokens)
        self._tokens[:count] = tokens
        self._positions[:count] = np.arange(start, start + count)
        self._logits[:count] = 0
        self._logits[count - rows : count] = 1
        self._sequence[0] = sequence
        self._batch.n_tokens = count
        return self._batch
