"""What a verifier trusts before looking at any bundle (formats.md section 11.3)."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bot.crypto.canonical import JsonValue, parse_json
from bot.crypto.ed25519 import check_public_key
from bot.crypto.eip712 import encode_address, parse_address
from bot.crypto.encoding import parse_hex
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint, parse_vkey
from bot.domain.errors import UserError
from bot.domain.reading import ObjectReader, read_text
from bot.domain.witnesses import WitnessPolicy
from bot.ports.anchors import AnchorPlace
from bot.receipts.anchor import read_place

VERSION = "twinproof-policy/1"
MAX_ENTRIES = 256
HASH_BYTES = 32
_LISTS = ("creators", "logs", "witnesses", "auditors", "anchors", "revoked")
NO_WITNESSES = WitnessPolicy(0, ())


@dataclass(frozen=True, slots=True)
class RevokedKey:
    """What a manifest signed does not count from a size of a log on: a key of it was lost.

    Attributes:
        manifest: its hash.
        log: origin of the log.
        size: the smallest leaf index there that does not count.
    """

    manifest: bytes
    log: str
    size: int


@dataclass(frozen=True, slots=True)
class TrustPolicy:
    """What the verifier was given by another way than the link.

    Attributes:
        creators: EIP-55 addresses.
        logs: vkeys.
        witnesses: whose cosignatures count, and how many are needed.
        auditors: Ed25519 public keys whose verdicts count.
        anchors: the settlement contracts that count.
        revoked: what does not count any more.

    Raises:
        UserError: an address or a vkey is not one.
    """

    creators: frozenset[str]
    logs: frozenset[str]
    witnesses: WitnessPolicy = NO_WITNESSES
    auditors: frozenset[bytes] = frozenset()
    anchors: frozenset[AnchorPlace] = field(default_factory=frozenset)
    revoked: tuple[RevokedKey, ...] = ()

    def __post_init__(self) -> None:
        try:
            for creator in self.creators:
                parse_address(creator)
            for log in self.logs:
                parse_vkey(log)
        except FormatError as error:
            raise UserError(f"The trust policy is not valid: {error}.") from error

    def revokes(self, manifest: bytes, bounds: Mapping[str, int], index: int) -> RevokedKey | None:
        """Return what says that a receipt does not count, if anything does.

        Args:
            manifest: its manifest's hash.
            bounds: for each log from the manifest's to the checkpoint's, the index from which on
                leaves are the work of a later log.
            index: of its leaf.
        """
        for one in self.revoked:
            names_it = one.manifest == manifest and one.log in bounds
            if names_it and index >= min(one.size, bounds[one.log]):
                return one
        return None


def parse_policy(data: bytes) -> TrustPolicy:
    """Parse a policy's JSON, in any spelling.

    Raises:
        UserError: it is not a policy of version 1; the sentence says what is wrong.
    """
    try:
        return _read_policy(parse_json(data))
    except FormatError as error:
        raise UserError(f"The trust policy is not valid: {error}.") from error


def format_policy(creators: Iterable[str], log: str, anchors: Iterable[AnchorPlace] = ()) -> str:
    """Write the policy of somebody who knows creators and a log, and no witness or auditor."""
    places = [
        {"chain": place.chain, "contract": encode_address(place.contract)} for place in anchors
    ]
    policy = {"v": VERSION, "creators": sorted(creators), "logs": [log], "witnesses": []} | {
        "needed": 0,
        "auditors": [],
        "anchors": places,
        "revoked": [],
    }
    return json.dumps(policy, indent=2) + "\n"


def _read_policy(value: JsonValue) -> TrustPolicy:
    reader = ObjectReader(value, "policy", f"v needed {' '.join(_LISTS)}")
    reader.constant("v", VERSION)
    for name in _LISTS:
        entries = reader.items(name, lambda item, _path: item)
        if len(entries) > MAX_ENTRIES:
            raise FormatError(f"policy.{name}: more than {MAX_ENTRIES}")
    needed = reader.integer("needed", maximum=MAX_ENTRIES)
    return TrustPolicy(
        creators=frozenset(reader.items("creators", _read_address)),
        logs=frozenset(reader.items("logs", _read_log)),
        witnesses=WitnessPolicy.parse(reader.items("witnesses", read_text), needed),
        auditors=frozenset(reader.items("auditors", _read_key)),
        anchors=frozenset(reader.items("anchors", read_place)),
        revoked=reader.items("revoked", _read_revoked),
    )


def _read_address(value: JsonValue, path: str) -> str:
    text = read_text(value, path)
    parse_address(text)
    return text


def _read_log(value: JsonValue, path: str) -> str:
    text = read_text(value, path)
    parse_vkey(text)
    return text


def _read_key(value: JsonValue, path: str) -> bytes:
    key = parse_hex(read_text(value, path), HASH_BYTES)
    check_public_key(key)
    return key


def _read_revoked(value: JsonValue, path: str) -> RevokedKey:
    reader = ObjectReader(value, path, "manifest log size")
    origin = reader.text("log")
    Checkpoint(origin, 0, bytes(HASH_BYTES))  # the rules of an origin
    return RevokedKey(reader.hex("manifest", HASH_BYTES), origin, reader.integer("size"))
