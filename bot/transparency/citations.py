"""What leaves of manifests, orders, outcomes and voids cite, checked against the leaf.

Pure. A manifest gives the monitor the twin's creator; an order is checked against that creator's
signature, so that nobody else can stop a twin, and a stop can't be hidden.
"""

from dataclasses import dataclass, replace

from bot.crypto.canonical import parse_canonical
from bot.crypto.dsse import parse_envelope
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import VerifierKey
from bot.domain.leaf import (
    ManifestLeaf,
    OrderLeaf,
    OutcomeLeaf,
    OutcomeStatement,
    VoidLeaf,
    VoidStatement,
    twin_prefix,
)
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.order import OrderAction, TwinOrder, order_data, parse_order
from bot.domain.reading import ObjectReader
from bot.ports.monitor import SeenTwin, StoredFinding
from bot.transparency.rules import finding

FALSE = (FormatError, MismatchError)
UNKNOWN_TWIN = SeenTwin(b"", "", ())


@dataclass(frozen=True, slots=True)
class Judged:
    """What a leaf makes of its twin, and what is wrong with it."""

    twin: SeenTwin
    findings: tuple[StoredFinding, ...]


def judge_manifest(
    index: int, leaf: ManifestLeaf, body: bytes, *, twin: SeenTwin | None, log: VerifierKey
) -> Judged:
    """Check that a manifest is the cited one, signed by its creator, and for this log."""
    before = twin or UNKNOWN_TWIN
    if not body:
        return Judged(before, (_not_published(index, "a manifest"),))
    try:
        signed, signature = _read_signed(body)
        if sha256(signed) != leaf.manifest:
            raise MismatchError("its hash is another one than the leaf's")
        manifest = parse_manifest(signed)
        _check_manifest(manifest, signature, leaf, log)
    except FALSE as error:
        sentence = f"cites a manifest that is not right: {error}"
        return Judged(before, (finding("bad-manifest", index, sentence),))
    if before.twin and (before.twin, before.creator) != (manifest.twin, manifest.creator):
        sentence = "cites a manifest of another twin or creator under the same tag"
        return Judged(before, (finding("bad-manifest", index, sentence),))
    names = before.names if manifest.name in before.names else (*before.names, manifest.name)
    now = replace(before, twin=manifest.twin, creator=manifest.creator, names=names)
    if before.revoked:
        sentence = f"cites a new manifest of a twin that its creator revoked at {before.stopped_by}"
        return Judged(now, (finding("manifest-after-revocation", index, sentence),))
    return Judged(now, ())


def _check_manifest(
    manifest: Manifest, signature: bytes, leaf: ManifestLeaf, log: VerifierKey
) -> None:
    if manifest.twin != manifest.derived_twin or twin_prefix(manifest.twin) != leaf.twin:
        raise MismatchError("its twin is not the leaf's")
    if recover_signer(signing_data(manifest).digest(), signature) != manifest.creator:
        raise MismatchError("its creator has not signed it")
    if manifest.log != log:
        raise MismatchError(f"it was signed for the log {manifest.log.name}")


def judge_order(
    index: int, leaf: OrderLeaf, body: bytes, *, twin: SeenTwin | None, log: VerifierKey
) -> Judged:
    """Check that an order is the cited one, its twin's next, and signed by the twin's creator."""
    before = twin or UNKNOWN_TWIN
    if not body:
        return Judged(before, (_not_published(index, "an order"),))
    try:
        signed, signature = _read_signed(body)
        if sha256(signed) != leaf.order:
            raise MismatchError("its hash is another one than the leaf's")
        order = parse_order(signed)
        _check_order(order, signature, leaf, before, log)
    except FALSE as error:
        sentence = f"cites an order that is not right: {error}"
        return Judged(before, (finding("bad-order", index, sentence),))
    after = replace(before, orders=order.number)
    if order.action is OrderAction.RESUME:
        return Judged(replace(after, stopped_by=None), ())
    if order.manifest is not None:  # one version: replies do not say which they are of
        return Judged(after, ())
    revoked = order.action is OrderAction.REVOKE
    return Judged(replace(after, stopped_by=index, revoked=revoked), ())


def _check_order(
    order: TwinOrder, signature: bytes, leaf: OrderLeaf, twin: SeenTwin, log: VerifierKey
) -> None:
    if twin_prefix(order.twin) != leaf.twin or order.twin != twin.twin:
        raise MismatchError("its twin has no manifest in this log, or is not the leaf's")
    if order.log != log.name:
        raise MismatchError(f"it was signed for the log {order.log}")
    if order.number != twin.orders + 1:
        raise MismatchError(
            f"it is number {order.number}, and the twin's next is {twin.orders + 1}"
        )
    if twin.revoked:
        raise MismatchError("the twin was revoked before")
    signers = (recover_signer(order_data(order, name).digest(), signature) for name in twin.names)
    if twin.creator not in signers:
        raise MismatchError("the twin's creator has not signed it")


def judge_statement(
    index: int, leaf: OutcomeLeaf | VoidLeaf, body: bytes
) -> tuple[StoredFinding, ...]:
    """Check that a published statement says what its leaf says; a held back one is no fault."""
    if not body:
        return ()
    try:
        envelope = parse_envelope(body)
        if envelope.digest != leaf.statement:
            raise MismatchError("its hash is another one than the leaf's")
        if isinstance(leaf, OutcomeLeaf):
            outcome = OutcomeStatement.parse(envelope.payload)
            same = (outcome.receipt, outcome.outcome) == (leaf.receipt, leaf.outcome)
        else:
            void = VoidStatement.parse(envelope.payload)
            same = (void.slot_tag, void.attempt) == (leaf.slot_tag, leaf.attempt)
        if not same:
            raise MismatchError("it says something else than the leaf")
    except FALSE as error:
        sentence = f"cites a statement that is not right: {error}"
        return (finding("bad-statement", index, sentence),)
    return ()


def _read_signed(body: bytes) -> tuple[bytes, bytes]:
    reader = ObjectReader(parse_canonical(body), "body", "body signature")
    return reader.base64("body"), reader.convert("signature", parse_signature)


def _not_published(index: int, what: str) -> StoredFinding:
    sentence = f"cites {what} that the log does not publish: it can't be checked"
    return finding("not-published", index, sentence)
