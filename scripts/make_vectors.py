"""Write docs/spec/vectors/*.json: good and bad bundles with what every verifier must find.

Run as `python -m scripts.make_vectors`. All keys, times and texts are fixed, and every signature
is deterministic, so that running this again writes the same bytes. Each bad bundle is false in one
point only; the rest is signed and logged as if it were true.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot.crypto import dsse, eip712, signed_note
from bot.crypto.tlog_proof import parse_proof
from bot.domain.fields import Finish, MessagePart
from bot.domain.ids import SlotInput, receipt_tag_of
from bot.domain.receipt import ReceiptModel, ReceiptPrice
from bot.domain.statements import OUTCOME_TYPE, OUTCOME_VERSION, Outcome
from bot.generation.rendering import render
from bot.receipts.bundle import encode_bundle
from scripts.vector_answers import bad_answers, good_answers
from scripts.vector_edges import bad_strict, good_strict
from scripts.vector_events import bad_events, good_events
from scripts.vector_file import Vector, expected
from scripts.vector_log import fixed_key, reproved
from scripts.vector_parts import (
    FIELDS,
    LOG_KEY,
    MANIFEST,
    OPERATOR_KEY,
    ORIGIN,
    OTHER_CREATOR_KEY,
    OTHER_LOG,
    OTHER_LOG_KEY,
    OTHER_OPENING_KEY,
    OTHER_OPERATOR_KEY,
    OTHER_VRF_KEY,
    PERSONA,
    POLICY,
    RENDERING,
    REPLY_INDEX,
    SLOT,
    SPANS,
    Parts,
    Recipe,
    make_bundle,
)
from scripts.vector_payments import bad_payments, good_payments
from scripts.vector_revoked import revocation_vectors
from scripts.vector_strict import Strict, make_strict, with_high_s, with_unused_bits
from scripts.vector_trust import refused, text_of, trust_vectors

FOLDER = Path(__file__).parents[1] / "docs" / "spec" / "vectors"


def make_vectors() -> list[Vector]:
    """Build every vector."""
    return [
        *_good(),
        *_bad_recipes(),
        *_bad_bundles(),
        *_bad_bytes(),
        *_bad_trust(),
        *_edges(),
        *trust_vectors(),
        *revocation_vectors(),
    ]


def _good() -> list[Vector]:
    data = encode_bundle(make_bundle(Recipe()))
    pending = encode_bundle(replace(make_bundle(Recipe()), outcome=None))
    public = encode_bundle(replace(make_bundle(Recipe()), sealed=None))
    known = expected(POLICY)
    spans = (SPANS[0], SPANS[-1])
    local = replace(
        FIELDS,
        slot=SlotInput("terminal", "local", "me", "", "1"),
        parts=(MessagePart("1", "Hello?"),),
        turn=1,
        previous=None,
        spans=spans,
        context=render(RENDERING, spans),
        output=(),
        text="…",
    )
    first = encode_bundle(make_bundle(Recipe(fields=local, proved_slot=local.slot)))
    return [
        Vector("good", "with key and policy", data, known),
        Vector("good-first-turn", "an empty reply on the terminal, turn 1", first, known),
        Vector("good-without-key", "steps 5 to 7 are left out", data, {**known, "opened": False},
               key=None),
        Vector("good-public", "a bundle that can't be opened", public, {**known, "opened": False},
               key=None),
        Vector(
            "good-without-policy",
            "no outcome yet, and nobody to trust but the link's own host",
            pending,
            expected(None),
            policy=None,
        ),
    ]  # fmt: skip


def _bad_recipes() -> list[Vector]:
    """Lies that are signed and logged."""
    cheaper = replace(MANIFEST, price_nano=1)
    other = MANIFEST.signing_key
    other_turn = replace(SPANS[2], receipt=fixed_key("receipt of another turn"))
    elsewhere = replace(SLOT, message="112233445566778900")
    terminal = replace(SLOT, platform="terminal", bot="local")
    recipes: list[tuple[int, str, str, Recipe]] = [
        (2, "other-operator", "signed by a key that the manifest does not name",
         Recipe(operator_key=OTHER_OPERATOR_KEY, outcome_key=OTHER_OPERATOR_KEY)),
        (2, "signer-not-operator", "the receipt names an operator that did not sign it",
         Recipe(operator_key=OTHER_OPERATOR_KEY, receipt={"operator": other})),
        (3, "other-creator-signed", "the manifest is signed by somebody else",
         Recipe(creator_key=OTHER_CREATOR_KEY)),
        (3, "twin-not-derived", "the twin's id is of another slug",
         Recipe(manifest=replace(MANIFEST, slug="mirra"))),
        (3, "other-manifest-cited", "the receipt cites another manifest",
         Recipe(receipt={"manifest": cheaper.hash})),
        (4, "price-too-high", "costs more than the creator signed",
         Recipe(receipt={"price": ReceiptPrice(3_000_000, "TWIN", 2_550_000, 450_000, 100)})),
        (4, "split-off-by-one", "one nano-unit moved from the creator to the operator",
         Recipe(receipt={"price": ReceiptPrice(2_000_001, "TWIN", 1_699_999, 300_002, 100)})),
        (4, "expired", "made one second after the manifest ended",
         Recipe(receipt={"time": datetime(2027, 11, 1, 0, 0, 1, tzinfo=UTC)})),
        (4, "other-model", "another model than signed",
         Recipe(receipt={"model": ReceiptModel(
             fixed_key("cheap gguf"), MANIFEST.library, fixed_key("build"), "exact")})),
        (5, "fields-changed", "the sealed message is not the committed one",
         Recipe(receipt={"fields_root": fixed_key("another root")})),
        (5, "other-persona", "the sealed persona is not the signed one",
         Recipe(persona=replace(PERSONA, role="a dentist"))),
        (6, "other-slot", "the seed belongs to another message", Recipe(proved_slot=elsewhere)),
        (6, "other-vrf-key", "the seed is drawn with another key", Recipe(vrf_key=OTHER_VRF_KEY)),
        (6, "slot-tag", "the slot tag does not follow from the seed",
         Recipe(receipt={"slot_tag": bytes(16)})),
        (6, "numbering", "says that the platform numbered, and the operator did",
         Recipe(fields=replace(FIELDS, slot=terminal), proved_slot=terminal,
                receipt={"numbering": "platform"})),
        (7, "context-injected", "a token in the context that no span explains",
         Recipe(fields=replace(FIELDS, context=(*FIELDS.context[:-2], 99, *FIELDS.context[-2:])))),
        (7, "span-order", "the persona stands last",
         Recipe(fields=replace(FIELDS, spans=SPANS[::-1]))),
        (7, "pair-cites-two", "the two spans of a pair cite two receipts",
         Recipe(fields=replace(FIELDS, spans=(*SPANS[:2], other_turn, SPANS[3])))),
        (7, "more-turns", "an earlier turn in the context of a first turn",
         Recipe(fields=replace(FIELDS, turn=1, previous=None))),
        (7, "window", "the context is longer than the window",
         Recipe(manifest=replace(MANIFEST, rendering=replace(RENDERING, window_tokens=20)))),
        (7, "output-too-long", "more tokens than the manifest allows",
         Recipe(fields=replace(FIELDS, output=tuple(range(60, 69))))),
        (7, "finish-length", "says it was cut at the longest output, but is shorter",
         Recipe(fields=replace(FIELDS, finish=Finish.LENGTH))),
        (7, "stop-token-in-output", "a stop token is part of the output",
         Recipe(fields=replace(FIELDS, output=(60, 2, 61)))),
        (7, "stop-string-in-text", "the text goes on after a stop string",
         Recipe(fields=replace(FIELDS, text="Rice.\nFan: more"))),
        (8, "not-logged", "the leaf is not in the tree", Recipe(logged=False)),
        (8, "other-log-key", "the checkpoint is signed by another key",
         Recipe(log_key=OTHER_LOG_KEY)),
        (9, "outcome-other-key", "the outcome is signed by somebody else",
         Recipe(outcome_key=OTHER_OPERATOR_KEY)),
        (9, "outcome-leaf-differs", "logged as delivered, stated as refunded",
         Recipe(outcome=Outcome.REFUNDED)),
    ]  # fmt: skip
    return [
        refused(step, name, about, make_bundle(recipe), POLICY)
        for step, name, about, recipe in recipes
    ]


def _bad_bundles() -> list[Vector]:
    """True parts, put together wrongly after signing."""
    good = make_bundle(Recipe())
    assert good.outcome is not None and good.sealed is not None  # noqa: S101, PT018 - it was just made
    body = good.receipt.payload.replace(b'"seq":41', b'"seq":42')
    renamed = text_of(good).replace(ORIGIN, "log.example/fork", 1)
    other_origin = signed_note.sign_note(renamed, ORIGIN, LOG_KEY)
    dated = b'{"outcome":"delivered","receipt":"%b","time":"2026-11-20T10:00:02Z","v":"%b"}'
    old = dsse.sign_envelope(
        OUTCOME_TYPE,
        dated % (receipt_tag_of(good.receipt.digest).hex().encode(), OUTCOME_VERSION.encode()),
        OPERATOR_KEY,
    )
    high_s = with_high_s(good.manifest_signature)
    outcome_of_other = make_bundle(Recipe(receipt={"seq": 42})).outcome
    changes: list[tuple[int, str, str, Parts]] = [
        (2, "body-changed", "the receipt's body was changed after signing",
         {"receipt": replace(good.receipt, payload=body)}),
        (2, "payload-type", "signed as a statement of another type",
         {"receipt": dsse.sign_envelope(OUTCOME_TYPE, good.receipt.payload, OPERATOR_KEY)}),
        (3, "high-s", "the creator's signature in its other spelling",
         {"manifest_signature": high_s}),
        (5, "sealed-changed", "the last byte of the sealed part was changed",
         {"sealed": good.sealed[:-1] + bytes([good.sealed[-1] ^ 1])}),
        (8, "other-leaf", "the leaf is of another receipt",
         {"log": replace(good.log, leaf=good.log.leaf[:-1] + bytes([good.log.leaf[-1] ^ 1]))}),
        (8, "receipt-hash", "the leaf names the receipt's hash and not its tag",
         {"log": replace(good.log, leaf=good.log.leaf[:1] + good.receipt.digest
                         + good.log.leaf[33:])}),
        (8, "other-index", "the leaf stands elsewhere",
         {"log": reproved(good.log, index=REPLY_INDEX - 1)}),
        (8, "other-origin", "the log's key signed a checkpoint of another origin",
         {"log": reproved(good.log, checkpoint=other_origin)}),
        (8, "inclusion-short", "a hash of the inclusion proof is missing",
         {"log": reproved(good.log, inclusion=parse_proof(good.log.proof).inclusion[:-1])}),
        (9, "outcome-of-other", "the outcome is of another receipt",
         {"outcome": outcome_of_other}),
        (9, "outcome-index", "the outcome's leaf stands elsewhere",
         {"outcome": replace(good.outcome, log=reproved(good.outcome.log, index=4))}),
        (9, "outcome-time", "the outcome names a time", {"outcome": replace(
            good.outcome, statement=old)}),
        (5, "public-with-key", "a public bundle and a key", {"sealed": None}),
    ]  # fmt: skip
    return [
        refused(step, name, about, replace(good, **change), POLICY)
        for step, name, about, change in changes
    ]


def _bad_bytes() -> list[Vector]:
    """Bytes that no encoder writes."""
    good = encode_bundle(make_bundle(Recipe()))
    changes: list[tuple[str, str, Callable[[bytes], bytes]]] = [
        ("trailing-newline", "one byte too many", lambda data: data + b"\n"),
        ("whitespace", "a space after a colon", lambda data: data.replace(b'":', b'": ', 1)),
        ("cut", "the last byte is missing", lambda data: data[:-1]),
        ("unknown-key", "a key that the format does not know",
         lambda data: data.replace(b'"v":"twinproof-bundle/2"', b'"v":"twinproof-bundle/2","w":0')),
        ("duplicate-key", "a key twice",
         lambda data: data.replace(b'"v":', b'"v":"twinproof-bundle/2","v":')),
        ("version", "a version that is not known",
         lambda data: data.replace(b"twinproof-bundle/2", b"twinproof-bundle/1")),
        ("base64-bits", "base64 whose unused bits are not zero", with_unused_bits),
    ]  # fmt: skip
    return [
        Vector(f"bad-01-{name}", about, change(good), {"step": 1})
        for name, about, change in changes
    ]


def _bad_trust() -> list[Vector]:
    good = encode_bundle(make_bundle(Recipe()))
    other_creator = eip712.address_of(OTHER_CREATOR_KEY)
    return [
        Vector("bad-05-other-key", "opened with another key", good, {"step": 5},
               key=OTHER_OPENING_KEY),
        Vector("bad-08-leaf-rejected-five", "no key, and a leaf of five rejected attempts",
               make_strict(Strict(leaf_rejected=5)), {"step": 8}, key=None, policy=None),
        Vector("bad-10-creator", "the verifier knows another creator", good, {"step": 10},
               policy={**POLICY, "creators": [other_creator]}),
        Vector("bad-10-log", "the verifier knows another key of the log", good, {"step": 10},
               policy={**POLICY, "logs": [OTHER_LOG.encode()]}),
    ]  # fmt: skip


def _edges() -> list[Vector]:
    """Bundles at the edge of the format, what people do to replies, and who pays for them.

    The former are mostly alone in a log that no policy names.
    """
    kinds = (
        (None, good_strict(), bad_strict()),
        (POLICY, good_events(), bad_events()),
        (POLICY, good_answers(), bad_answers()),
        (POLICY, good_payments(), bad_payments()),
    )
    vectors: list[Vector] = []
    for policy, good, bad in kinds:
        vectors += [Vector(*one, expected(policy), policy=policy) for one in good]
        vectors += [
            Vector(f"bad-{step:02d}-{name}", about, data, {"step": step}, policy=policy)
            for step, name, about, data in bad
        ]
    return vectors


def main() -> None:
    """Write every file, and remove those that are made no longer."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    vectors = make_vectors()
    for stale in set(FOLDER.glob("*.json")) - {FOLDER / f"{v.name}.json" for v in vectors}:
        stale.unlink()
    for vector in vectors:
        (FOLDER / f"{vector.name}.json").write_text(vector.encode(), encoding="utf-8")
    print(f"{len(vectors)} vectors in {FOLDER}")


if __name__ == "__main__":
    main()
