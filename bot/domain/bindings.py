"""A creator's request to bind a twin in the registry, as a file that a wallet's owner is given.

JSON `{"v":"twinproof-binding/1","creator":"0x…","typed_data":{…}}`, `typed_data` being the argument
of the wallet's `eth_signTypedData_v4` (docs/contracts.md). Any JSON spelling.
"""

import json
from dataclasses import dataclass
from typing import Any

from bot.crypto.canonical import JsonValue
from bot.crypto.eip712 import encode_address, parse_address
from bot.crypto.errors import FormatError
from bot.crypto.json_depth import is_deeper
from bot.crypto.registry_data import HIGHEST_NUMBER, RegistryDomain, TwinBindingData
from bot.domain.ids import derive_twin_id

VERSION = "twinproof-binding/1"
_MAX_BYTES = 64 * 1024
_MAX_DEPTH = 8


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """What a creator is asked to sign; `creator` is their 20-byte address."""

    creator: bytes
    domain: RegistryDomain
    data: TwinBindingData

    def as_json(self) -> dict[str, JsonValue]:
        """Return what is in the file."""
        return {
            "v": VERSION,
            "creator": encode_address(self.creator),
            "typed_data": self.data.typed_data(self.domain),
        }


def binding_data(
    *, creator: bytes, slug: str, manifest: bytes, payout: bytes, number: int, deadline: int
) -> TwinBindingData:
    """Return what a creator signs, with the id of their twin; see `TwinBindingData`."""
    twin = derive_twin_id(creator, slug)
    return TwinBindingData(twin, slug, manifest, payout, number, deadline)


def parse_request(data: bytes) -> BindingRequest:
    """Parse a request's file.

    Raises:
        FormatError: it is none, or a wallet would be shown something else than it would bind.
    """
    if len(data) > _MAX_BYTES or is_deeper(data, _MAX_DEPTH):
        raise FormatError("too long")
    try:
        values = json.loads(data)
        typed = values["typed_data"]
        message, domain = typed["message"], typed["domain"]
        creator = parse_address(values["creator"])
        request = BindingRequest(
            creator,
            RegistryDomain(_whole(domain["chainId"]), parse_address(domain["verifyingContract"])),
            binding_data(
                creator=creator,
                slug=str(message["slug"]),
                manifest=bytes.fromhex(message["manifest"][2:]),
                payout=parse_address(message["payout"]),
                number=_whole(message["number"]),
                deadline=_whole(message["deadline"]),
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FormatError("not a request to bind a twin") from error
    if request.as_json() != values or request.data.number > HIGHEST_NUMBER:
        raise FormatError("it contradicts itself")
    return request


def _whole(value: Any) -> int:  # noqa: ANN401 - foreign JSON
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise FormatError("not a whole number")
    return value
