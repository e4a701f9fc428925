"""Proof links, and bundles kept as files (docs/spec/formats.md section 10)."""

import re
from dataclasses import dataclass

from bot.crypto.encoding import encode_b64url, parse_b64url
from bot.crypto.errors import FormatError
from bot.crypto.sealing import KEY_BYTES
from bot.domain.errors import UserError

_REMOTE = re.compile(r"https?://", re.IGNORECASE)
_PAGE = re.compile(
    r"(?P<base>https?://[^/?#\s]+(?:/[^?#\s]*)?)/r/(?P<id>[\w-]{22})(?:\.json)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ProofLink:
    """Where a bundle is, and the key that opens it.

    Attributes:
        location: address of the bundle (`…/r/{id}.json`), or a file's path.
        receipt_id: what an address names; None for a file.
        key: 32 bytes; None if the link carries no key.
    """

    location: str
    receipt_id: str | None
    key: bytes | None

    @property
    def is_remote(self) -> bool:
        """Whether the bundle is fetched rather than read from a file."""
        return self.receipt_id is not None


def format_link(base: str, receipt_id: str, key: bytes | None = None) -> str:
    """Write the link of a receipt; the key stands in the fragment, which no server sees."""
    return f"{base.rstrip('/')}/r/{receipt_id}{_fragment(key)}"


def format_file_link(path: str, key: bytes | None = None) -> str:
    """Write the name of a bundle that is kept as a file."""
    return f"{path}{_fragment(key)}"


def parse_link(text: str) -> ProofLink:
    """Parse a proof link or a file's path, with or without its key.

    Raises:
        UserError: it is neither, with one sentence that says what is wrong.
    """
    location, fragment = text.strip(), None
    if "#k=" in location:
        location, fragment = location.rsplit("#k=", 1)
    key = None if fragment is None else _parse_key(fragment)
    if not location:
        raise UserError("The proof link is empty: give a link or the path of a bundle.")
    if not _REMOTE.match(location):
        return ProofLink(location, None, key)
    page = _PAGE.fullmatch(location)
    if not page:
        raise UserError("This is not a proof link: it must look like https://HOST/r/RECEIPT#k=KEY.")
    return ProofLink(f"{page['base']}/r/{page['id']}.json", page["id"], key)


def _parse_key(text: str) -> bytes:
    try:
        key = parse_b64url(text)
    except FormatError:
        key = b""
    if len(key) != KEY_BYTES:
        raise UserError(
            "The key after #k= is incomplete: copy the whole link, to its last character."
        )
    return key


def _fragment(key: bytes | None) -> str:
    return "" if key is None else f"#k={encode_b64url(key)}"
