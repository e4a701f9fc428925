"""A signing desk in memory: real manifests and orders, real signatures, one twin, no store."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.crypto import eip712
from bot.crypto.eip712 import SigningData
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.domain.errors import InvariantError, LinkExpiredError, UserError
from bot.domain.ids import derive_twin_id
from bot.domain.manifest import Manifest, encode_manifest, parse_manifest, signing_data
from bot.domain.order import OrderAction, TwinOrder, order_data, parse_order
from bot.domain.persona import Persona
from bot.ports.signing import PreparedSignature, SigningDesk, SigningRequest
from scripts.vector_parts import LOG, MANIFEST, PERSONA
from tests.fakes.clock import SetClock

VALID = timedelta(minutes=60)
NO_ADDRESS = "0x" + "0" * 40
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_SIGNATURE = re.compile(r"0x[0-9a-fA-F]{130}")
_OTHER_CHAINS = (1, 10, 137, 8453, 31337, 11155111)
_USED = "This link was used already."


@dataclass(slots=True)
class Invitation:
    """One request as the desk keeps it."""

    kind: str
    version: int | None
    expires_at: datetime
    done: str = ""
    signed: str = ""
    prepared: dict[str, tuple[str, SigningData]] = field(default_factory=dict)


@dataclass(slots=True)
class MemorySigningDesk(SigningDesk):
    """Serves one twin; what the port asks of its caller is checked.

    Attributes:
        creator: address that owns the twin; empty before its first publication.
        live: the version in force.
        orders: those that were taken.
        fail: error that every call raises.
        distort: changes what is prepared, as a service that lies would.
        calls: (method, token) of every call.
    """

    clock: SetClock = field(default_factory=SetClock)
    persona: Persona = PERSONA
    slug: str = "mira"
    creator: str = ""
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    live: Manifest | None = None
    orders: list[TwinOrder] = field(default_factory=list)
    fail: Exception | None = None
    distort: Callable[[PreparedSignature], PreparedSignature] | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    _invitations: dict[str, Invitation] = field(default_factory=dict)

    def invite(self, kind: str = "publish", *, version: int | None = None) -> str:
        """Open a request and return its token."""
        number = sha256(f"invitation {len(self._invitations)}".encode())
        token = number.hex()[:41] + "_-"
        if kind == "publish":
            version = 1 if self.live is None else self.live.version + 1
        self._invitations[token] = Invitation(kind, version, self.clock.now() + VALID)
        return token

    async def look(self, token: str) -> SigningRequest:
        """Say what is to be signed."""
        invitation = self._find("look", token)
        publishes = invitation.kind == "publish"
        return SigningRequest(
            kind=invitation.kind,
            twin_name=self.persona.name,
            slug=self.slug,
            version=invitation.version,
            summary=self._summary(invitation),
            persona_text=self.persona.text() if publishes else "",
            changes=self.changes if publishes else (),
            warnings=self.warnings,
            signer=self.creator,
            expires_at=invitation.expires_at,
            done=invitation.done,
        )

    async def prepare(self, token: str, *, signer: str, payout: str) -> PreparedSignature:
        """Make the manifest or order that an address would sign."""
        invitation = self._find("prepare", token)
        address = _read_address(signer)
        if self.creator and address != self.creator:
            raise UserError(f"This twin belongs to {self.creator}: sign with that address.")
        body, data = self._make(invitation, address, payout)
        invitation.prepared[body] = (address, data)
        prepared = PreparedSignature(body, data.typed_data(), "0x" + data.digest().hex())
        return prepared if self.distort is None else self.distort(prepared)

    async def submit(self, token: str, *, body: str, signature: str) -> str:
        """Check a signature as the service would, and bring what was signed into force."""
        invitation = self._find("submit", token)
        if invitation.done:
            if body == invitation.signed:
                return invitation.done
            raise UserError(_USED)
        if body not in invitation.prepared:
            raise UserError("That is not what this link asked to be signed.")
        address, data = invitation.prepared[body]
        _check_signature(data, address, signature)
        invitation.done = self._put_in_force(invitation, body, address)
        invitation.signed = body
        return invitation.done

    def _find(self, method: str, token: str) -> Invitation:
        if not _TOKEN.fullmatch(token):
            raise InvariantError("the port: a token has 43 characters of base64url")
        self.calls.append((method, token))
        if self.fail is not None:
            raise self.fail
        if token not in self._invitations:
            raise UserError("There is no such signing link.")
        if self.clock.now() > self._invitations[token].expires_at:
            raise LinkExpiredError("This signing link has expired.")
        return self._invitations[token]

    def _summary(self, invitation: Invitation) -> tuple[tuple[str, str], ...]:
        twin = ("Twin", f"{self.persona.name} ({self.slug})")
        if invitation.kind != "publish":
            return (twin, ("Order", invitation.kind))
        return (
            twin,
            ("Version", str(invitation.version)),
            ("Price", "0.002 TPT per reply, 100 a day free"),
            ("Your share", "85 %; the operator has 15 %"),
            ("Model", MANIFEST.model.name),
            ("Valid", "one year from your signature"),
        )

    def _make(self, invitation: Invitation, address: str, payout: str) -> tuple[str, SigningData]:
        twin = derive_twin_id(eip712.parse_address(address), self.slug)
        now = self.clock.now().replace(microsecond=0)
        if invitation.kind == "publish":
            manifest = replace(
                MANIFEST,
                twin=twin,
                slug=self.slug,
                name=self.persona.name,
                version=invitation.version or 1,
                previous=self.live.hash if self.live else None,
                persona=self.persona.hash,
                price_nano=2_000_000,
                price_token="TPT",  # noqa: S106 - a currency
                creator=address,
                payout=_read_address(payout) if payout else NO_ADDRESS,
                valid_from=now,
                valid_until=now + timedelta(days=365),
            )
            return encode_manifest(manifest).decode(), signing_data(manifest)
        order = TwinOrder(
            twin=twin,
            action=OrderAction(invitation.kind),
            number=len(self.orders) + 1,
            manifest=self.live.hash if self.live and invitation.version else None,
            log=LOG.name,
            issued=now,
            expires=invitation.expires_at.replace(microsecond=0),
        )
        return order.encode().decode(), order_data(order, self.persona.name)

    def _put_in_force(self, invitation: Invitation, body: str, address: str) -> str:
        name = self.persona.name
        if invitation.kind == "publish":
            self.live = parse_manifest(body.encode())
            self.creator = address
            return f"Version {self.live.version} of {name} answers fans now."
        self.orders.append(parse_order(body.encode()))
        return {
            "pause": f"{name} is paused: it answers nobody until you sign that it may.",
            "resume": f"{name} answers fans again.",
            "revoke": f"{name} is revoked and answers nobody any more.",
        }[invitation.kind]


def _read_address(text: str) -> str:
    """Read an address in any case of its letters."""
    if not _ADDRESS.fullmatch(text):
        raise UserError(f"{text} is not an address.")
    return eip712.encode_address(bytes.fromhex(text[2:]))


def _check_signature(data: SigningData, address: str, signature: str) -> None:
    if not _SIGNATURE.fullmatch(signature):
        raise UserError("A signature is 0x and 130 hexadecimal digits.")
    raw = bytes.fromhex(signature[2:])
    raw = raw[:-1] + bytes([raw[-1] + 27 if raw[-1] < 27 else raw[-1]])
    try:
        signer = eip712.recover_signer(data.digest(), raw)
        foreign = [
            chain
            for chain in _OTHER_CHAINS
            if eip712.recover_signer(data.digest(chain_id=chain), raw) == address
        ]
    except (FormatError, MismatchError):
        raise UserError("That signature belongs to no key.") from None
    if foreign:
        raise UserError(
            f"Your wallet has signed for chain {foreign[0]}; this signature must name no chain. "
            "Use another wallet, or sign offline."
        )
    if signer != address:
        raise UserError(f"That signature is not of {address}. Sign with that address.")
