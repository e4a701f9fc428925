"""Chosen fields of a reply without its key (docs/spec/formats.md section 9.3).

Whoever holds the key gives others some of what it opens; nothing about the rest follows from that:
the salts of the other fields stay unknown.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.encoding import encode_b64, parse_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import HASH_BYTES, inclusion_proof, leaf_hash, verify_inclusion
from bot.crypto.sealing import SALT_BYTES, derive_salt
from bot.domain.errors import UserError
from bot.domain.field_values import FIELD_NAMES, check_field, field_leaf, fields_to_json
from bot.domain.manifest import Manifest
from bot.domain.persona import Persona, persona_to_json
from bot.domain.reading import ObjectReader
from bot.domain.receipt import Receipt
from bot.receipts.bundle import (
    ProofBundle,
    bundle_from_json,
    bundle_to_json,
    check_size,
)
from bot.receipts.openings import read_persona
from bot.receipts.steps import evidence
from bot.receipts.trust import TrustPolicy
from bot.receipts.verified import StepResult, VerifiedReceipt
from bot.receipts.verify import verify_parts

VERSION = "twinproof-disclosure/1"
PERSONA = "persona"


@dataclass(frozen=True, slots=True)
class DisclosedField:
    """One field.

    Attributes:
        name: of section 7.1.
        salt: 16 bytes.
        value: its JSON value.
        path: inclusion proof of its leaf to the receipt's root of fields.
    """

    name: str
    salt: bytes
    value: JsonValue
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """The parts of a disclosure; nothing of it is verified.

    Attributes:
        bundle: a public one.
        persona: None if it is not among what is shown.
        fields: in the order of section 7.1.
    """

    bundle: ProofBundle
    persona: Persona | None
    fields: tuple[DisclosedField, ...]


@dataclass(frozen=True, slots=True)
class VerifiedDisclosure:
    """What a true disclosure shows.

    Attributes:
        verified: of the bundle; it has no openings.
        values: by field.
    """

    verified: VerifiedReceipt
    persona: Persona | None
    values: dict[str, JsonValue]


def disclose(
    bundle: ProofBundle, verified: VerifiedReceipt, key: bytes, names: Collection[str]
) -> Disclosure:
    """Choose what to show of a verified reply.

    Args:
        bundle: that was verified.
        verified: with the key.
        key: 32 bytes.
        names: of fields, or `persona`; at least one.

    Raises:
        UserError: no name, or one that there is not.
    """
    openings = verified.openings
    known = (*FIELD_NAMES, PERSONA)
    if not names or openings is None or not set(names) <= set(known):
        raise UserError(f"Name what is to be shown: one or more of {', '.join(known)}.")
    values = fields_to_json(openings.fields)
    salts = {name: derive_salt(key, name) for name in FIELD_NAMES}
    leaves = [
        leaf_hash(field_leaf(name, salts[name], encode_canonical(values[name])))
        for name in FIELD_NAMES
    ]
    return Disclosure(
        bundle=replace(bundle, sealed=None),
        persona=openings.persona if PERSONA in names else None,
        fields=tuple(
            DisclosedField(name, salts[name], values[name], tuple(inclusion_proof(leaves, place)))
            for place, name in enumerate(FIELD_NAMES)
            if name in names
        ),
    )


def encode_disclosure(disclosure: Disclosure) -> bytes:
    """Encode as canonical JSON."""
    persona = disclosure.persona
    return encode_canonical(
        {
            "v": VERSION,
            "bundle": bundle_to_json(disclosure.bundle),
            "persona": None if persona is None else persona_to_json(persona),
            "fields": [
                {
                    "name": one.name,
                    "salt": encode_b64(one.salt),
                    "value": one.value,
                    "path": [encode_b64(value) for value in one.path],
                }
                for one in disclosure.fields
            ],
        }
    )


def parse_disclosure(data: bytes) -> Disclosure:
    """Parse canonical JSON, every byte of it.

    Raises:
        MalformedProofError: step 1, the bytes are not a disclosure of version 1; step 5, a persona
            or a path in it is none.
    """
    with evidence(1):
        check_size(data)
        reader = ObjectReader(parse_canonical(data), "disclosure", "v bundle persona fields")
        reader.constant("v", VERSION)
        bundle = bundle_from_json(reader.value("bundle"), "disclosure.bundle")
        if bundle.sealed is not None:
            raise FormatError("disclosure.bundle: not a public bundle")
        fields = reader.items("fields", _read_field)
        value = reader.value("persona")
        with evidence(5):
            persona = None if value is None else read_persona(value)
        _check_names([one.name for one in fields], some=persona is not None)
        return Disclosure(bundle, persona, fields)


def verify_disclosure(data: bytes, *, policy: TrustPolicy | None) -> VerifiedDisclosure:
    """Verify a disclosure offline: as a bundle, with what is shown in the place of step 5.

    Raises:
        VerificationError: the evidence is false; carries the number of the first false step.
        MalformedProofError: the bytes are not what the format says, at that step.
    """
    disclosure = parse_disclosure(data)

    verified = verify_parts(
        disclosure.bundle,
        size=len(data),
        key=None,
        policy=policy,
        shown=partial(_check_shown, disclosure),
    )
    values = {one.name: one.value for one in disclosure.fields}
    return VerifiedDisclosure(verified, disclosure.persona, values)


def _check_shown(disclosure: Disclosure, receipt: Receipt, manifest: Manifest) -> StepResult:
    """Step 5: each field's path leads to the root, and the persona is the signed one."""
    with evidence(5):
        for one in disclosure.fields:
            check_field(one.name, one.value)
            leaf = field_leaf(one.name, one.salt, encode_canonical(one.value))
            verify_inclusion(
                leaf=leaf_hash(leaf),
                index=FIELD_NAMES.index(one.name),
                size=len(FIELD_NAMES),
                proof=one.path,
                root=receipt.fields_root,
            )
        if disclosure.persona is not None and disclosure.persona.hash != manifest.persona:
            raise MismatchError("the shown persona is not the one that the creator signed")
    names = [one.name for one in disclosure.fields]
    shown = [*names, *([] if disclosure.persona is None else [PERSONA])]
    return StepResult(5, f"Shown as committed: {', '.join(shown)}.")


def _check_names(names: Sequence[str], *, some: bool) -> None:
    if not names and not some:
        raise FormatError("disclosure.fields: nothing is shown")
    if any(name not in FIELD_NAMES for name in names):
        raise FormatError("disclosure.fields: there is no such field")
    places = [FIELD_NAMES.index(name) for name in names]
    if places != sorted(set(places)):
        raise FormatError("disclosure.fields: not in their order, each once")


def _read_field(value: JsonValue, path: str) -> DisclosedField:
    reader = ObjectReader(value, path, "name salt value path")
    with evidence(5):
        proof = reader.items("path", _read_hash)
    return DisclosedField(
        name=reader.text("name"),
        salt=reader.base64("salt", SALT_BYTES),
        value=reader.value("value"),
        path=proof,
    )


def _read_hash(value: JsonValue, path: str) -> bytes:
    data = parse_b64(value) if isinstance(value, str) else b""
    if len(data) != HASH_BYTES:
        raise FormatError(f"{path}: not a hash of 32 bytes")
    return data
