"""What an invoice of ours says of itself, so that no other can pass for one.

Only before the platform takes money does the seal matter. A payment that was made is a fact: then
the platform's own word counts for who has paid how much.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass

_MARK = "tp1"
_FORM = re.compile(
    rf"({_MARK}:([a-z-]{{1,32}}):([0-9]{{1,10}}):([0-9]{{1,19}}):([0-9]{{1,19}}))"
    r":([A-Za-z0-9_-]{22})",
    re.ASCII,
)
_SEAL_BYTES = 16


@dataclass(frozen=True, slots=True)
class Invoice:
    """What was offered to whom.

    Attributes:
        unit: as the offer names it; so is `count`.
        nano: the credit that the invoice promises, in nano-units.
        fan: number of the person whom it was written for.
    """

    unit: str
    count: int
    nano: int
    fan: int


class InvoiceSeal:
    """Seals the invoices of one bot; the key follows from its token, so none has to be kept.

    With a new token, invoices of the old one are out of date. Otherwise an invoice may be paid for
    as long as what it promises is offered.
    """

    def __init__(self, token: str) -> None:
        self._key = hashlib.sha256(b"twinproof telegram invoice\0" + token.encode()).digest()

    def seal(self, invoice: Invoice) -> str:
        """Return the payload, of at most 128 bytes."""
        words = f"{_MARK}:{invoice.unit}:{invoice.count}:{invoice.nano}:{invoice.fan}"
        return f"{words}:{self._tag(words)}"

    def open(self, payload: str) -> Invoice | None:
        """Return what a payload says; None if it is not one that this bot has sealed."""
        found = _FORM.fullmatch(payload)
        if found is None or not hmac.compare_digest(self._tag(found[1]), found[6]):
            return None
        return Invoice(found[2], int(found[3]), int(found[4]), int(found[5]))

    def _tag(self, words: str) -> str:
        tag = hmac.digest(self._key, words.encode(), "sha256")[:_SEAL_BYTES]
        return base64.urlsafe_b64encode(tag).decode().rstrip("=")


def is_ours(payload: str | None) -> bool:
    """Return whether a payload has the form of ours, whatever token sealed it."""
    return payload is not None and _FORM.fullmatch(payload) is not None
