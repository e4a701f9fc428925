"""The head of a GGUF file: its metadata, read without loading the weights.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from collections.abc import Mapping
from pathlib import Path

from adapters.files.gguf_metadata import FAULTS, Value, read_values
from bot.domain.errors import ConfigurationError
from bot.ports.checks import ModelHeader

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
            values, _, _ = read_values(file)
        size = path.stat().st_size
    except OSError as error:
        raise ConfigurationError(f"The model {path} can't be read ({error.strerror}).") from error
    except FAULTS as error:
        raise ConfigurationError(f"The model {path} is not a whole GGUF file: {error}.") from error
    return ModelHeader(
        architecture=str(values.get("general.architecture") or ""),
        weights=_number(values, "general.file_type"),
        has_template=bool(values.get("tokenizer.chat_template")),
        needed_bytes=size + _cache_bytes(values),
    )


def _cache_bytes(values: Mapping[str, Value]) -> int:
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


def _number(values: Mapping[str, Value], name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else 0
