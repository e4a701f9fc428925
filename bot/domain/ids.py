"""Identifiers that are derived, never chosen (docs/spec/formats.md sections 3, 4 and 7)."""

import re
from dataclasses import dataclass

from bot.crypto.encoding import encode_b64url
from bot.crypto.errors import FormatError
from bot.crypto.hashing import tagged_hash

SLOT_TAG_BYTES = 16
RECEIPT_ID_BYTES = 16
NUMBERING = {
    "terminal": "operator",
    "web": "operator",
    "discord": "platform",
    "telegram": "platform",
}
_ID, _EMPTY = r"[1-9][0-9]{0,19}", "|"
_FORMS = {
    "discord": {"bot": _ID, "chat": _ID, "thread": _EMPTY + _ID, "message": _ID},
    "telegram": {"bot": _ID, "chat": f"-?{_ID}", "thread": _EMPTY + _ID, "message": _ID},
    "terminal": {"bot": "local"},
    "web": {"bot": "local"},
}


@dataclass(frozen=True, slots=True)
class SlotInput:
    """The platform's own identifiers of the message that is answered; empty where none."""

    platform: str
    bot: str
    chat: str
    thread: str
    message: str

    @property
    def numbering(self) -> str:
        """Who numbers the messages of this surface: `operator` or `platform`.

        Raises:
            FormatError: version 1 does not know the platform.
        """
        if self.platform not in NUMBERING:
            raise FormatError(f"the platform is not one of {', '.join(NUMBERING)}")
        return NUMBERING[self.platform]

    def check(self) -> None:
        """Check that the platform writes identifiers in this way: another spelling, another seed.

        Raises:
            FormatError: it does not, or the platform is not known.
        """
        for name, form in _FORMS.get(self.platform, {"platform": "|".join(NUMBERING)}).items():
            if re.fullmatch(form, getattr(self, name)) is None:
                raise FormatError(f"slot.{name}: not as {self.platform[:16]!r} writes it")


def derive_twin_id(creator: bytes, slug: str) -> bytes:
    """Return a twin's 32-byte id from its creator's 20-byte address and its slug."""
    return tagged_hash("twin", creator, slug)


def derive_slot(twin: bytes, slot: SlotInput) -> bytes:
    """Return the 32-byte VRF input of a message."""
    return tagged_hash(
        "slot-input", twin, slot.platform, slot.bot, slot.chat, slot.thread, slot.message
    )


def derive_slot_tag(beta: bytes) -> bytes:
    """Return the public 16-byte tag of a slot from its VRF output."""
    return tagged_hash("slot", beta)[:SLOT_TAG_BYTES]


def derive_seed(beta: bytes, manifest_hash: bytes, attempt: int) -> bytes:
    """Return the 32-byte seed of one attempt."""
    return tagged_hash("seed", beta, manifest_hash, attempt.to_bytes(4, "big"))


def receipt_tag_of(receipt_hash: bytes) -> bytes:
    """Return the 32 bytes that the public log knows a receipt by; no link follows from them."""
    return tagged_hash("receipt", receipt_hash)


def receipt_id_of(receipt_hash: bytes) -> str:
    """Return the 22 characters that name a receipt in links."""
    return encode_b64url(receipt_hash[:RECEIPT_ID_BYTES])
