"""What a wallet hands over: a signature in any of the usual spellings, checked against its signer.

Pure. Each way of being wrong has its own sentence for the creator.
"""

import re
from collections.abc import Iterable

from bot.crypto import eip712
from bot.crypto.eip712 import SigningData
from bot.crypto.errors import FormatError, MismatchError
from bot.domain.addresses import parse_typed_address
from bot.domain.errors import UserError

WELL_KNOWN_CHAINS = (
    *(1, 5, 10, 25, 56, 97, 100, 137, 250, 324, 1101, 1329, 1337, 5000, 8453, 17000, 31337, 42161),
    *(42170, 42220, 43113, 43114, 59144, 80001, 80002, 81457, 84531, 84532, 421613, 421614),
    *(534352, 560048, 7777777, 11155111, 11155420),
)
_HEX_SIGNATURE = re.compile(r"0x[0-9a-f]{130}", re.ASCII)
_OLD_V = {0: 27, 1: 28}
_MALFORMED = "This is not a signature: it must be 0x and 130 hexadecimal digits."


def parse_wallet_address(text: str, *, meaning: str) -> str:
    """Return an address with EIP-55's case; all small, all capital or checked letters are read.

    Args:
        text: as a wallet or a person gives it.
        meaning: what it is, for the sentence.

    Raises:
        UserError: not an address, its checksum is wrong, or it is nobody's.
    """
    return eip712.encode_address(parse_typed_address(text, f"The {meaning}"))


def parse_wallet_signature(text: str) -> bytes:
    """Return `r || s || v` with v 27 or 28.

    Raises:
        UserError: malformed.
    """
    given = text.strip().lower()
    if not _HEX_SIGNATURE.fullmatch(given):
        raise UserError(_MALFORMED)
    raw = bytes.fromhex(given[2:])
    return raw[:-1] + bytes([_OLD_V.get(raw[-1], raw[-1])])


def check_signer(
    data: SigningData, signature: bytes, *, expected: str, owned: bool, chains: Iterable[int]
) -> None:
    """Refuse a signature that the expected address has not made over these fields.

    Args:
        data: what was to be signed.
        signature: from `parse_wallet_signature`.
        expected: EIP-55 address.
        owned: whether the twin belongs to it already; else the body was made for it just now.
        chains: ids that a wallet may have put into the domain of its own accord.

    Raises:
        UserError: one sentence for each reason.
    """
    found = _recovered(data.digest(), signature)
    if found == expected:
        return
    for chain in chains:
        if _recovered(data.digest(chain_id=chain), signature) == expected:
            raise UserError(
                f"This was signed for chain {chain}; twins are signed without a chain id: sign "
                "exactly what this page shows, with a wallet that adds nothing to it."
            )
    if owned:
        raise UserError(
            f"This is signed by {found}, but the twin belongs to {expected}: connect that wallet."
        )
    raise UserError(
        f"This is signed by {found}, but it was made for {expected}: connect that wallet, or "
        "begin again with this one."
    )


def _recovered(digest: bytes, signature: bytes) -> str:
    try:
        return eip712.recover_signer(digest, signature)
    except MismatchError as error:
        raise UserError("This signature is of no key at all: sign once more.") from error
    except FormatError as error:
        if signature[-1] not in _OLD_V.values():
            raise UserError(_MALFORMED) from error
        raise UserError(
            "This signature has a second valid form and is not taken (its s is high): sign once "
            "more, with another wallet."
        ) from error
