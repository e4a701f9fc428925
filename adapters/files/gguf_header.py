"""The head of a GGUF file: its metadata, read without loading the weights.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

import struct
from pathlib import Path
from typing import IO

from bot.domain.errors import ConfigurationError
from bot.ports.checks import ModelHeader

Value = int | float | bool | str | None

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ENTRIES, MAX_TEXT_BYTES = 65_536, 16 * 1024 * 1024
_STRING, _ARRAY = 8, 9
_NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

# The engine's own limits (adapters/llama): sequences, tokens of each, tokens of one batch.
SEQUENCES, MAX_CONTEXT, BATCH_TOKENS = 8, 4096, 256
Q8_0_BYTES = 34 / 32
OVERHEAD_BYTES = 96 * 2**20


def read_header(path: Path) -> ModelHeader:
    """Read what a model file says of itself.

    Raises:
        ConfigurationError: it can't be read, or is no GGUF.
    """
    try:
        with path.open("rb") as file:
            values = _read_values(file)
        size = path.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"The model {path} can't be read ({error.strerror}).") from error
    except (ValueError, OverflowError, RecursionError, struct.error) as error:
        raise ConfigurationError(f"The model {path} is not a whole GGUF file: {error}.") from error
    return ModelHeader(
        architecture=str(values.get("general.architecture") or ""),
        weights=_number(values, "general.file_type"),
        has_template=bool(values.get("tokenizer.chat_template")),
        needed_bytes=size + _cache_bytes(values),
    )


def _cache_bytes(values: dict[str, Value]) -> int:
    """Estimate keys and values of all sequences in q8_0, one batch of logits, and the rest."""
    kind = f"{values.get('general.architecture')}."
    heads = _number(values, kind + "attention.head_count")
    width = _number(values, kind + "embedding_length") // max(1, heads)
    key = _number(values, kind + "attention.key_length") or width
    value = _number(values, kind + "attention.value_length") or width
    shared = _number(values, kind + "attention.head_count_kv") or heads
    context = min(_number(values, kind + "context_length"), MAX_CONTEXT)
    cells = _number(values, kind + "block_count") * shared * (key + value) * context * SEQUENCES
    logits = BATCH_TOKENS * _number(values, kind + "vocab_size") * 4
    return int(cells * Q8_0_BYTES) + logits + OVERHEAD_BYTES


def _number(values: dict[str, Value], name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _read_values(file: IO[bytes]) -> dict[str, Value]:
    """Return the metadata by name; arrays count as None."""
    if _take(file, 4) != MAGIC:
        raise ValueError("it does not begin with GGUF")
    version, _tensors, entries = struct.unpack("<IQQ", _take(file, 20))
    if version not in VERSIONS:
        raise ValueError(f"its version {version} is not known")
    if entries > MAX_ENTRIES:
        raise ValueError("its metadata has too many entries")
    return {_text(file): _value(file, _unpack(file, "<I")) for _ in range(entries)}


def _value(file: IO[bytes], kind: int) -> Value:
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        _skip_array(file)
        return None
    if kind not in _NUMBERS:
        raise ValueError(f"it holds values of an unknown kind {kind}")
    number: Value = _unpack(file, _NUMBERS[kind])
    return number


def _skip_array(file: IO[bytes]) -> None:
    kind, count = struct.unpack("<IQ", _take(file, 12))
    if kind in _NUMBERS:
        file.seek(struct.calcsize(_NUMBERS[kind]) * count, 1)
        return
    for _ in range(count):  # texts, or arrays of arrays: each has its own length
        _value(file, kind)


def _text(file: IO[bytes]) -> str:
    size = _unpack(file, "<Q")
    if size > MAX_TEXT_BYTES:
        raise ValueError("a text in its metadata is too long")
    return _take(file, size).decode("utf-8", errors="replace")


def _unpack(file: IO[bytes], layout: str) -> int:
    number: int = struct.unpack(layout, _take(file, struct.calcsize(layout)))[0]
    return number


def _take(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data
