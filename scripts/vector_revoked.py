"""Vectors of anchors, revocations, and keys that a policy says were lost."""

from dataclasses import replace
from datetime import UTC, datetime

from bot.domain.leaf import SealLeaf
from bot.domain.order import OrderAction, TwinOrder
from bot.receipts.bundle import ProofBundle, encode_bundle
from scripts.vector_file import Vector
from scripts.vector_log import CONTRACT, cosignature, fixed_key, reproved
from scripts.vector_parts import (
    LAST_INDEX,
    LOG,
    MANIFEST,
    ORIGIN,
    OTHER_CREATOR_KEY,
    POLICY,
    REPLY_INDEX,
    TWIN,
    Parts,
    Recipe,
    make_bundle,
)
from scripts.vector_trust import (
    LAST,
    NEXT,
    STRANGER,
    bad,
    good,
    key_of,
    refused,
    sealed_once,
    sealed_twice,
    text_of,
)

REVOKE = TwinOrder(
    twin=TWIN,
    action=OrderAction.REVOKE,
    number=1,
    manifest=None,
    log=ORIGIN,
    issued=datetime(2026, 11, 20, 10, 30, tzinfo=UTC),
    expires=datetime(2026, 11, 20, 10, 40, tzinfo=UTC),
)


def revocation_vectors() -> list[Vector]:
    """Build every vector of this module."""
    return [*_anchors(), *_revocations(), *_bad_revocations(), *_policies()]


def _anchors() -> list[Vector]:
    named = {**POLICY, "anchors": [{"chain": 100, "contract": CONTRACT}]}
    made = make_bundle(Recipe(anchor=5))
    same = make_bundle(Recipe(anchor=7))
    assert made.anchor is not None and same.anchor is not None  # noqa: S101, PT018
    hashes = made.anchor.inclusion
    return [
        good("anchored", "a chain is said to hold an earlier head", Recipe(anchor=5), named),
        good("anchored-head", "a chain is said to hold this very head", Recipe(anchor=7), POLICY),
        refused(8, "anchor-root", "the anchor's root is another one",
                 replace(made, anchor=replace(made.anchor, root=fixed_key("root"))), named),
        refused(8, "anchor-small", "the anchored tree does not reach to the reply",
                 replace(made, anchor=replace(made.anchor, size=REPLY_INDEX)), named),
        refused(8, "anchor-short", "a hash of the anchor's proof is missing",
                 replace(made, anchor=replace(made.anchor, inclusion=hashes[:-1])), named),
        refused(8, "anchor-fork", "another root than the checkpoint's, at its size",
                 _forked_anchor(), named),
        _changed("anchor-epoch", "an epoch 0", made, b'"epoch":7', b'"epoch":0'),
        _changed("anchor-chain", "a chain that is no number", made, b'"chain":100',
                 b'"chain":"gnosis"'),
        _changed("anchor-contract", "a contract without its capitals", made, CONTRACT.encode(),
                 CONTRACT.lower().encode()),
        _changed("float", "an epoch written as 7.0", made, b'"epoch":7', b'"epoch":7.0'),
    ]  # fmt: skip


def _revocations() -> list[Vector]:
    version = replace(REVOKE, manifest=MANIFEST.hash)
    sealed = replace(sealed_once(), order=REVOKE)
    return [
        good("revoked-later", "the twin was revoked after this reply was logged",
              Recipe(order=REVOKE), POLICY),
        good("revoked-before", "and before it: a verifier says so",
              Recipe(order=REVOKE, order_index=1), POLICY),
        good("revoked-version", "this version was revoked", Recipe(order=version), POLICY),
        good("revoked-under-seal", "the order is for the log that was sealed", sealed, POLICY),
        good("revoked-after-seal", "the order is for the log that continues",
              replace(sealed, order=replace(REVOKE, log=NEXT)), POLICY),
    ]  # fmt: skip


def _bad_revocations() -> list[Vector]:
    made = make_bundle(Recipe(order=REVOKE))
    revocation, outcome = made.revocation, made.outcome
    assert revocation is not None and outcome is not None  # noqa: S101, PT018
    other_note = _cosigned_note(made)
    return [
        bad(9, "revocation-pause", "the order only pauses the twin",
             Recipe(order=replace(REVOKE, action=OrderAction.PAUSE)), POLICY),
        bad(9, "revocation-other-twin", "the order is of another twin",
             Recipe(order=replace(REVOKE, twin=fixed_key("twin"))), POLICY),
        bad(9, "revocation-other-version", "the order revokes another version",
             Recipe(order=replace(REVOKE, manifest=fixed_key("manifest"))), POLICY),
        bad(9, "revocation-other-log", "the order is for another log",
             Recipe(order=replace(REVOKE, log=LAST)), POLICY),
        bad(9, "revocation-first-of-three", "the order is for a log two seals ago",
             replace(sealed_twice(), order=REVOKE), POLICY),
        bad(9, "revocation-signer", "somebody else signed the order",
             Recipe(order=REVOKE, order_key=OTHER_CREATOR_KEY), POLICY),
        refused(9, "revocation-leaf", "the leaf is of another order", replace(
            made, revocation=replace(revocation, log=replace(
                revocation.log, leaf=revocation.log.leaf[:-1] + b"\0"))), POLICY),
        refused(9, "revocation-index", "the order's leaf stands elsewhere", replace(
            made, revocation=replace(revocation, log=reproved(
                revocation.log, index=LAST_INDEX - 1))), POLICY),
        refused(9, "revocation-checkpoint", "the order under other signature lines", replace(
            made, revocation=replace(revocation, log=reproved(
                revocation.log, checkpoint=other_note))), POLICY),
        refused(9, "outcome-checkpoint", "the outcome under other signature lines", replace(
            made, outcome=replace(outcome, log=reproved(
                outcome.log, checkpoint=other_note))), POLICY),
        refused(9, "revocation-version", "an order of another version of the format", replace(
            made, revocation=replace(revocation, body=revocation.body.replace(
                b"order/1", b"order/2"))), POLICY),
    ]  # fmt: skip


def _policies() -> list[Vector]:
    kept = sealed_once(kept=REPLY_INDEX + 1)
    after = sealed_once()
    return [
        good("key-lost-later", "what was signed from the next leaf on does not count", Recipe(),
              _revoking(REPLY_INDEX + 1)),
        good("key-lost-elsewhere", "another manifest's key was lost", Recipe(),
              _revoking(0, manifest=fixed_key("manifest"))),
        good("key-lost-other-log", "in a log that this reply is not in", Recipe(),
              _revoking(0, log=NEXT)),
        good("key-lost-sealed-log", "in the sealed log, after this leaf", kept,
              _revoking(REPLY_INDEX + 1)),
        bad(10, "key-lost-before-the-seal", "in the sealed log; this leaf came later",
             after, _revoking(2**53 - 1)),
        bad(10, "key-lost", "what was signed from this leaf on does not count", Recipe(),
             _revoking(REPLY_INDEX)),
        bad(10, "key-lost-kept", "in the sealed log, whose leaf this is, too", kept,
             _revoking(REPLY_INDEX)),
        bad(10, "key-lost-new-log", "in the log that continues", after,
             _revoking(REPLY_INDEX, log=NEXT)),
    ]  # fmt: skip


def _changed(name: str, about: str, bundle: ProofBundle, old: bytes, new: bytes) -> Vector:
    data = encode_bundle(bundle).replace(old, new)
    return Vector(f"bad-01-{name}", about, data, {"step": 1})


def _revoking(size: int, *, manifest: bytes = MANIFEST.hash, log: str = ORIGIN) -> Parts:
    return {**POLICY, "revoked": [{"manifest": manifest.hex(), "log": log, "size": size}]} | (
        {"logs": [LOG.encode(), key_of(NEXT).encode()]}
    )


def _forked_anchor() -> ProofBundle:
    """Anchor a tree of the checkpoint's size that holds the reply and another last leaf."""
    made = make_bundle(Recipe())
    forked = make_bundle(Recipe(other_leaves={LAST_INDEX: SealLeaf(bytes(32)).encode()}, anchor=7))
    assert made.log.leaf == forked.log.leaf  # noqa: S101 - or it would prove another reply
    return replace(made, anchor=forked.anchor)


def _cosigned_note(bundle: ProofBundle) -> str:
    return bundle.checkpoint + cosignature(text_of(bundle), STRANGER)
