"""A whole model file: what it is, found in one reading of every byte of it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from adapters.files.gguf_metadata import FAULTS, Value, read_tensors, read_values
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import MAX_ADDRESS, MAX_LICENCE
from bot.domain.printable import printable
from bot.domain.weights import Tensor, name_quantisation, tensors_root

CHUNK_BYTES = 1024 * 1024
Q8_0_BLOCK, Q8_0_BLOCK_BYTES = 32, 34
_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a GGUF says of itself, its table of tensors checked against its size.

    Attributes:
        kv_bytes: keys and values of one token, in q8_0.
        licence: as the file names it; empty where it doesn't.
    """

    size_bytes: int
    tensors: tuple[Tensor, ...]
    architecture: str
    quantisation: str
    parameters: int
    context_tokens: int
    vocabulary: int
    kv_bytes: int
    licence: str
    licence_link: str
    has_template: bool


@dataclass(frozen=True, slots=True)
class ModelDigests:
    """SHA-256 of a file, and the root over its tensors (formats.md section 15.1)."""

    sha256: bytes
    tensors_root: bytes


def read_facts(path: Path) -> ModelFacts:
    """Read what a model file says of itself, without its weights.

    Raises:
        ConfigurationError: it can't be read, is cut off, or is no GGUF of a chat model.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            values, lengths, count = read_values(file)
            tensors = read_tensors(file, count, values, size)
    except OSError as error:
        raise ConfigurationError(f"The model {path} can't be read ({error.strerror}).") from error
    except FAULTS as error:
        raise ConfigurationError(
            f"{path.name} is not a whole GGUF file: {error}. Fetch it again, or choose another."
        ) from error
    facts = ModelFacts(
        size_bytes=size,
        tensors=tuple(tensors),
        architecture=printable(str(values.get("general.architecture") or ""))[:64],
        quantisation=name_quantisation(tensors),
        parameters=sum(tensor.numbers for tensor in tensors),
        context_tokens=_own(values, "context_length"),
        vocabulary=lengths.get(_TOKENS, 0),
        kv_bytes=_kv_bytes(values),
        licence=_words(values, "general.license", MAX_LICENCE),
        licence_link=_words(values, "general.license.link", MAX_ADDRESS),
        has_template=bool(values.get("tokenizer.chat_template")),
    )
    _check(path, facts)
    return facts


def digest_model(
    path: Path, tensors: Sequence[Tensor], progress: Callable[[float], None]
) -> ModelDigests:
    """Read every byte of a model file once.

    Args:
        path: the GGUF.
        tensors: its own, in the order of their data.
        progress: told the fraction that is read, 0 to 1.

    Raises:
        ConfigurationError: it can't be read, or has become shorter.
    """
    whole = hashlib.sha256()
    each = []
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            for tensor in tensors:
                _feed(file, tensor.start - file.tell(), [whole])
                data = hashlib.sha256()
                _feed(file, tensor.size_bytes, [whole, data])
                each.append((tensor, data.digest()))
                progress(file.tell() / max(1, size))
            _feed(file, size - file.tell(), [whole])
    except OSError as error:
        raise ConfigurationError(f"The model {path} can't be read ({error.strerror}).") from error
    except EOFError as error:
        raise ConfigurationError(f"The model {path} has become shorter: fetch it again.") from error
    progress(1.0)
    return ModelDigests(whole.digest(), tensors_root(each))


def _feed(file: IO[bytes], size: int, digests: Sequence["hashlib._Hash"]) -> None:
    while size > 0:
        chunk = file.read(min(size, CHUNK_BYTES))
        if not chunk:
            raise EOFError
        size -= len(chunk)
        for digest in digests:
            digest.update(chunk)


def _check(path: Path, facts: ModelFacts) -> None:
    if not facts.has_template:
        raise ConfigurationError(
            f"{path.name} has no chat template: choose a chat model (often called instruct)."
        )
    if not (facts.tensors and facts.architecture and facts.vocabulary):
        raise ConfigurationError(f"{path.name} holds no language model: choose another file.")
    if not (facts.context_tokens and facts.kv_bytes):
        raise ConfigurationError(
            f"{path.name} does not say how long its context or how wide its layers are: "
            "choose another file."
        )


def _kv_bytes(values: Mapping[str, Value]) -> int:
    """Return the bytes of one token's keys and values over all layers, in q8_0."""
    heads = _own(values, "attention.head_count")
    width = _own(values, "embedding_length") // max(1, heads)
    key = _own(values, "attention.key_length") or width
    value = _own(values, "attention.value_length") or width
    shared = _own(values, "attention.head_count_kv") or heads
    numbers = _own(values, "block_count") * shared * (key + value)
    return -(-numbers // Q8_0_BLOCK) * Q8_0_BLOCK_BYTES


def _own(values: Mapping[str, Value], name: str) -> int:
    """Return a number of the file's own architecture; 0 where it is missing or makes no sense."""
    value = values.get(f"{values.get('general.architecture')}.{name}")
    return value if isinstance(value, int) and 0 < value < 2**32 else 0


def _words(values: Mapping[str, Value], name: str, maximum: int) -> str:
    value = values.get(name)
    return printable(value)[:maximum] if isinstance(value, str) else ""
