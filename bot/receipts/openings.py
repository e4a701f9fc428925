"""The sealed part of a bundle: what the fan's key opens (docs/spec/formats.md section 9.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.crypto.canonical import JsonValue, parse_canonical
from bot.crypto.encoding import encode_b64
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.sealing import SALT_BYTES, derive_salt, open_sealed, seal
from bot.domain.errors import PersonaError
from bot.domain.field_values import FIELD_NAMES, fields_from_json
from bot.domain.fields import Fields
from bot.domain.persona import Persona, encode_persona, persona_from_json
from bot.domain.reading import ObjectReader
from bot.domain.salted import SaltedField, salt_fields
from bot.receipts.steps import evidence

VERSION = "twinproof-openings/2"
_encode_persona = lru_cache(maxsize=64)(encode_persona)  # the same one in each reply of a twin


@dataclass(frozen=True, slots=True)
class Openings:
    """What the fan's key opens: the persona and the receipt's fields."""

    persona: Persona
    fields: Fields


def seal_openings(key: bytes, receipt_hash: bytes, *, persona: Persona, fields: Fields) -> bytes:
    """Encrypt a reply's openings under its key (32 bytes), once."""
    return seal_salted(key, receipt_hash, persona=persona, fields=salt_fields(key, fields))


def seal_salted(
    key: bytes, receipt_hash: bytes, *, persona: Persona, fields: Sequence[SaltedField]
) -> bytes:
    """Encrypt openings whose fields were salted under the same key, once.

    They are put together from parts that are canonical already; `open_openings` parses them as a
    whole.
    """
    opened = b",".join(
        b'{"name":"%b","salt":"%b","value":%b}'
        % (one.name.encode(), encode_b64(one.salt).encode(), one.value)
        for one in fields
    )
    plaintext = b'{"fields":[%b],"persona":%b,"v":"%b"}' % (
        opened,
        _encode_persona(persona),
        VERSION.encode(),
    )
    return seal(key, receipt_hash, plaintext)


def open_openings(key: bytes, receipt_hash: bytes, sealed: bytes) -> Openings:
    """Decrypt and parse a reply's openings; every salt must derive from the key.

    Raises:
        VerificationError: step 5, the key does not fit, or a salt is another one.
        MalformedProofError: step 5, the plain text is not what the format says.
    """
    with evidence(5):
        plaintext = open_sealed(key, receipt_hash, sealed)
        reader = ObjectReader(parse_canonical(plaintext), "openings", "v persona fields")
        reader.constant("v", VERSION)
        opened = reader.items("fields", _read_field)
        if tuple(name for name, _, _ in opened) != FIELD_NAMES:
            raise FormatError("openings.fields: not the twelve fields in their order")
        for name, salt, _ in opened:
            if salt != derive_salt(key, name):
                raise MismatchError(f"the salt of {name} does not derive from the key")
        fields = fields_from_json({name: value for name, _, value in opened})
        return Openings(read_persona(reader.value("persona")), fields)


def read_persona(value: JsonValue) -> Persona:
    """Read a persona that was opened.

    Raises:
        FormatError: it is none, or breaks a rule of personas.
    """
    try:
        return persona_from_json(value)
    except PersonaError as error:
        raise FormatError(str(error)) from error


def _read_field(value: JsonValue, path: str) -> tuple[str, bytes, JsonValue]:
    reader = ObjectReader(value, path, "name salt value")
    return reader.text("name"), reader.base64("salt", SALT_BYTES), reader.value("value")
