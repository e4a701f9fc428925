"""The model runner: llama.cpp's low-level API under the exact profile.

Exact profile (docs/adr/0002-exact-replay.md): flash attention on, KV cache in q8_0, one KV stream
per sequence, portable build. Streams are copied whole (a partial copy aborts the library); copies
are carried out at the next decode, in order, but which tokens source and target hold changes at
once. Until then a target can't be saved, and loading into either would spoil the target.
"""

import ctypes
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import llama_cpp as lib
import numpy as np

from adapters.llama.batch import Batch, portions
from adapters.llama.library import built_portably
from adapters.llama.loading import fit_context, load_model, open_context, rows_limit
from adapters.llama.memory import Sizes, Wishes, available_bytes
from adapters.llama.tuning import count_alone
from adapters.llama.vocabulary import Vocabulary
from bot.domain.errors import EngineCrashedError, InvariantError
from bot.ports.inference import ModelInfo
from bot.ports.runner import Capacity, Feed, Logits, ModelRunner

NO_WISHES = Wishes()
_STATE_HEAD = struct.Struct("<IiI")  # the library's mark, the sequence, how many streams follow
_COUNT_BYTES = 4
_BYTES = ctypes.POINTER(ctypes.c_uint8)


class LlamaModel(ModelRunner):
    """A GGUF in memory with one context; owned by one thread."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int,
        name: str,
        portable: bool,
        wishes: Wishes = NO_WISHES,
        room_bytes: int | None = None,
    ) -> None:
        """Load the file and choose how many sequences there are.

        Args:
            path: a GGUF.
            threads: of the library.
            name: what people see.
            portable: whether the library is the recorded portable build.
            wishes: the operator's.
            room_bytes: memory that may be taken; None for what the machine has.

        Raises:
            ConfigurationError: the model can't be used here, and why.
        """
        room = available_bytes() if room_bytes is None else room_bytes
        model = load_model(path, gpu_layers=wishes.gpu_layers, room_bytes=room)
        # The weights are mapped: they are not yet taken from what is free.
        left = None if room is None or wishes.gpu_layers else room - path.stat().st_size
        self._sizes = fit_context(path, model, wishes, room_bytes=left, threads=threads)
        self._context = open_context(model, self._sizes, threads=threads)
        self._memory = lib.llama_get_memory(self._context)
        self._rows_limit = rows_limit(model, self._sizes)
        self._alone = 0
        self._vocabulary = Vocabulary(lib.llama_model_get_vocab(model.handle))
        self._batch = Batch(tokens=self._sizes.batch, sequences=self._sizes.sequences)
        # A model with a sliding window keeps two caches: their states are taken as they are.
        self._one_cache = lib.llama_model_n_swa(model.handle) == 0
        self._portable = portable and built_portably(lib.llama_print_system_info())
        self._info = ModelInfo(
            name=name,
            chat_template=model.template,
            end_tokens=self._vocabulary.ends(),
            context_tokens=self._sizes.cells,
            vocabulary=self._vocabulary.size,
            profile_exact=False,
            begin_text=self._vocabulary.begin_text,
            end_text=self._vocabulary.end_text,
        )

    @property
    def sizes(self) -> Sizes:
        """How the sequences are divided."""
        return self._sizes

    @property
    def capacity(self) -> Capacity:
        """What there is room for."""
        return Capacity(self._sizes.sequences, self._sizes.cells, self._sizes.batch)

    @property
    def portable(self) -> bool:
        """Whether the library is the portable build, by its record and its own account."""
        return self._portable

    def confirm_profile(self) -> None:
        """Say from now on that the exact profile holds, if the build is the portable one."""
        self._info = replace(self._info, profile_exact=self._portable)

    def tune(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """Find out how to decode a few single tokens; the sequences have to be empty."""
        self._alone = 0

        def decode(count: int) -> None:
            self.decode([Feed(sequence, 0, (0,), 1) for sequence in range(count)])
            for sequence in range(count):
                self.trim(sequence, 0)

        self._alone = count_alone(decode, clock)

    def info(self) -> ModelInfo:
        """Return what the model says of itself."""
        return self._info

    def tokenize(self, text: str, *, special: bool) -> tuple[int, ...]:
        """Return the token ids of `text`, without begin or end marks added."""
        return self._vocabulary.tokenize(text, special=special)

    def piece(self, token: int) -> bytes:
        """Return the bytes that a token stands for; empty for control tokens."""
        return self._vocabulary.piece(token)

    def decode(self, feeds: Sequence[Feed]) -> Logits:
        """Evaluate the feeds together; rows beyond what the library gives at once are gathered."""
        total = sum(len(feed.tokens) for feed in feeds)
        if not 0 < total <= self._sizes.batch:  # the library would abort
            raise InvariantError("more tokens than a batch has room for, or none")
        parts = list(portions(feeds, rows=self._rows_limit, alone=self._alone))
        if len(parts) == 1:
            return self._decode(parts[0])
        return np.concatenate([self._decode(part).copy() for part in parts])

    def _decode(self, feeds: list[Feed]) -> Logits:
        status = lib.llama_decode(self._context, self._batch.fill(feeds))
        if status != 0:
            raise EngineCrashedError(f"llama_decode failed with status {status}")
        rows = sum(feed.rows for feed in feeds)
        if not rows:
            return np.empty((0, self._vocabulary.size), np.float32)
        # In the order of the batch, whichever order the library computed them in.
        logits = lib.llama_get_logits(self._context)
        view = np.ctypeslib.as_array(logits, (rows * self._vocabulary.size,))
        return view.reshape(rows, self._vocabulary.size)

    def copy(self, source: int, target: int) -> None:
        """Copy a whole stream; the cells know at once, the data follows at the next decode."""
        self._check(source)
        self._check(target)
        lib.llama_memory_seq_cp(self._memory, source, target, -1, -1)

    def trim(self, sequence: int, length: int) -> None:
        """Forget the cells from `length` on; measured bit-exact when they are filled again."""
        self._check(sequence)
        lib.llama_memory_seq_rm(self._memory, sequence, length, -1)

    def save(self, sequence: int) -> bytes:
        """Return the sequence's state, free of how many other sequences there are."""
        self._check(sequence)
        size = lib.llama_state_seq_get_size(self._context, sequence)
        buffer = np.empty(size, np.uint8)
        written = lib.llama_state_seq_get_data(
            self._context, buffer.ctypes.data_as(_BYTES), size, sequence
        )
        if written != size:
            raise EngineCrashedError("a sequence's state could not be read")
        if not self._one_cache:
            return buffer.tobytes()
        # The library writes a count of cells for every stream, zero for all but this one. Without
        # them, a state can be loaded by an engine with more or fewer sequences.
        before = _STATE_HEAD.size + _COUNT_BYTES * sequence
        after = size - _COUNT_BYTES * (self._sizes.sequences - 1 - sequence)
        state = memoryview(buffer.data)
        return b"".join((state[: _STATE_HEAD.size], state[before:after]))

    def restore(self, sequence: int, tokens: int, state: bytes) -> bool:
        """Load a saved state, if it is one and holds so many tokens."""
        self.trim(sequence, 0)
        whole = self._whole(state) if self._one_cache else state
        if not tokens or whole is None:
            return False
        data = np.frombuffer(whole, np.uint8).ctypes.data_as(_BYTES)
        read = lib.llama_state_seq_set_data(self._context, data, len(whole), sequence)
        last = lib.llama_memory_seq_pos_max(self._memory, sequence)
        if read == len(whole) and last == tokens - 1:
            return True
        self.trim(sequence, 0)
        return False

    def _whole(self, state: bytes) -> bytes | None:
        """Return a state as this context would have written it for its first sequence."""
        if len(state) <= _STATE_HEAD.size:
            return None
        mark, _, _ = _STATE_HEAD.unpack_from(state)
        head = _STATE_HEAD.pack(mark, 0, self._sizes.sequences)
        zeros = bytes(_COUNT_BYTES * (self._sizes.sequences - 1))
        return b"".join((head, memoryview(state)[_STATE_HEAD.size :], zeros))

    def _check(self, sequence: int) -> None:
        """Refuse what would abort the library."""
        if not 0 <= sequence < self._sizes.sequences:
            raise InvariantError(f"there is no sequence {sequence}")
