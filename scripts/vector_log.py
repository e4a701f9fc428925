"""The log of a vector: leaves, proofs of their places, cosignatures, an anchor."""

from dataclasses import dataclass
from hashlib import sha256

from bot.crypto import dsse, ed25519, eip712, merkle
from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.tlog_proof import format_proof, parse_proof
from bot.domain.ids import receipt_tag_of
from bot.domain.leaf import OrderLeaf, ReplyLeaf, manifest_prefix, twin_prefix
from bot.domain.order import TwinOrder
from bot.domain.receipt import Receipt
from bot.ports.anchors import Anchor, AnchorPlace
from bot.receipts.bundle import LogProof

COSIGNED_AT = 1_795_168_805  # 2026-11-20T10:00:05Z
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def fixed_key(name: str) -> bytes:
    """Return 32 fixed bytes: a key for tests, public and worthless."""
    return sha256(b"twinproof test key: " + name.encode()).digest()


@dataclass(frozen=True, slots=True)
class MadeLog:
    """A log of these leaves under a signed note."""

    leaves: list[bytes]
    note: str

    def prove(self, index: int, leaf: bytes) -> LogProof:
        """Prove that a leaf stands at an index, whether it does or not."""
        return LogProof(leaf, format_proof(index, self._path(index, len(self.leaves)), self.note))

    def anchor(self, index: int, size: int) -> Anchor:
        """Anchor the log's first leaves, with the place of one of them."""
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves[:size]]
        place = AnchorPlace(100, eip712.parse_address(CONTRACT))
        root = merkle.root_of(hashes)
        return Anchor(place, 7, size, root, tuple(self._path(index, size)))

    def _path(self, index: int, size: int) -> list[bytes]:
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves[:size]]
        return merkle.inclusion_proof(hashes, index)


def reply_leaf(envelope: dsse.Envelope, receipt: Receipt, rejected: int = 0) -> bytes:
    """Return the leaf of a receipt; `rejected` is what its field says."""
    return ReplyLeaf(
        receipt_tag_of(envelope.digest),
        receipt.slot_tag,
        receipt.attempt,
        rejected,
        twin_prefix(receipt.twin),
        manifest_prefix(receipt.manifest),
    ).encode()


def order_leaf(order: TwinOrder) -> bytes:
    """Return the leaf of an order."""
    return OrderLeaf(order.hash, twin_prefix(order.twin)).encode()


def witness_of(name: str) -> WitnessKey:
    """Return the public key of a witness of the vectors."""
    return WitnessKey(name, ed25519.public_key_of(fixed_key(name)))


def cosignature(text: str, name: str, time: int = COSIGNED_AT) -> str:
    """Return the line with which a witness cosigns a checkpoint's text."""
    return cosign(text, name, fixed_key(name), time).line


def reproved(
    place: LogProof,
    *,
    index: int | None = None,
    inclusion: tuple[bytes, ...] | None = None,
    checkpoint: str | None = None,
) -> LogProof:
    """Return a place whose proof has another index, inclusion or checkpoint."""
    proof = parse_proof(place.proof)
    text = format_proof(
        proof.index if index is None else index,
        proof.inclusion if inclusion is None else inclusion,
        proof.checkpoint if checkpoint is None else checkpoint,
    )
    return LogProof(place.leaf, text)
