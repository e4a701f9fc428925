"""Log proofs (c2sp.org/tlog-proof, version 1 without `extra`): a leaf's place under a checkpoint.

```
c2sp.org/tlog-proof@v1
index 41
<base64 of a hash>          one line a hash, leaf to root

<checkpoint>                a signed note with all its signature lines
```
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.crypto.canonical import MAX_INTEGER
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.errors import FormatError
from bot.crypto.merkle import MAX_PROOF_HASHES

MAX_SIGNATURE_LINES = 16
_HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,15})", re.ASCII)
_HASH = re.compile(r"[A-Za-z0-9+/]{43}=", re.ASCII)


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A parsed proof; nothing of it is verified.

    Attributes:
        index: of the leaf.
        inclusion: hashes from leaf to root.
        checkpoint: the note that the proof leads to, as it stands there.
    """

    index: int
    inclusion: tuple[bytes, ...]
    checkpoint: str


def format_proof(index: int, inclusion: Sequence[bytes], checkpoint: str) -> str:
    """Write a proof; the checkpoint is a note with its last newline."""
    hashes = "".join(f"{encode_b64(value)}\n" for value in inclusion)
    return f"{_HEADER}\nindex {index}\n{hashes}\n{checkpoint}"


def parse_proof(text: str) -> TlogProof:
    """Parse a proof, every character of it; of the checkpoint only its lines are counted.

    Raises:
        FormatError: it is not one, or is beyond the limits of formats.md section 12.
    """
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != _HEADER or len(lines) < 2:  # noqa: PLR2004 - header, index
        raise FormatError("not a log proof of version 1")
    found = _INDEX.fullmatch(lines[1])
    if not found or int(found[1]) > MAX_INTEGER:
        raise FormatError("the log proof's second line is not an index below 2^53")
    hashes = lines[2:]
    if len(hashes) > MAX_PROOF_HASHES:
        raise FormatError(f"an inclusion proof has at most {MAX_PROOF_HASHES} hashes")
    if not all(_HASH.fullmatch(line) for line in hashes):
        raise FormatError("a line of the log proof is not the base64 of a hash of 32 bytes")
    if checkpoint.rpartition("\n\n")[2].count("\n") > MAX_SIGNATURE_LINES:
        raise FormatError(f"a checkpoint has at most {MAX_SIGNATURE_LINES} signature lines")
    return TlogProof(int(found[1]), tuple(map(parse_b64, hashes)), checkpoint)
