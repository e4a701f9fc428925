"""Anchors as a verifier sees them: their JSON, their place in the tree, and what nodes say.

Pure: asking a node is `bot.ports.anchors.AnchorLookup`'s. Formats.md sections 9, 11 (step 8), 11.3
and 11.4.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.crypto.canonical import JsonValue
from bot.crypto.eip712 import encode_address, parse_address
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import HASH_BYTES, MAX_PROOF_HASHES, verify_inclusion
from bot.domain.reading import ObjectReader
from bot.ports.anchors import Anchor, AnchorAnswers, AnchorPlace, CommittedHead

LEVEL = "L2"
DEPTH_WITHOUT_FINALITY = 12
"""Blocks above a commitment that make it final on a chain which names no finalized block."""


class AnchorState(StrEnum):
    """What asking a node came to."""

    ANCHORED = "anchored"
    PENDING = "not final yet"
    """Nothing is false: ask again later."""
    OTHER_CHAIN = "wrong chain"
    """The node is of another chain than the anchor; nothing is known."""
    NO_LOG = "no such log"
    TWO_LOGS = "two logs"
    OTHER_ROOT = "other root"
    OTHER_SIZE = "other size"
    VETOED = "vetoed"

    @property
    def is_false(self) -> bool:
        """Whether the node contradicts the anchor."""
        return self not in {
            AnchorState.ANCHORED,
            AnchorState.PENDING,
            AnchorState.OTHER_CHAIN,
        }


@dataclass(frozen=True, slots=True)
class AnchorFinding:
    """What one node says of an anchor.

    Attributes:
        state: in one word or two.
        sentence: for the person who asked.
        is_named: whether the verifier's policy names the contract.
    """

    state: AnchorState
    sentence: str
    is_named: bool

    @property
    def level(self) -> str | None:
        """`L2` where the commitment stands in a contract that the verifier was told of."""
        return LEVEL if self.state is AnchorState.ANCHORED and self.is_named else None


def check_anchor(
    anchor: Anchor, answers: AnchorAnswers, policy: Collection[AnchorPlace]
) -> AnchorFinding:
    """Judge what a node says (section 11.4).

    Args:
        anchor: from a bundle whose step 8 holds.
        answers: of one node, to the anchor's place and epoch.
        policy: the contracts that the verifier was told of by another way; may be empty.
    """
    state, sentence = _judge(anchor, answers)
    named = anchor.place in policy
    if state is AnchorState.ANCHORED and not named:
        sentence += " That is a contract which no policy of yours names: anybody can make one."
    return AnchorFinding(state, sentence, named)


def _judge(anchor: Anchor, answers: AnchorAnswers) -> tuple[AnchorState, str]:
    if answers.chain != anchor.place.chain:
        return AnchorState.OTHER_CHAIN, (
            f"The anchor is on chain {anchor.place.chain}, and this RPC is of chain "
            f"{answers.chain}: ask one of that chain."
        )
    where = f"The contract {encode_address(anchor.place.contract)} on chain {answers.chain}"
    epoch = f"epoch {anchor.epoch}"
    if len(answers.commits) != 1:
        if not answers.commits:
            return AnchorState.NO_LOG, f"{where} has never committed {epoch}."
        return AnchorState.TWO_LOGS, f"{where} has committed {epoch} {len(answers.commits)} times."
    (commit,) = answers.commits
    contradiction = _contradiction(anchor, commit, vetoes=answers.vetoes)
    if contradiction is not None:
        state, what = contradiction
        return state, f"{where} {what}"
    final = answers.finalized
    if final is None:
        final = max(0, answers.newest - DEPTH_WITHOUT_FINALITY)
    said = f"{where} names this log with {anchor.size} leaves in {epoch}, in block {commit.block}"
    if commit.block > final:
        return AnchorState.PENDING, (
            f"{said}, which is not final yet: the chain is final up to block {final}. Ask later."
        )
    return AnchorState.ANCHORED, f"{said}, which is final."


def _contradiction(
    anchor: Anchor, commit: CommittedHead, *, vetoes: int
) -> tuple[AnchorState, str] | None:
    epoch = f"epoch {anchor.epoch}"
    if vetoes:
        return AnchorState.VETOED, f"has {epoch}, but its guardian vetoed it."
    if commit.size != anchor.size:
        said = f"names a log of {commit.size} leaves in {epoch}, not {anchor.size}."
        return AnchorState.OTHER_SIZE, said
    if commit.root != anchor.root:
        said = f"names the root {commit.root.hex()} in {epoch}, not {anchor.root.hex()}."
        return AnchorState.OTHER_ROOT, said
    return None


@dataclass(frozen=True, slots=True)
class NamedFinding:
    """What the node of that name says."""

    name: str
    finding: AnchorFinding


@dataclass(frozen=True, slots=True)
class AnchorReport:
    """What all nodes that were asked say together.

    Attributes:
        asked: each node's own finding, in the order asked.
        agreed: the finding that all of them share; None where they disagree.
    """

    asked: tuple[NamedFinding, ...]
    agreed: AnchorFinding | None

    @property
    def sentence(self) -> str:
        """What to tell the person who asked."""
        if self.agreed is not None:
            each = f"{len(self.asked)} RPCs agree: " if len(self.asked) > 1 else ""
            return each + self.agreed.sentence
        said = "; ".join(f"{one.name} says: {one.finding.state.value}" for one in self.asked)
        return f"The RPCs do not agree, so at least one of them is wrong or behind: {said}."


def join_findings(asked: Sequence[NamedFinding]) -> AnchorReport:
    """Join what several nodes say; one that is behind the others makes the whole `pending`.

    Nodes agree if they are in one state: an anchor that one of them calls anchored and another one
    false is neither. Where all know the commitment and some do not call it final yet, it is not.
    """
    states = {one.finding.state for one in asked}
    if states == {AnchorState.ANCHORED, AnchorState.PENDING}:
        behind = next(o.finding for o in asked if o.finding.state is AnchorState.PENDING)
        return AnchorReport(tuple(asked), behind)
    return AnchorReport(tuple(asked), asked[0].finding if len(states) == 1 else None)


def check_placement(
    anchor: Anchor, *, leaf: bytes, index: int, head_size: int, head_root: bytes
) -> None:
    """Check an anchor against the log proof of its bundle: the part of step 8 about it.

    Args:
        anchor: from the bundle.
        leaf: hash of the reply's leaf.
        index: of that leaf.
        head_size: the checkpoint's size.
        head_root: the checkpoint's root.

    Raises:
        FormatError: the anchor's tree has no such leaf.
        MismatchError: the proof does not lead to its root, or it contradicts the checkpoint.
    """
    if anchor.size <= index:
        raise FormatError("the anchor's tree is too small for this leaf")
    verify_inclusion(
        leaf=leaf, index=index, size=anchor.size, proof=anchor.inclusion, root=anchor.root
    )
    if anchor.size == head_size and anchor.root != head_root:
        raise MismatchError("the anchor and the checkpoint are of one size and differ")


def anchor_to_json(anchor: Anchor) -> JsonValue:
    """Return a bundle's `anchor`."""
    return {
        "chain": anchor.place.chain,
        "contract": encode_address(anchor.place.contract),
        "epoch": anchor.epoch,
        "size": anchor.size,
        "root": anchor.root.hex(),
        "inclusion": [encode_b64(value) for value in anchor.inclusion],
    }


def read_anchor(value: JsonValue, path: str) -> Anchor:
    """Read a bundle's `anchor`, which is not null.

    Raises:
        FormatError: it is not what section 9 says, or beyond the limits of section 12.
    """
    reader = ObjectReader(value, path, "chain contract epoch size root inclusion")
    inclusion = reader.items("inclusion", _read_hash)
    if len(inclusion) > MAX_PROOF_HASHES:
        raise FormatError(f"{path}.inclusion: a proof has at most {MAX_PROOF_HASHES} hashes")
    return Anchor(
        place=AnchorPlace(
            reader.integer("chain", minimum=1), reader.convert("contract", parse_address)
        ),
        epoch=reader.integer("epoch", minimum=1),
        size=reader.integer("size"),
        root=reader.hex("root", HASH_BYTES),
        inclusion=inclusion,
    )


def read_place(value: JsonValue, path: str) -> AnchorPlace:
    """Read one of a policy's `anchors` (section 11.3).

    Raises:
        FormatError: it is not one.
    """
    reader = ObjectReader(value, path, "chain contract")
    return AnchorPlace(
        reader.integer("chain", minimum=1), reader.convert("contract", parse_address)
    )


def _read_hash(value: JsonValue, path: str) -> bytes:
    data = parse_b64(value) if isinstance(value, str) else b""
    if len(data) != HASH_BYTES:
        raise FormatError(f"{path}: not a hash of 32 bytes")
    return data
