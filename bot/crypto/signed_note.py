"""Signed notes and checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).

A note is `text`, a blank line, and one line `— name base64(key hash || signature)` a signature.
A checkpoint is a note whose text is the log's origin, tree size and root, each on its line.
Only Ed25519 keys (type 0x01) are known here.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.crypto import ed25519
from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.encoding import encode_b64, parse_b64, parse_hex
from bot.crypto.errors import FormatError, MismatchError

MAX_NOTE_BYTES = 1_000_000  # the bounds of Go's golang.org/x/mod/sumdb/note
MAX_SIGNATURES = 100
_ED25519 = b"\x01"
_KEY_HASH_BYTES = 4
_ROOT_BYTES = 32
_NAME_RULE = r"[!-*,-~]{1,128}"  # printable ASCII without space and plus: formats.md section 8
_NAME = re.compile(_NAME_RULE)
_SIGNATURE_LINE = re.compile(rf"— ({_NAME_RULE}) ([A-Za-z0-9+/]+={{0,2}})")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A named Ed25519 public key, as in a C2SP vkey.

    Raises:
        FormatError: the name is not 1 to 128 characters from U+0021 to U+007E without a plus, or
            the key is no valid public key.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise FormatError(
                "a key name is 1 to 128 printable ASCII characters without space and plus"
            )
        ed25519.check_public_key(self.public_key)

    @property
    def key_hash(self) -> bytes:
        """The 4-byte key id: SHA-256(name || newline || 0x01 || public key)[:4]."""
        data = self.name.encode() + b"\n" + _ED25519 + self.public_key
        return hashlib.sha256(data).digest()[:_KEY_HASH_BYTES]

    def encode(self) -> str:
        """Write as `name+hex(key hash)+b64(0x01 || public key)`."""
        return f"{self.name}+{self.key_hash.hex()}+{encode_b64(_ED25519 + self.public_key)}"


def parse_vkey(text: str) -> VerifierKey:
    """Parse a vkey.

    Raises:
        FormatError: it is not a vkey of an Ed25519 key, or its key hash is not the key's.
    """
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - name, hash, key
        raise FormatError("a vkey is name+hash+key")
    data = parse_b64(parts[2])
    if data[:1] != _ED25519:
        raise FormatError("the vkey's key type is not Ed25519")
    key = VerifierKey(parts[0], data[1:])
    if parse_hex(parts[1], _KEY_HASH_BYTES) != key.key_hash:
        raise FormatError("the vkey's key hash is not that of its key")
    return key


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who claims it, the key's hash, and the signature bytes."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose text (with its last newline) is signed by `key`.

    Attributes:
        others: lines by keys that the reader does not know, unchecked.
    """

    text: str
    key: VerifierKey
    others: tuple[NoteSignature, ...]


def sign_note(text: str, name: str, private_key: bytes) -> str:
    """Sign a text with one Ed25519 key (32-byte seed).

    Raises:
        FormatError: the text or the name cannot stand in a note.
    """
    _check_text(text)
    key = VerifierKey(name, ed25519.public_key_of(private_key))
    signature = ed25519.sign(private_key, text.encode())
    return f"{text}\n— {name} {encode_b64(key.key_hash + signature)}\n"


def open_note(note: str, key: VerifierKey) -> Note:
    """Open a note that must carry exactly one signature by `key`, which must be true.

    Raises:
        FormatError: the bytes are not a note.
        MismatchError: the key's signature is missing or false.
    """
    text, signatures = _split_note(note)
    mine = [s for s in signatures if (s.name, s.key_hash) == (key.name, key.key_hash)]
    others = tuple(s for s in signatures if s not in mine)
    if len(mine) != 1:
        raise MismatchError(f"the note has {len(mine)} signatures by the key, not one")
    ed25519.verify(key.public_key, text.encode(), mine[0].signature)
    return Note(text, key, others)


def _split_note(note: str) -> tuple[str, Sequence[NoteSignature]]:
    if len(note) > MAX_NOTE_BYTES:
        raise FormatError("the note is too long")
    head, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise FormatError("a note is a text, a blank line and signature lines")
    text = head + "\n"
    _check_text(text)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise FormatError("the note has too many signatures")
    return text, [_parse_signature(line) for line in lines]


def _parse_signature(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if not match:
        raise FormatError("a signature line is not of the form '— name base64'")
    data = parse_b64(match[2])
    if len(data) <= _KEY_HASH_BYTES:
        raise FormatError("a signature line is too short")
    return NoteSignature(match[1], data[:_KEY_HASH_BYTES], data[_KEY_HASH_BYTES:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise FormatError("a note's text ends with a newline and holds no control character")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: its origin, its size in leaves and its root (32 bytes).

    Raises:
        FormatError: the origin is no key name, the size is above 2^53 - 1, or the root is not
            32 bytes.
    """

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.origin):
            raise FormatError("a checkpoint's origin is a key name")
        if not 0 <= self.size <= MAX_INTEGER or len(self.root) != _ROOT_BYTES:
            raise FormatError("a checkpoint has a size below 2^53 and a root of 32 bytes")

    def encode(self) -> str:
        """Write as the text of a note, without extension lines."""
        return f"{self.origin}\n{self.size}\n{encode_b64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a note's text.

        Raises:
            FormatError: it is not exactly three lines, or a number or root is not canonical.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:  # noqa: PLR2004 - three lines, each ended
            raise FormatError("a checkpoint has the lines origin, size and root, and no others")
        if not _DECIMAL.fullmatch(lines[1]):
            raise FormatError(
                "a checkpoint's size is a decimal number below 2^53, without leading zeros"
            )
        return cls(lines[0], int(lines[1]), parse_b64(lines[2]))
