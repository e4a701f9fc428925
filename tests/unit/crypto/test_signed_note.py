import hashlib
from itertools import count

import pytest

from bot.crypto import ed25519
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note, parse_vkey, sign_note

SEED = bytes(range(32))
KEY = VerifierKey("log.example/1", ed25519.public_key_of(SEED))
TEXT = Checkpoint(KEY.name, 7, bytes(32)).encode()
NOTE = sign_note(TEXT, KEY.name, SEED)
# The key and note of the documentation of golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngo"
    "tpRZb6KE6RyyBwJnAM=\n"
)

IDENTITY = b"\x01" + bytes(31)


def _vkey(name: str, key: bytes = KEY.public_key) -> str:
    """Write a vkey whose key hash is right, whatever its name and key."""
    digest = hashlib.sha256(name.encode() + b"\n\x01" + key).digest()
    return f"{name}+{digest[:4].hex()}+{encode_b64(bytes([1]) + key)}"


def test_published_note_opens_with_its_published_key() -> None:
    note = open_note(PETER_NOTE, parse_vkey(PETER))

    assert note.text.endswith("what your problem is.\n")
    assert note.others == ()


def test_vkey_survives() -> None:
    assert parse_vkey(KEY.encode()) == KEY
    assert parse_vkey(PETER).encode() == PETER
    assert parse_vkey(_vkey("!" * 128)).name == "!" * 128


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name+00000000",
        PETER.replace("c74f20a3", "c74f20a4"),
        PETER.replace("c74f20a3", "C74F20A3"),
        PETER.replace("+ARpc", "+BRpc"),
        PETER.replace("Peter", "Peter "),
        _vkey("a\u00a0b"),
        _vkey("a\tb"),
        _vkey("a\x07"),
        _vkey("a\x7f"),
        _vkey("l\u043eg"),
        _vkey("x" * 129),
        _vkey("log", IDENTITY),
        PETER + "\n",
        "+" + PETER.partition("+")[2],
    ],
)
def test_vkey_with_anything_changed_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_vkey(text)


def test_signed_note_opens_to_its_text() -> None:
    assert open_note(NOTE, KEY).text == TEXT


def test_unknown_signature_is_kept_unchecked() -> None:
    other = sign_note(TEXT, "witness.example", bytes(32)).rpartition("\n\n")[2]

    note = open_note(NOTE + other, KEY)

    assert [signature.name for signature in note.others] == ["witness.example"]


def test_note_without_the_keys_signature_is_refused() -> None:
    with pytest.raises(MismatchError, match="0 signatures"):
        open_note(sign_note(TEXT, KEY.name, bytes(32)), KEY)


def test_note_with_the_keys_signature_twice_is_refused() -> None:
    line = NOTE.rpartition("\n\n")[2]

    with pytest.raises(MismatchError, match="2 signatures"):
        open_note(NOTE + line, KEY)


def test_changed_text_is_refused() -> None:
    with pytest.raises(MismatchError):
        open_note(NOTE.replace("\n7\n", "\n8\n"), KEY)


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("— ", "- "),
        NOTE.replace("— ", "—  "),
        NOTE + "junk\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("log", "l\x00g"),
        NOTE.replace("log", "l\rg"),
        f"{TEXT}\n— {KEY.name} AAAA\n",
        f"{TEXT}\n— {KEY.name} {encode_b64(KEY.key_hash)}\n",
        TEXT + "\n" + NOTE.rpartition("\n\n")[2] * 101,
        "x" * 1_000_001,
    ],
    ids=count(),
)
def test_bytes_that_are_no_note_are_refused(note: str) -> None:
    with pytest.raises(FormatError):
        open_note(note, KEY)


def test_text_that_cannot_be_signed_is_refused() -> None:
    with pytest.raises(FormatError):
        sign_note("no newline at the end", KEY.name, SEED)


def test_checkpoint_survives() -> None:
    assert Checkpoint.parse(TEXT) == Checkpoint(KEY.name, 7, bytes(32))
    largest = Checkpoint(KEY.name, 2**53 - 1, bytes(32))
    assert Checkpoint.parse(largest.encode()) == largest


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n7\n", "\n07\n"),
        TEXT.replace("\n7\n", "\n+7\n"),
        TEXT.replace("\n7\n", "\n\u0667\n"),
        TEXT.replace("\n7\n", f"\n{2**53}\n"),
        TEXT.replace(KEY.name, "log\u00a0example"),
        TEXT + "extension\n",
        TEXT[:-1],
        TEXT.replace("A=\n", "B=\n"),
        f"{KEY.name}\n7\n{encode_b64(bytes(31))}\n",
        "\n" + TEXT.partition("\n")[2],
    ],
)
def test_other_spelling_of_a_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        Checkpoint.parse(text)
