"""What a creator is asked to sign for the registry, as a file that a wallet's owner is given.

JSON `{"v":"twinproof-binding/1","creator":"0x…","typed_data":{…}}`, `typed_data` being the argument
of the wallet's `eth_signTypedData_v4` (docs/contracts.md); `twinproof-revocation/1` for the end of
a twin. Any JSON spelling.
"""

import json
from dataclasses import dataclass
from typing import Any

from bot.crypto.canonical import JsonValue
from bot.crypto.eip712 import encode_address, parse_address
from bot.crypto.errors import FormatError
from bot.crypto.json_depth import is_deeper
from bot.crypto.registry_data import (
    HIGHEST_NUMBER,
    RegistryDomain,
    TwinBindingData,
    TwinRevocationData,
)
from bot.domain.ids import derive_twin_id

BINDING, REVOCATION = "twinproof-binding/1", "twinproof-revocation/1"
VERSIONS = frozenset({BINDING, REVOCATION})
_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 8
_END_OF_TIME = 253_402_300_800
"""Where the year 10000 begins, in seconds: no deadline is shown that has more digits."""


@dataclass(frozen=True, slots=True)
class RegistryRequest:
    """What a creator is asked to sign; `creator` is their 20-byte address."""

    creator: bytes
    domain: RegistryDomain
    data: TwinBindingData | TwinRevocationData

    def as_json(self) -> dict[str, JsonValue]:
        """Return what is in the file."""
        return {
            "v": BINDING if isinstance(self.data, TwinBindingData) else REVOCATION,
            "creator": encode_address(self.creator),
            "typed_data": self.data.typed_data(self.domain),
        }


def binding_data(
    *, creator: bytes, slug: str, manifest: bytes, payout: bytes, number: int, deadline: int
) -> TwinBindingData:
    """Return what a creator signs, with the id of their twin; see `TwinBindingData`."""
    twin = derive_twin_id(creator, slug)
    return TwinBindingData(twin, slug, manifest, payout, number, deadline)


def revocation_data(*, creator: bytes, slug: str, deadline: int) -> TwinRevocationData:
    """Return what a creator signs to end their twin for ever; see `TwinRevocationData`."""
    return TwinRevocationData(derive_twin_id(creator, slug), slug, deadline)


def parse_request(data: bytes) -> RegistryRequest:
    """Parse a request's file.

    Raises:
        FormatError: it is none, or a wallet would be shown something else than it would sign.
    """
    if len(data) > _MAX_BYTES or is_deeper(data, _MAX_DEPTH):
        raise FormatError("too long")
    try:
        values = json.loads(data)
        typed = values["typed_data"]
        message, domain = typed["message"], typed["domain"]
        creator = parse_address(values["creator"])
        request = RegistryRequest(
            creator,
            RegistryDomain(_whole(domain["chainId"]), parse_address(domain["verifyingContract"])),
            _data(values["v"], creator, message),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError("not a request for the registry of twins") from error
    if request.as_json() != values:
        raise FormatError("it contradicts itself")
    return request


def _data(
    version: Any,  # noqa: ANN401 - foreign JSON
    creator: bytes,
    message: Any,  # noqa: ANN401
) -> TwinBindingData | TwinRevocationData:
    slug, deadline = str(message["slug"]), _whole(message["deadline"])
    if deadline >= _END_OF_TIME:
        raise FormatError("not a deadline")
    if version == REVOCATION:
        return revocation_data(creator=creator, slug=slug, deadline=deadline)
    number = _whole(message["number"])
    if number > HIGHEST_NUMBER:
        raise FormatError("not a number of a binding")
    return binding_data(
        creator=creator,
        slug=slug,
        manifest=bytes.fromhex(message["manifest"][2:]),
        payout=parse_address(message["payout"]),
        number=number,
        deadline=deadline,
    )


def _whole(value: Any) -> int:  # noqa: ANN401 - foreign JSON
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise FormatError("not a whole number")
    return value
