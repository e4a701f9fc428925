"""What an operator does with the library beyond the project's own runner.

A module of its own: it loads the library, which reads the environment when it is loaded.
"""

import ctypes
from pathlib import Path

import llama_cpp as lib

from adapters.llama.memory import Wishes
from adapters.llama.model import LlamaModel
from bench.proofs_models import Cache


@lib.llama_log_callback  # type: ignore[untyped-decorator]  # ctypes
def _swallow(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """Say nothing: the library tells of each matrix."""


def quantise(source: Path, target: Path, kind: int) -> None:
    """Write a model again in another format of the library.

    Raises:
        RuntimeError: the library refused.
    """
    lib.llama_log_set(_swallow, ctypes.c_void_p(0))
    params = lib.llama_model_quantize_default_params()
    params.ftype, params.nthread, params.allow_requantize = kind, 1, True
    if lib.llama_model_quantize(str(source).encode(), str(target).encode(), params):
        raise RuntimeError(f"{source} can't be written in another format")


class OperatorModel(LlamaModel):
    """A model under any cache and attention, that can be given back to the system."""

    def __init__(
        self, path: Path, *, cache: Cache | None, wishes: Wishes, threads: int, portable: bool
    ) -> None:
        super().__init__(path, threads=threads, name=path.stem, portable=portable, wishes=wishes)
        self._handle = lib.llama_get_model(self._context)
        if cache is not None:
            self._reopen(cache)

    def _reopen(self, cache: Cache) -> None:
        """Put a context under another cache in the place of the promised one."""
        params = lib.llama_context_default_params()
        params.n_seq_max = self._sizes.sequences
        params.n_ctx = self._sizes.cells * self._sizes.sequences
        params.n_batch = params.n_ubatch = self._sizes.batch
        params.n_outputs_max = params.n_outputs_max_per_seq = self._rows_limit
        params.n_threads = params.n_threads_batch = 1
        params.flash_attn_type = int(cache.flash)
        params.type_k, params.type_v = cache.keys, cache.values
        params.kv_unified = False
        params.no_perf = True
        lib.llama_free(self._context)
        self._context = lib.llama_init_from_model(self._handle, params)
        if not self._context:
            raise RuntimeError(f"the library opens no context for {cache}")
        self._memory = lib.llama_get_memory(self._context)

    def close(self) -> None:
        """Free context and weights; nothing may be asked of it any more."""
        lib.llama_free(self._context)
        lib.llama_model_free(self._handle)
