"""One saved state in one file: whose it is, which tokens it holds, and a digest over all of it.

Layout: mark, length of the head, head (JSON, ASCII), token ids (32 bits, little-endian), payload,
SHA-256 over everything before it. The file is written beside its place and renamed, so a crash
leaves an old file, a new file, or one that is called partial; a cut or flipped one is refused.
"""

import hashlib
import json
import os
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

MARK = b"TWINPROOF STATE1"
PARTIAL = ".partial"
_LENGTH = struct.Struct("<I")
_FIRST_READ = 4096  # more than any head
_DIGEST_BYTES = 32
PRIVATE = 0o600


class RefusedStateError(Exception):
    """The file is not what was looked for, or is damaged; never leaves this folder's code."""


@dataclass(frozen=True, slots=True)
class StateKey:
    """What a state is good for; the library itself would take another model's of the same shape.

    Attributes:
        model: SHA-256 of the GGUF, hex.
        build: SHA-256 of the library, hex.
        cache: what keys and values are kept in.
    """

    model: str
    build: str
    cache: str = "q8_0, one stream each"


def write_state(
    path: Path, key: StateKey, subject: str, tokens: tuple[int, ...], state: bytes
) -> int:
    """Write a state in place of what is there, and return how many bytes that took.

    Args:
        path: where.
        key: what it is good for.
        subject: of what it is the state.
        tokens: what it holds.
        state: the payload.

    Raises:
        OSError: it could not be written; nothing is left behind.
    """
    ids = np.asarray(tokens, "<i4").tobytes()
    head = json.dumps(_head(key, subject, len(tokens), len(state))).encode("ascii")
    partial = path.with_name(path.name + PARTIAL)
    digest = hashlib.sha256()
    size = 0
    try:
        with open(partial, "wb", opener=_open_private) as file:
            for part in (MARK, _LENGTH.pack(len(head)), head, ids, state):
                digest.update(part)
                size += file.write(part)
            size += file.write(digest.digest())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
        raise
    return size


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE)


def read_tokens(path: Path, key: StateKey, subject: str) -> tuple[int, ...]:
    """Return which tokens a file says that it holds; its digest is not checked.

    Raises:
        RefusedStateError: the file is damaged, or is another's.
    """
    try:
        with path.open("rb") as file:
            head, start = _parse_head(file.read(_FIRST_READ), key, subject)
            file.seek(start)
            ids = file.read(4 * head["tokens"])
    except OSError as error:
        raise RefusedStateError(str(error)) from error
    if len(ids) != 4 * head["tokens"]:
        raise RefusedStateError("it ends too early")
    return _tuple(ids)


def read_state(path: Path, key: StateKey, subject: str, tokens: tuple[int, ...]) -> bytes:
    """Return the state of exactly these tokens.

    Raises:
        RefusedStateError: the file is damaged, or is another's.
    """
    try:
        whole = memoryview(path.read_bytes())
    except OSError as error:
        raise RefusedStateError(str(error)) from error
    body, digest = whole[:-_DIGEST_BYTES], whole[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise RefusedStateError("its digest is another")
    head, start = _parse_head(bytes(body[:_FIRST_READ]), key, subject)
    end = start + 4 * head["tokens"]
    if _tuple(bytes(body[start:end])) != tokens or len(body) - end != head["bytes"]:
        raise RefusedStateError("it holds other tokens")
    return bytes(body[end:])


def _head(key: StateKey, subject: str, tokens: int, size: int) -> dict[str, Any]:
    return {
        "model": key.model,
        "build": key.build,
        "cache": key.cache,
        "subject": subject,
        "tokens": tokens,
        "bytes": size,
    }


def _parse_head(data: bytes, key: StateKey, subject: str) -> tuple[dict[str, Any], int]:
    """Return the head and where the token ids begin."""
    start = len(MARK) + _LENGTH.size
    if not data.startswith(MARK) or len(data) < start:
        raise RefusedStateError("it is no state of this version")
    end = start + _LENGTH.unpack_from(data, len(MARK))[0]
    try:
        head = dict(json.loads(data[start:end]))
        expected = _head(key, subject, int(head["tokens"]), int(head["bytes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RefusedStateError("its head can't be read") from error
    if head != expected or head["tokens"] < 0:
        raise RefusedStateError("it is another model's, library's or conversation's")
    return head, end


def _tuple(ids: bytes) -> tuple[int, ...]:
    return tuple(np.frombuffer(ids, "<i4").tolist())
