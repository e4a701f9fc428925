"""Cosignatures: the bytes of the specification, and nothing that is close to them."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bot.crypto.cosignature import (
    WitnessKey,
    cosign,
    parse_witness_vkey,
    read_cosignature,
)
from bot.crypto.ed25519 import public_key_of
from bot.crypto.encoding import parse_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.signed_note import Checkpoint, NoteSignature, VerifierKey, open_note, sign_note
from scripts.vector_log import fixed_key

SEED, LOG_SEED = fixed_key("witness"), fixed_key("log")
KEY = WitnessKey("witness.example/w1", public_key_of(SEED))
LOG = VerifierKey("example.com/log", public_key_of(LOG_SEED))
TEXT = Checkpoint(LOG.name, 7, bytes(range(32))).encode()
NOTE = sign_note(TEXT, LOG.name, LOG_SEED)
TIME = 1_679_315_147


def test_line_has_the_bytes_of_the_specification() -> None:
    name, data = cosign(TEXT, KEY.name, SEED, TIME).line.removeprefix("— ").split(" ")
    raw = parse_b64(data.rstrip("\n"))

    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + KEY.public_key).digest()[:4]
    signed = f"cosignature/v1\ntime {TIME}\n{TEXT}".encode()
    assert name == "witness.example/w1"
    assert (raw[:4], raw[4:12], len(raw)) == (key_id, TIME.to_bytes(8, "big"), 4 + 8 + 64)
    Ed25519PublicKey.from_public_bytes(KEY.public_key).verify(raw[12:], signed)


def test_a_cosigned_note_opens_and_tells_the_time() -> None:
    note = open_note(NOTE + cosign(TEXT, KEY.name, SEED, TIME).line, LOG)

    found = [read_cosignature(note.text, line, KEY) for line in note.others]

    assert [one.time if one else None for one in found] == [TIME]


def test_vkey_reads_back_and_is_not_a_logs() -> None:
    assert parse_witness_vkey(KEY.encode()) == KEY
    assert KEY.key_hash != VerifierKey(KEY.name, KEY.public_key).key_hash
    for wrong in (LOG.encode(), KEY.encode()[:-2], "w1", KEY.encode().replace("w1", "w2")):
        with pytest.raises(FormatError):
            parse_witness_vkey(wrong)


@pytest.mark.parametrize("at", range(8 + 64))
def test_one_changed_byte_of_time_or_signature_is_false(at: int) -> None:
    signed = cosign(TEXT, KEY.name, SEED, TIME)
    raw = bytearray(TIME.to_bytes(8, "big") + signed.signature)
    raw[at] ^= 1

    with pytest.raises((MismatchError, FormatError)):
        read_cosignature(TEXT, NoteSignature(KEY.name, KEY.key_hash, bytes(raw)), KEY)


def test_a_cosignature_of_another_head_is_false() -> None:
    other = cosign(TEXT.replace("\n7\n", "\n8\n"), KEY.name, SEED, TIME)
    line = parse_b64(other.line.split(" ")[2].strip())

    with pytest.raises(MismatchError, match="is false"):
        read_cosignature(TEXT, NoteSignature(KEY.name, line[:4], line[4:]), KEY)


def test_a_plain_signature_by_the_witness_is_no_cosignature() -> None:
    plain = sign_note(TEXT, KEY.name, SEED).split("\n\n")[1]
    note = open_note(NOTE + plain, LOG)

    assert [read_cosignature(note.text, line, KEY) for line in note.others] == [None]


@pytest.mark.parametrize("length", [0, 8, 71, 73])
def test_a_cosignature_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(FormatError):
        read_cosignature(TEXT, NoteSignature(KEY.name, KEY.key_hash, bytes(length)), KEY)


def test_a_time_above_the_limit_is_refused() -> None:
    raw = (2**63).to_bytes(8, "big") + bytes(64)

    with pytest.raises(FormatError, match="time"):
        read_cosignature(TEXT, NoteSignature(KEY.name, KEY.key_hash, raw), KEY)
