"""A vocabulary file with some tokens renamed, so that a template meets the control tokens it names.

llama.cpp's source carries real vocabularies and real templates, not always of the same model: the
words, merges and kinds stay as they are, only the spelling of a few control tokens changes.
"""

import struct
from collections.abc import Mapping
from pathlib import Path

TOKENS, KINDS = "tokenizer.ggml.tokens", "tokenizer.ggml.token_type"
CONTROL = 3
_STRING, _ARRAY = 8, 9
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 24  # magic, version, two counts

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self.data, self.at)
        self.at += struct.calcsize(layout)
        return int(value)

    def text(self) -> bytes:
        size = self.number("<Q")
        self.at += size
        return self.data[self.at - size : self.at]

    def skip(self, kind: int) -> None:
        if kind == _STRING:
            self.text()
        elif kind == _ARRAY:
            inner, count = self.number("<I"), self.number("<Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.at += _SIZES[kind]


def rename_tokens(source: Path, target: Path, names: Mapping[str, str]) -> None:
    """Copy a vocabulary, giving tokens other spellings; they are control tokens there."""
    reader = _Reader(source.read_bytes())
    entries = struct.unpack_from("<Q", reader.data, 16)[0]
    parts = {}
    tokens: list[bytes] = []
    kinds: list[int] = []
    for _ in range(entries):
        begin = reader.at
        name = reader.text().decode()
        kind = reader.number("<I")
        head = reader.data[begin : reader.at]
        if name in {TOKENS, KINDS}:
            inner, count = reader.number("<I"), reader.number("<Q")
            value = reader.at
            if name == TOKENS:
                tokens = [reader.text() for _ in range(count)]
            else:
                reader.at += _SIZES[inner] * count
                kinds = list(struct.unpack_from(f"<{count}i", reader.data, value))
            parts[name] = head + reader.data[value - 12 : value]
        else:
            reader.skip(kind)
            parts[name] = reader.data[begin : reader.at]
    for old, new in names.items():
        at = tokens.index(old.encode())
        tokens[at] = new.encode()
        kinds[at] = CONTROL
    parts[TOKENS] += b"".join(struct.pack("<Q", len(one)) + one for one in tokens)
    parts[KINDS] += struct.pack(f"<{len(kinds)}i", *kinds)
    target.write_bytes(reader.data[:24] + b"".join(parts.values()))
