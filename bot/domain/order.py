"""A creator's orders about a twin: pause, resume, revoke (docs/spec/formats.md section 3.1)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.crypto.canonical import encode_canonical, parse_canonical
from bot.crypto.eip712 import TwinOrderData
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.domain.reading import ObjectReader
from bot.domain.times import encode_time, parse_time

VERSION = "twinproof-order/1"
HASH_BYTES = 32
MAX_LOG = 128


class OrderAction(StrEnum):
    """What a creator orders.

    Pause and resume are of the twin; revoke is of one version, or of the twin, and final.
    """

    PAUSE = "pause"
    RESUME = "resume"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class TwinOrder:
    """One order, as its creator signs it.

    Attributes:
        twin: 32 bytes.
        number: counts the twin's orders from 1 without holes, so that none can be replayed.
        manifest: hash of the version to revoke; None for the whole twin, and for pause and resume.
        log: origin of the log in which it is to stand.
        issued: aware UTC, whole seconds; so is `expires`, after which it is not accepted.

    Raises:
        FormatError: a pause or resume of one version, or it expires before it was issued.
    """

    twin: bytes
    action: OrderAction
    number: int
    manifest: bytes | None
    log: str
    issued: datetime
    expires: datetime

    def __post_init__(self) -> None:
        if self.manifest is not None and self.action is not OrderAction.REVOKE:
            raise FormatError("only a revocation names a version")
        if self.expires < self.issued:
            raise FormatError("the order expires before it is issued")

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return sha256(self.encode())

    def encode(self) -> bytes:
        """Encode as canonical JSON."""
        return encode_canonical(
            {
                "v": VERSION,
                "twin": self.twin.hex(),
                "action": self.action.value,
                "number": self.number,
                "manifest": None if self.manifest is None else self.manifest.hex(),
                "log": self.log,
                "issued": encode_time(self.issued),
                "expires": encode_time(self.expires),
            }
        )


def parse_order(data: bytes) -> TwinOrder:
    """Parse canonical JSON; no signature is checked here.

    Raises:
        FormatError: the bytes are not an order of version 1.
    """
    keys = "v twin action number manifest log issued expires"
    reader = ObjectReader(parse_canonical(data), "order", keys)
    reader.constant("v", VERSION)
    reader.constant("action", *(action.value for action in OrderAction))
    return TwinOrder(
        twin=reader.hex("twin", HASH_BYTES),
        action=OrderAction(reader.text("action")),
        number=reader.integer("number", minimum=1),
        manifest=reader.hex_or_null("manifest", HASH_BYTES),
        log=reader.text("log", minimum=1, maximum=MAX_LOG),
        issued=reader.convert("issued", parse_time),
        expires=reader.convert("expires", parse_time),
    )


def order_data(order: TwinOrder, name: str) -> TwinOrderData:
    """Build the EIP-712 struct that the creator signs; `name` is the twin's display name."""
    return TwinOrderData(
        action=order.action.value,
        name=name,
        twin=order.twin,
        manifest=order.manifest or bytes(HASH_BYTES),
        order=order.hash,
        log_origin=order.log,
        issued=encode_time(order.issued),
        expires=encode_time(order.expires),
    )
