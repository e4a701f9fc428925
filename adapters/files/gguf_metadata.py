"""The metadata and the table of tensors at the beginning of a GGUF file, within limits.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3. The file may be
anybody's: every count is bounded, and nothing is believed that the file is too short for.
"""

import struct
from collections.abc import Mapping
from typing import IO

from bot.domain.weights import TENSOR_KINDS, Tensor

Value = int | float | bool | str | None
"""Arrays count as None."""

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_ENTRIES, MAX_TEXT_BYTES, MAX_ITEMS = 65_536, 16 * 1024 * 1024, 4 * 1024 * 1024
MAX_METADATA_BYTES = 64 * 1024 * 1024
"""Of all entries together; 256,000 tokens of 25 bytes and 500,000 merges take 20 MiB of it."""
KEPT_TEXTS = frozenset(
    {
        "general.architecture",
        "general.license",
        "general.license.link",
        "tokenizer.chat_template",
    }
)
"""What is used later; other texts are only passed over."""
MAX_TENSORS, MAX_DIMENSIONS, MAX_NAME_BYTES = 65_536, 4, 64
ALIGNMENT, MAX_ALIGNMENT = 32, 65_536
_STRING, _ARRAY = 8, 9
_NUMBERS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?",
    10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

FAULTS = (ValueError, OverflowError, RecursionError, struct.error)
"""What these functions raise where a file is not what it should be."""


def read_values(file: IO[bytes]) -> tuple[dict[str, Value], dict[str, int], int]:
    """Read the metadata.

    Returns:
        Values by name (of the texts those in KEPT_TEXTS), lengths of the arrays by name, and how
        many tensors the file announces.
    """
    if _take(file, 4) != MAGIC:
        raise ValueError("it does not begin with GGUF")
    version, tensors, entries = struct.unpack("<IQQ", _take(file, 20))
    if version not in VERSIONS:
        raise ValueError(f"its version {version} is not known")
    if entries > MAX_ENTRIES:
        raise ValueError("its metadata has too many entries")
    if tensors > MAX_TENSORS:
        raise ValueError("it announces too many tensors")
    values: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(entries):
        name, kind = _text(file), _unpack(file, "<I")
        if name in values:
            raise ValueError("its metadata names one thing twice")
        if kind == _ARRAY:
            lengths[name] = _skip_array(file)
            values[name] = None
        else:
            value = _value(file, kind)
            is_kept = not isinstance(value, str) or name in KEPT_TEXTS
            values[name] = value if is_kept else None
        _check_length(file)
    return values, lengths, tensors


def read_tensors(
    file: IO[bytes], count: int, values: Mapping[str, Value], size_bytes: int
) -> list[Tensor]:
    """Read the table of tensors, which follows the metadata, and check it against the file's size.

    Returns:
        The tensors in the order of their data.
    """
    entries = [_entry(file) for _ in range(count)]
    alignment = values.get("general.alignment", ALIGNMENT)
    if not isinstance(alignment, int) or not 1 <= alignment <= MAX_ALIGNMENT:
        raise ValueError("its alignment makes no sense")
    begin = -(-file.tell() // alignment) * alignment
    tensors = []
    end = begin
    for name, kind, shape, offset in sorted(entries, key=lambda entry: entry[3]):
        tensor = Tensor(name, kind, shape, begin + offset, _size(kind, shape))
        if tensor.start < end or offset % alignment:
            raise ValueError("its tensors lie over each other")
        end = tensor.start + tensor.size_bytes
        tensors.append(tensor)
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise ValueError("it names one tensor twice")
    if end > size_bytes:
        raise ValueError(f"it ends too early, {end - size_bytes} bytes are missing")
    return tensors


def _entry(file: IO[bytes]) -> tuple[str, int, tuple[int, ...], int]:
    name = _take(file, _bounded(file, MAX_NAME_BYTES)).decode()
    dimensions = _unpack(file, "<I")
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise ValueError("a tensor has too many dimensions")
    shape = struct.unpack(f"<{dimensions}Q", _take(file, 8 * dimensions))
    return name, _unpack(file, "<I"), shape, _unpack(file, "<Q")


def _size(kind: int, shape: tuple[int, ...]) -> int:
    """Return how many bytes a tensor's data takes."""
    if kind not in TENSOR_KINDS:
        raise ValueError(f"it has tensors of an unknown type {kind}")
    stored = TENSOR_KINDS[kind]
    if min(shape) < 1 or shape[0] % stored.block:
        raise ValueError("a tensor's shape makes no sense")
    numbers = 1
    for size in shape:
        numbers *= size
    return numbers // stored.block * stored.block_bytes


def _bounded(file: IO[bytes], maximum: int) -> int:
    size = _unpack(file, "<Q")
    if size > maximum:
        raise ValueError("a name in it is too long")
    return size


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


def _check_length(file: IO[bytes], more: int = 0) -> None:
    if file.tell() + more > MAX_METADATA_BYTES:
        raise ValueError("its metadata is too long")


def _skip_array(file: IO[bytes]) -> int:
    _check_length(file)
    kind, count = struct.unpack("<IQ", _take(file, 12))
    if count > MAX_ITEMS:
        raise ValueError("a list in its metadata is too long")
    if kind in _NUMBERS:
        file.seek(struct.calcsize(_NUMBERS[kind]) * count, 1)
    else:
        for _ in range(count):  # texts, or arrays of arrays: each has its own length
            _value(file, kind)
    return int(count)


def _text(file: IO[bytes]) -> str:
    size = _unpack(file, "<Q")
    if size > MAX_TEXT_BYTES:
        raise ValueError("a text in its metadata is too long")
    _check_length(file, size)
    return _take(file, size).decode("utf-8", errors="replace")


def _unpack(file: IO[bytes], layout: str) -> int:
    number: int = struct.unpack(layout, _take(file, struct.calcsize(layout)))[0]
    return number


def _take(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data
