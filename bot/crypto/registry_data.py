"""EIP-712 typed data of the registry contract: `TwinBinding` and `TwinRevocation`.

Other than a manifest's, these signatures are for one contract on one chain: their domain has chain
id and verifying contract, so that none works anywhere else (docs/contracts.md).
"""

from dataclasses import dataclass

from bot.crypto.canonical import JsonValue
from bot.crypto.eip712 import encode_address, hash_struct, type_members
from bot.crypto.hashing import keccak256

HIGHEST_NUMBER = 2**48 - 1
"""The highest number of a binding: the contract's own limit."""

_NAME, _VERSION = "Twinproof registry", "1"
_DOMAIN_TYPES = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
)
_BINDING_TYPES = (
    ("twin", "bytes32"),
    ("slug", "string"),
    ("manifest", "bytes32"),
    ("payout", "address"),
    ("number", "uint48"),
    ("deadline", "uint256"),
)
_REVOCATION_TYPES = (("twin", "bytes32"), ("slug", "string"), ("deadline", "uint256"))
_Types = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RegistryDomain:
    """Which registry a signature is for; `contract` is its 20-byte address."""

    chain_id: int
    contract: bytes


@dataclass(frozen=True, slots=True)
class TwinBindingData:
    """What a creator signs to bind a twin to a manifest and a payout address.

    Attributes:
        twin: 32 bytes, derived from creator and slug.
        manifest: 32 bytes, the manifest hash; not zero.
        payout: 20 bytes; not zero.
        number: above that of every binding of the twin before; at most `HIGHEST_NUMBER`.
        deadline: seconds since 1970 after which nobody can relay it any more.
    """

    twin: bytes
    slug: str
    manifest: bytes
    payout: bytes
    number: int
    deadline: int

    def digest(self, domain: RegistryDomain) -> bytes:
        """Hash to the 32 bytes that are signed: keccak(0x1901 || domain || struct)."""
        return _digest(domain, "TwinBinding", _BINDING_TYPES, self._values())

    def typed_data(self, domain: RegistryDomain) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return _typed_data(domain, "TwinBinding", _BINDING_TYPES, self._values())

    def _values(self) -> list[str | bytes | int]:
        return [self.twin, self.slug, self.manifest, self.payout, self.number, self.deadline]


@dataclass(frozen=True, slots=True)
class TwinRevocationData:
    """What a creator signs to revoke a twin for ever; see `TwinBindingData`."""

    twin: bytes
    slug: str
    deadline: int

    def digest(self, domain: RegistryDomain) -> bytes:
        """Hash to the 32 bytes that are signed: keccak(0x1901 || domain || struct)."""
        return _digest(domain, "TwinRevocation", _REVOCATION_TYPES, self._values())

    def typed_data(self, domain: RegistryDomain) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return _typed_data(domain, "TwinRevocation", _REVOCATION_TYPES, self._values())

    def _values(self) -> list[str | bytes | int]:
        return [self.twin, self.slug, self.deadline]


def _digest(
    domain: RegistryDomain, name: str, types: _Types, values: list[str | bytes | int]
) -> bytes:
    separator = hash_struct(
        "EIP712Domain",
        _DOMAIN_TYPES,
        [_NAME, _VERSION, domain.chain_id.to_bytes(32, "big"), domain.contract],
    )
    words = [value.to_bytes(32, "big") if isinstance(value, int) else value for value in values]
    return keccak256(b"\x19\x01" + separator + hash_struct(name, types, words))


def _typed_data(
    domain: RegistryDomain, name: str, types: _Types, values: list[str | bytes | int]
) -> dict[str, JsonValue]:
    message: dict[str, JsonValue] = {}
    for (field, kind), value in zip(types, values, strict=True):
        if isinstance(value, bytes):
            message[field] = encode_address(value) if kind == "address" else "0x" + value.hex()
        else:
            message[field] = value
    return {
        "types": {"EIP712Domain": type_members(_DOMAIN_TYPES), name: type_members(types)},
        "primaryType": name,
        "domain": {
            "name": _NAME,
            "version": _VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": encode_address(domain.contract),
        },
        "message": message,
    }
