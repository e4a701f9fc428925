"""What an epoch publishes: its leaves, as bytes whose hash the chain holds (formats.md section 14).

Canonical JSON; hashes as lower-case hexadecimal, addresses with `0x` in lower case, amounts as
decimal strings: claims in token units, what is held and carried in nano.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.encoding import parse_hex
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.crypto.merkle import HASH_BYTES
from bot.domain.reading import ObjectReader
from bot.domain.settlement import NO_PAYOUT, ClaimLeaf, Commitment, Earnings, Epoch
from bot.settlement.claims import ClaimTree, audit_hash

VERSION = "twinproof-epoch/2"
MAX_PUBLICATION_BYTES = 32 * 1024 * 1024
_ADDRESS_BYTES = 20
_MAX_DIGITS = 38  # 2^127 - 1 has 39: the contract's totals are below 2^128
_KEYS = "v epoch fee_total log_size log_root leaves"
_LEAF_KEYS = "twin payout cumulative entries log_root held carried"
_WHOLE = re.compile(rf"0|[1-9][0-9]{{0,{_MAX_DIGITS - 1}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PublishedLeaf:
    """One twin's claim as it was published; nothing of it is believed.

    Attributes:
        units: cumulative, in token units.
        held_nano: see `Earnings`; so is `carried_nano`.
    """

    twin: bytes
    payout: bytes
    units: int
    entries: int
    log_root: bytes
    held_nano: int
    carried_nano: int

    @property
    def is_payable(self) -> bool:
        """Whether a claim of it could pay anything."""
        return self.payout != NO_PAYOUT and self.units > 0

    @property
    def claim(self) -> ClaimLeaf:
        """The leaf of the claim tree."""
        audit = audit_hash(self.entries, self.log_root)
        return ClaimLeaf(self.twin, self.payout, self.units, audit)


@dataclass(frozen=True, slots=True)
class Publication:
    """An epoch as it was published; `fee_total` is in token units."""

    epoch: int
    fee_total: int
    log_size: int
    log_root: bytes
    leaves: tuple[PublishedLeaf, ...]

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a publication.

        Raises:
            FormatError: it is none, or beyond its limits.
        """
        if len(data) > MAX_PUBLICATION_BYTES:
            raise FormatError(f"more than {MAX_PUBLICATION_BYTES} bytes")
        reader = ObjectReader(parse_canonical(data), "publication", _KEYS)
        reader.constant("v", VERSION)
        return cls(
            epoch=reader.integer("epoch", minimum=1),
            fee_total=reader.convert("fee_total", parse_whole),
            log_size=reader.integer("log_size"),
            log_root=reader.hex("log_root", HASH_BYTES),
            leaves=reader.items("leaves", _read_leaf),
        )

    def leaf_of(self, twin: bytes) -> PublishedLeaf | None:
        """Return a twin's leaf; None where it has none."""
        return next((leaf for leaf in self.leaves if leaf.twin == twin), None)

    def commitment(self, data: bytes) -> Commitment:
        """Return what must have been committed for the bytes that this was parsed from."""
        return Commitment(
            epoch=self.epoch,
            fee_root=ClaimTree([leaf.claim for leaf in self.leaves]).root,
            fee_total=self.fee_total,
            log_root=self.log_root,
            log_size=self.log_size,
            data_hash=sha256(data),
        )


def encode_publication(
    epoch: int, earnings: Sequence[Earnings], *, log_size: int, log_root: bytes
) -> bytes:
    """Encode the leaves that an epoch publishes, in the order of its tree.

    Their SHA-256 is the commitment's `data_hash`.
    """
    leaves: list[JsonValue] = [
        {
            "twin": item.twin.hex(),
            "payout": f"0x{item.payout.hex()}",
            "cumulative": str(item.cumulative_units),
            "entries": item.entries,
            "log_root": item.twin_log_root.hex(),
            "held": str(item.held_nano),
            "carried": str(item.carried_nano),
        }
        for item in earnings
    ]
    return encode_canonical(
        {
            "v": VERSION,
            "epoch": epoch,
            "fee_total": str(sum(item.cumulative_units for item in earnings)),
            "log_size": log_size,
            "log_root": log_root.hex(),
            "leaves": leaves,
        }
    )


def publication_of(epoch: Epoch) -> bytes:
    """Encode a stored epoch's publication again; not of a lost one, whose leaves nobody knows."""
    said = epoch.commitment
    return encode_publication(
        said.epoch, epoch.earnings, log_size=said.log_size, log_root=said.log_root
    )


def parse_whole(text: str) -> int:
    """Parse a whole number of at most 38 digits, as it is written in one way only.

    Raises:
        FormatError: another spelling.
    """
    if not _WHOLE.fullmatch(text):
        raise FormatError("not a whole number")
    return int(text)


def _read_leaf(value: JsonValue, path: str) -> PublishedLeaf:
    reader = ObjectReader(value, path, _LEAF_KEYS)
    return PublishedLeaf(
        twin=reader.hex("twin", HASH_BYTES),
        payout=reader.convert("payout", _parse_payout),
        units=reader.convert("cumulative", parse_whole),
        entries=reader.integer("entries"),
        log_root=reader.hex("log_root", HASH_BYTES),
        held_nano=reader.convert("held", parse_whole),
        carried_nano=reader.convert("carried", parse_whole),
    )


def _parse_payout(text: str) -> bytes:
    if not text.startswith("0x"):
        raise FormatError("not an address in lower case")
    return parse_hex(text[2:], _ADDRESS_BYTES)
