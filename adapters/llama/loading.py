"""Loads a GGUF, or says in one sentence why it can't be used, before the library can abort."""

import ctypes
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import llama_cpp as lib

from adapters.llama.memory import Sizes, Wishes, choose_sizes
from bot.domain.errors import ConfigurationError

KV_Q8_0 = 8
Q8_0_BLOCK, Q8_0_BLOCK_BYTES = 32, 34
FLASH_ATTENTION_ON = 1
ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
ROWS_BYTES = 128 * 2**20
MIB = 2**20

_first_error = threading.local()


@lib.llama_log_callback  # type: ignore[untyped-decorator]  # ctypes
def _keep_errors(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
    """Keep the first complaint, which says most, and swallow the chatter."""
    if level == ERROR_LEVEL and not getattr(_first_error, "text", ""):
        _first_error.text = text.decode("utf-8", errors="replace").strip()


def _complaint() -> str:
    """Return what the library complained of, without the name of its function."""
    text: str = getattr(_first_error, "text", "")
    return text.split(": ", 1)[-1].rstrip(".") or "it gives no reason"


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model in memory.

    Attributes:
        handle: the library's.
        template: the chat template in the file.
        cell_bytes: keys and values of one token, in q8_0.
        vocabulary: how many tokens there are.
    """

    handle: object
    template: str
    cell_bytes: int
    vocabulary: int


def load_model(path: Path, *, gpu_layers: int, room_bytes: int | None) -> LoadedModel:
    """Load the weights; they are mapped, not read.

    Raises:
        ConfigurationError: the file is missing, damaged, of an architecture that the library or the
            engine does not know, too big for memory, or has no chat template.
    """
    lib.llama_log_set(_keep_errors, ctypes.c_void_p(0))
    lib.llama_backend_init()
    _check_file(path, room_bytes=None if gpu_layers else room_bytes)
    params = lib.llama_model_default_params()
    params.n_gpu_layers = gpu_layers
    _first_error.text = ""
    handle = lib.llama_model_load_from_file(str(path).encode(), params)
    if not handle:
        raise ConfigurationError(
            f"{path} is not a model that llama.cpp can load ({_complaint()}): "
            "download it again, or choose another."
        )
    try:
        return _check_model(path, handle)
    except ConfigurationError:
        lib.llama_model_free(handle)
        raise


def _check_file(path: Path, *, room_bytes: int | None) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"The model {path} can't be read ({error.strerror}).") from error
    if room_bytes is not None and size > room_bytes:
        raise ConfigurationError(
            f"The model {path} needs {size // MIB} MiB for its weights alone, and only "
            f"{room_bytes // MIB} MiB of memory are free: choose a smaller one, or free some."
        )


def _check_model(path: Path, handle: object) -> LoadedModel:
    template = lib.llama_model_chat_template(handle, None)
    vocabulary = lib.llama_model_get_vocab(handle)
    if vocabulary is None or not template:
        raise ConfigurationError(f"{path} has no chat template: choose a chat model.")
    if (
        lib.llama_model_has_encoder(handle)
        or lib.llama_model_is_recurrent(handle)
        or lib.llama_model_is_hybrid(handle)
    ):
        raise ConfigurationError(
            f"{path} is a model whose state can't be cut back to an earlier point: "
            "choose one of a plain transformer architecture (Llama, Qwen, Gemma, Phi)."
        )
    return LoadedModel(
        handle=handle,
        template=template.decode(),
        cell_bytes=_cell_bytes(handle),
        vocabulary=lib.llama_vocab_n_tokens(vocabulary),
    )


def _cell_bytes(handle: object) -> int:
    kind = _metadata(handle, "general.architecture")
    heads = lib.llama_model_n_head_kv(handle)
    width = lib.llama_model_n_embd(handle) // max(1, lib.llama_model_n_head(handle))
    both = 0
    for part in ("key", "value"):
        with suppress(ValueError):
            both += int(_metadata(handle, f"{kind}.attention.{part}_length"))
            continue
        both += width
    numbers: int = lib.llama_model_n_layer(handle) * heads * both
    return -(-numbers // Q8_0_BLOCK) * Q8_0_BLOCK_BYTES


def _metadata(handle: object, key: str) -> str:
    buffer = ctypes.create_string_buffer(64)
    count = lib.llama_model_meta_val_str(handle, key.encode(), buffer, len(buffer))
    return buffer.value.decode("utf-8", errors="replace") if count >= 0 else ""


def fit_context(
    path: Path, model: LoadedModel, wishes: Wishes, *, room_bytes: int | None, threads: int
) -> Sizes:
    """Decide how many sequences of how many tokens there are.

    Raises:
        ConfigurationError: what was asked for does not fit into memory.
    """
    sizes = choose_sizes(
        wishes,
        trained=lib.llama_model_n_ctx_train(model.handle),
        cell_bytes=model.cell_bytes,
        room_bytes=room_bytes,
        threads=threads,
    )
    if sizes is None:
        free = "?" if room_bytes is None else room_bytes // MIB
        raise ConfigurationError(
            f"The conversations of {path.name} do not fit into memory ({free} MiB are free): set "
            "[model] context or [model] parallel lower, or choose a smaller model."
        )
    return sizes


def rows_limit(model: LoadedModel, sizes: Sizes) -> int:
    """Return how many rows of logits one call of the library may give; they take memory twice."""
    return min(sizes.batch, max(sizes.parallel, ROWS_BYTES // (4 * model.vocabulary)))


def open_context(model: LoadedModel, sizes: Sizes, *, threads: int) -> object:
    """Make a context under the exact profile.

    Raises:
        ConfigurationError: the model does not run under it, or memory is short.
    """
    params = lib.llama_context_default_params()
    params.n_seq_max = sizes.sequences
    params.n_ctx = sizes.cells * sizes.sequences
    params.n_batch = params.n_ubatch = sizes.batch
    params.n_outputs_max = params.n_outputs_max_per_seq = rows_limit(model, sizes)
    params.n_threads = params.n_threads_batch = threads
    params.flash_attn_type = FLASH_ATTENTION_ON
    params.type_k = params.type_v = KV_Q8_0
    params.kv_unified = False
    params.swa_full = True  # else what lies behind a window is lost, and nothing can be cut back
    params.no_perf = True
    _first_error.text = ""
    context = lib.llama_init_from_model(model.handle, params)
    if not context:
        raise ConfigurationError(
            "The model does not run under the exact profile (flash attention with a q8_0 cache; "
            f"{_complaint()}): choose another model, or set [model] context lower."
        )
    return context
