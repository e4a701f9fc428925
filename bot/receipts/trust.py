"""What a verifier trusts before looking at any bundle."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.crypto.eip712 import parse_address
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import parse_vkey
from bot.domain.errors import UserError


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """The creators and logs that the verifier was given, by another way than the link.

    Attributes:
        creators: EIP-55 addresses.
        logs: vkeys.

    Raises:
        UserError: an address or a vkey is not one.
    """

    creators: frozenset[str]
    logs: frozenset[str]

    def __post_init__(self) -> None:
        try:
            for creator in self.creators:
                parse_address(creator)
            for log in self.logs:
                parse_vkey(log)
        except FormatError as error:
            raise UserError(f"The trust policy is not valid: {error}.") from error


def parse_policy(values: Mapping[str, object]) -> TrustPolicy:
    """Read a policy from a plain mapping: `{"creators": ["0x…"], "logs": ["origin+hash+key"]}`.

    Raises:
        UserError: a key is missing or unknown, or a value is not a list of strings.
    """
    if set(values) != {"creators", "logs"}:
        raise UserError("A trust policy has exactly the keys creators and logs.")
    return TrustPolicy(creators=_texts(values["creators"]), logs=_texts(values["logs"]))


def _texts(value: object) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UserError("The creators and logs of a trust policy are lists of strings.")
    return frozenset(value)
