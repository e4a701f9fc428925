"""EIP-712 typed data of two fixed structs, `TwinManifest` and `TwinOrder` (formats.md section 3).

Also what it needs around it: EIP-55 addresses and recoverable secp256k1 signatures
`r || s || v` with low s (EIP-2) and v 27 or 28. Private keys are 32 bytes.
"""

import re
from dataclasses import dataclass, fields

import coincurve

from bot.crypto.canonical import JsonValue
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import keccak256

SIGNATURE_BYTES = 65
ADDRESS_BYTES = 20
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SIGNATURE = re.compile(r"0x[0-9a-f]{130}", re.ASCII)
_HALF_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
_V_OFFSET = 27
_HIGHEST_LOW_NIBBLE = 7
Types = tuple[tuple[str, str], ...]
"""A struct's members, as (name, type), in their order."""
Value = str | bytes | int
"""A string, a word of at most 32 bytes, or a number that is none below zero."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of strings, words and numbers, with a value for each of its members."""

    name: str
    types: Types
    values: tuple[Value, ...]


_DOMAIN = Struct("EIP712Domain", (("name", "string"), ("version", "string")), ("Twinproof", "1"))
_MANIFEST_TYPES: Types = (
    ("name", "string"),
    ("twin", "bytes32"),
    ("persona", "bytes32"),
    ("model", "bytes32"),
    ("manifest", "bytes32"),
    ("price", "string"),
    ("split", "string"),
    ("payout", "address"),
    ("operatorKey", "bytes32"),
    ("logOrigin", "string"),
    ("validFrom", "string"),
    ("validUntil", "string"),
)
_ORDER_TYPES: Types = (
    ("action", "string"),
    ("name", "string"),
    ("twin", "bytes32"),
    ("manifest", "bytes32"),
    ("order", "bytes32"),
    ("logOrigin", "string"),
    ("issued", "string"),
    ("expires", "string"),
)


@dataclass(frozen=True, slots=True)
class TwinManifestData:
    """The fields that a creator reads in their wallet, in the order of the type.

    `twin`, `persona`, `model`, `manifest` and `operator_key` are 32 bytes, `payout` 20.
    """

    name: str
    twin: bytes
    persona: bytes
    model: bytes
    manifest: bytes
    price: str
    split: str
    payout: bytes
    operator_key: bytes
    log_origin: str
    valid_from: str
    valid_until: str

    def digest(self, *, chain_id: int | None = None) -> bytes:
        """Hash to the 32 bytes that are signed: keccak(0x1901 || domain || struct).

        Args:
            chain_id: None for the format's own domain; a number for the domain that a wallet which
                insists on a chain would have signed, to tell its owner so.
        """
        return _digest("TwinManifest", _MANIFEST_TYPES, _values(self), chain_id)

    def typed_data(self) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return struct_json(_DOMAIN, Struct("TwinManifest", _MANIFEST_TYPES, _values(self)))


@dataclass(frozen=True, slots=True)
class TwinOrderData:
    """What a creator reads in their wallet before they pause, resume or revoke a twin.

    `twin`, `manifest` (zero where no version is meant) and `order` are 32 bytes.
    """

    action: str
    name: str
    twin: bytes
    manifest: bytes
    order: bytes
    log_origin: str
    issued: str
    expires: str

    def digest(self, *, chain_id: int | None = None) -> bytes:
        """Hash to the 32 bytes that are signed; see `TwinManifestData.digest`."""
        return _digest("TwinOrder", _ORDER_TYPES, _values(self), chain_id)

    def typed_data(self) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return struct_json(_DOMAIN, Struct("TwinOrder", _ORDER_TYPES, _values(self)))


SigningData = TwinManifestData | TwinOrderData


def encode_address(address: bytes) -> str:
    """Write 20 bytes as `0x…` with EIP-55's checksum in the case of the letters."""
    text = address.hex()
    mask = keccak256(text.encode()).hex()
    return "0x" + "".join(
        char.upper() if int(nibble, 16) > _HIGHEST_LOW_NIBBLE else char
        for char, nibble in zip(text, mask, strict=False)
    )


def parse_address(text: str) -> bytes:
    """Parse an address whose EIP-55 checksum must be right.

    Raises:
        FormatError: not an address, or another case of its letters.
    """
    if not _ADDRESS.fullmatch(text):
        raise FormatError("not an Ethereum address")
    address = bytes.fromhex(text[2:])
    if encode_address(address) != text:
        raise FormatError("the address's EIP-55 checksum is wrong")
    return address


def encode_signature(signature: bytes) -> str:
    """Write 65 signature bytes as `0x…` in lower case."""
    return "0x" + signature.hex()


def parse_signature(text: str) -> bytes:
    """Parse `0x` and 130 lower-case hexadecimal digits.

    Raises:
        FormatError: another spelling or length.
    """
    if not _SIGNATURE.fullmatch(text):
        raise FormatError("a creator's signature is 0x and 130 lower-case hexadecimal digits")
    return bytes.fromhex(text[2:])


def address_of(private_key: bytes) -> str:
    """Return the EIP-55 address of a private key."""
    return _address(coincurve.PrivateKey(private_key).public_key)


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """Sign 32 bytes (nonces by RFC 6979): `r || s || v`, low s, v 27 or 28."""
    signature = coincurve.PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signature[:-1] + bytes([signature[-1] + _V_OFFSET])


def recover_signer(digest: bytes, signature: bytes) -> str:
    """Return the EIP-55 address whose key made this signature over 32 bytes.

    Raises:
        FormatError: not 65 bytes, v is not 27 or 28, or s is high.
        MismatchError: no key can have made it.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise FormatError("a creator's signature is 65 bytes")
    if signature[-1] - _V_OFFSET not in {0, 1}:
        raise FormatError("a signature's v is 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise FormatError("the signature's s is high")
    raw = signature[:-1] + bytes([signature[-1] - _V_OFFSET])
    try:
        key = coincurve.PublicKey.from_signature_and_message(raw, digest, hasher=None)
    except ValueError as error:
        raise MismatchError("the signature recovers no key") from error
    return _address(key)


def _address(key: coincurve.PublicKey) -> str:
    return encode_address(keccak256(key.format(compressed=False)[1:])[-ADDRESS_BYTES:])


def _values(data: SigningData) -> tuple[Value, ...]:
    return tuple(getattr(data, field.name) for field in fields(data))


def _digest(name: str, types: Types, values: tuple[Value, ...], chain_id: int | None) -> bytes:
    domain = _DOMAIN
    if chain_id is not None:
        types_with = (*_DOMAIN.types, ("chainId", "uint256"))
        domain = Struct(_DOMAIN.name, types_with, (*_DOMAIN.values, chain_id))
    return struct_digest(domain, Struct(name, types, values))


def struct_digest(domain: Struct, message: Struct) -> bytes:
    """Hash a message under a domain to what is signed: keccak(0x1901 || domain || struct)."""
    return keccak256(b"\x19\x01" + _hash(domain) + _hash(message))


def struct_json(domain: Struct, message: Struct) -> dict[str, JsonValue]:
    """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
    return {
        "types": {struct.name: _members(struct) for struct in (domain, message)},
        "primaryType": message.name,
        "domain": _fields(domain),
        "message": _fields(message),
    }


def _hash(struct: Struct) -> bytes:
    members = ",".join(f"{kind} {field}" for field, kind in struct.types)
    words = [keccak256(f"{struct.name}({members})".encode())]
    for value in struct.values:
        if isinstance(value, str):
            words.append(keccak256(value.encode()))
        else:
            number = value if isinstance(value, int) else int.from_bytes(value, "big")
            words.append(number.to_bytes(32, "big"))
    return keccak256(b"".join(words))


def _members(struct: Struct) -> list[JsonValue]:
    return [{"name": field, "type": kind} for field, kind in struct.types]


def _fields(struct: Struct) -> dict[str, JsonValue]:
    fields_json: dict[str, JsonValue] = {}
    for (field, kind), value in zip(struct.types, struct.values, strict=True):
        if isinstance(value, bytes):
            fields_json[field] = encode_address(value) if kind == "address" else f"0x{value.hex()}"
        else:
            fields_json[field] = value
    return fields_json
