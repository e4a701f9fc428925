"""What a log and a witness say to each other (c2sp.org/tlog-witness, `add-checkpoint`)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.errors import FormatError
from bot.crypto.merkle import HASH_BYTES, MAX_PROOF_HASHES

MAX_REQUEST_BYTES = 65_536
SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})", re.ASCII)
_SIZE = re.compile(r"(0|[1-9][0-9]{0,15})\n", re.ASCII)


@dataclass(frozen=True, slots=True)
class Submission:
    """A head offered to a witness.

    Attributes:
        old: the size of the head that the witness cosigned last; 0 for none.
        proof: hashes of the consistency proof from there.
        note: the signed checkpoint.
    """

    old: int
    proof: tuple[bytes, ...]
    note: str


def encode_submission(old: int, proof: Sequence[bytes], note: str) -> bytes:
    """Write the body of a request."""
    lines = [f"old {old}", *(encode_b64(value) for value in proof), "", note]
    return "\n".join(lines).encode()


def parse_submission(body: bytes) -> Submission:
    """Parse the body of a request.

    Raises:
        FormatError: not an old size, at most 63 hashes, an empty line and a note.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise FormatError(f"a request has at most {MAX_REQUEST_BYTES} bytes")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise FormatError("a request is UTF-8") from error
    head, separator, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    match = _OLD.fullmatch(first)
    if not separator or not match or int(match[1]) > MAX_INTEGER:
        raise FormatError("a request is an old size, a proof, an empty line and a checkpoint")
    if len(lines) > MAX_PROOF_HASHES:
        raise FormatError(f"a consistency proof has at most {MAX_PROOF_HASHES} hashes")
    proof = tuple(parse_b64(line) for line in lines)
    if any(len(value) != HASH_BYTES for value in proof):
        raise FormatError("a hash of the proof is not 32 bytes")
    return Submission(int(match[1]), proof, note)


def parse_size(body: bytes) -> int:
    """Parse the size that a witness answers with when it knows another head.

    Raises:
        FormatError: not a decimal number and a newline.
    """
    match = _SIZE.fullmatch(body.decode("ascii", "replace"))
    if not match or int(match[1]) > MAX_INTEGER:
        raise FormatError("the witness's size is not a decimal number below 2^53 on one line")
    return int(match[1])
