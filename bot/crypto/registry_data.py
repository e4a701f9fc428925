"""EIP-712 typed data of the registry contract: `TwinBinding` and `TwinRevocation`.

Other than a manifest's, these signatures are for one contract on one chain: their domain has chain
id and verifying contract, so that none works anywhere else (docs/contracts.md).
"""

from dataclasses import dataclass

from bot.crypto.canonical import JsonValue
from bot.crypto.eip712 import Struct, struct_digest, struct_json

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


@dataclass(frozen=True, slots=True)
class RegistryDomain:
    """Which registry a signature is for; `contract` is its 20-byte address."""

    chain_id: int
    contract: bytes

    @property
    def struct(self) -> Struct:
        """The domain as it is hashed, and as a wallet is shown it."""
        values = (_NAME, _VERSION, self.chain_id, self.contract)
        return Struct("EIP712Domain", _DOMAIN_TYPES, values)


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
        return struct_digest(domain.struct, self._struct)

    def typed_data(self, domain: RegistryDomain) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return struct_json(domain.struct, self._struct)

    @property
    def _struct(self) -> Struct:
        values = (self.twin, self.slug, self.manifest, self.payout, self.number, self.deadline)
        return Struct("TwinBinding", _BINDING_TYPES, values)


@dataclass(frozen=True, slots=True)
class TwinRevocationData:
    """What a creator signs to revoke a twin for ever; see `TwinBindingData`."""

    twin: bytes
    slug: str
    deadline: int

    def digest(self, domain: RegistryDomain) -> bytes:
        """Hash to the 32 bytes that are signed: keccak(0x1901 || domain || struct)."""
        return struct_digest(domain.struct, self._struct)

    def typed_data(self, domain: RegistryDomain) -> dict[str, JsonValue]:
        """Build the JSON argument of a wallet's `eth_signTypedData_v4`."""
        return struct_json(domain.struct, self._struct)

    @property
    def _struct(self) -> Struct:
        return Struct("TwinRevocation", _REVOCATION_TYPES, (self.twin, self.slug, self.deadline))
