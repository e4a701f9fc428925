"""Auditors' verdicts as a verifier sees them: level L4 (formats.md sections 8.2 and 11).

What a log serves of a receipt, at `{base}/r/{receipt id}.verdicts`, is canonical JSON
`{"v":"twinproof-audits/1","receipt":hex32,"verdicts":[{"statement":DSSE,"leaf":b64,"proof":str}…]}`
in the order of the log; `leaf` and `proof` are as in a bundle. Nothing of it is believed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.dsse import Envelope, envelope_from_json, envelope_to_json, verify_envelope
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import leaf_hash, verify_inclusion
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.crypto.tlog_proof import parse_proof
from bot.domain.leaf import VerdictLeaf
from bot.domain.reading import ObjectReader
from bot.domain.statements import VERDICT_TYPE, AuditVerdict, Sample, VerdictStatement
from bot.receipts.bundle import LogProof
from bot.receipts.steps import evidence
from bot.receipts.verified import VerifiedReceipt

VERSION = "twinproof-audits/1"
LEVEL = "L4"
REPLAY_STEP = 11
HASH_BYTES = 32
MAX_VERDICTS = 256
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoggedVerdict:
    """A signed verdict statement and its place in the log; nothing of it is verified."""

    statement: Envelope
    log: LogProof


@dataclass(frozen=True, slots=True)
class AuditorsWord:
    """A true verdict by an auditor whom the verifier trusts: `auditor` is 32 bytes."""

    auditor: bytes
    verdict: AuditVerdict
    sample: Sample


@dataclass(frozen=True, slots=True)
class Audited:
    """What the verifier's auditors say of a reply.

    Attributes:
        words: in the order of the log.
        others: how many verdicts by other keys were passed over.
    """

    words: tuple[AuditorsWord, ...]
    others: int

    @property
    def is_contradicted(self) -> bool:
        """Whether one of them says that the reply is not what the model gives."""
        return any(word.verdict is AuditVerdict.INCONSISTENT for word in self.words)

    @property
    def level(self) -> str | None:
        """`L4`: one has replayed it to the bit, and none says that it is another reply."""
        exact = any(word.verdict is AuditVerdict.EXACT for word in self.words)
        return LEVEL if exact and not self.is_contradicted else None


def open_statement(envelope: Envelope) -> VerdictStatement:
    """Read a verdict statement that its own key has signed; whose key it is remains to be asked.

    Raises:
        FormatError: it is not a verdict statement.
        MismatchError: its signature is false.
    """
    verify_envelope(envelope, payload_type=VERDICT_TYPE, key=envelope.key)
    return VerdictStatement.parse(envelope.payload)


def leaf_of(envelope: Envelope, statement: VerdictStatement) -> VerdictLeaf:
    """Return the leaf that cites a statement."""
    return VerdictLeaf(envelope.digest, statement.receipt, statement.verdict)


def encode_verdicts(receipt: bytes, verdicts: Sequence[LoggedVerdict]) -> bytes:
    """Encode what is served of a receipt, as canonical JSON."""
    return encode_canonical(
        {
            "v": VERSION,
            "receipt": receipt.hex(),
            "verdicts": [
                {
                    "statement": envelope_to_json(one.statement),
                    "leaf": encode_b64(one.log.leaf),
                    "proof": one.log.proof,
                }
                for one in verdicts
            ],
        }
    )


def parse_verdicts(data: bytes) -> tuple[bytes, tuple[LoggedVerdict, ...]]:
    """Parse what is served: the receipt hash, and its verdicts.

    Raises:
        FormatError: the bytes are not that.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"the verdicts are larger than {MAX_BYTES} bytes")
    reader = ObjectReader(parse_canonical(data), "verdicts", "v receipt verdicts")
    reader.constant("v", VERSION)
    found = reader.items("verdicts", _read)
    if len(found) > MAX_VERDICTS:
        raise FormatError(f"there are more than {MAX_VERDICTS} verdicts")
    return reader.hex("receipt", HASH_BYTES), found


def check_verdicts(data: bytes, verified: VerifiedReceipt, auditors: Collection[bytes]) -> Audited:
    """Check what a log serves of a verified receipt; keys that are no auditor's are passed over.

    Args:
        data: as it was served.
        verified: the receipt.
        auditors: public keys that the verifier's policy names.

    Raises:
        VerificationError: step 11, a verdict by one of these is false, or is not in the log.
        MalformedProofError: step 11, the bytes are not what the format says.
    """
    with evidence(REPLAY_STEP):
        receipt, found = parse_verdicts(data)
        if receipt != verified.receipt_hash:
            raise MismatchError("the verdicts are on another receipt")
        named = [one for one in found if one.statement.key in auditors]
        words = tuple(_check(one, verified) for one in named)
    return Audited(words, len(found) - len(named))


def _check(one: LoggedVerdict, verified: VerifiedReceipt) -> AuditorsWord:
    statement = open_statement(one.statement)
    if statement.receipt != verified.receipt_tag:
        raise MismatchError("a verdict is on another receipt")
    if one.log.leaf != leaf_of(one.statement, statement).encode():
        raise MismatchError("the log's leaf is not of this verdict")
    index = _index(one.log, verified.logged.log)
    sample, logged = statement.sample, verified.logged
    if sample.log not in logged.origins_of_leaf or not logged.index < sample.size - 1:
        raise MismatchError("the reply is not below the head that a verdict's sample was drawn by")
    if index < sample.size:
        raise MismatchError("a verdict was logged before the head that its sample was drawn by")
    if not sample.holds(verified.receipt_tag):
        raise MismatchError("the reply does not belong to the sample that a verdict names")
    return AuditorsWord(one.statement.key, statement.verdict, sample)


def _index(place: LogProof, log: VerifierKey) -> int:
    """Check that a leaf stands in a log; return its index."""
    proof = parse_proof(place.proof)
    head = Checkpoint.parse(open_note(proof.checkpoint, log).text)
    if head.origin != log.name:
        raise MismatchError("the checkpoint of a verdict is of another log")
    if not proof.index < head.size:
        raise FormatError("the index of a verdict's leaf is not below the checkpoint's size")
    verify_inclusion(
        leaf=leaf_hash(place.leaf),
        index=proof.index,
        size=head.size,
        proof=proof.inclusion,
        root=head.root,
    )
    return proof.index


def _read(value: JsonValue, path: str) -> LoggedVerdict:
    reader = ObjectReader(value, path, "statement leaf proof")
    envelope = envelope_from_json(reader.value("statement"))
    return LoggedVerdict(envelope, LogProof(reader.base64("leaf"), reader.text("proof")))
