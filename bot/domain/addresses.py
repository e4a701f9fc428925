"""Ethereum addresses as people type them: in a file, on a command line, on a page.

Letters of both cases are a checksum (EIP-55), which must be right. Letters of one case alone carry
none: such an address is taken as it stands, and whatever shows it later shows its capitals.
"""

import re

from bot.crypto.eip712 import encode_address
from bot.domain.errors import UserError
from bot.domain.settlement import NO_PAYOUT

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SHOWN = 48
"""Characters of what was typed that a sentence repeats: an address and a little more."""


def parse_typed_address(text: str, name: str) -> bytes:
    """Return the 20 bytes of an address.

    Args:
        text: as it was typed; blanks around it don't count.
        name: what it is, such as an option's name, as the sentence begins.

    Raises:
        UserError: it is none, a letter of it is wrong, or it is the zero address.
    """
    given = text.strip()
    if not _ADDRESS.fullmatch(given):
        shown = repr(given) if len(given) <= _SHOWN else f"{given[:_SHOWN]!r}…"
        raise UserError(f"{name} {shown} is no address: 0x and 40 hexadecimal digits.")
    digits = given[2:]
    address = bytes.fromhex(digits)
    if digits not in {digits.lower(), digits.upper()} and encode_address(address) != given:
        raise UserError(
            f"{name} {given} is not a valid checksummed address: a letter is wrong; copy it again."
        )
    if address == NO_PAYOUT:
        raise UserError(f"{name} is the zero address, which is nobody's.")
    return address
