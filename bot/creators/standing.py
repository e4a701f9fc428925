"""What a twin may do now: decided from what was signed, what was said, and the operator's terms.

Pure. The newest version alone can be live: where it is revoked, nothing older comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.crypto import vrf
from bot.crypto.ed25519 import public_key_of
from bot.domain.manifest import Manifest, parse_manifest
from bot.domain.money import BASIS_POINTS
from bot.domain.order import OrderAction, parse_order
from bot.domain.persona import Persona, parse_persona
from bot.domain.terms import ModelTerms
from bot.ports.creators import PublishedVersion
from bot.ports.stores import StoredManifest, StoredOrder
from bot.twins.publish import OperatorTerms


class TwinState(StrEnum):
    """What a twin, or one version of it, is; the words that creators read."""

    DRAFT = "draft only"
    LIVE = "live"
    PAUSED = "paused"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNSIGNED = "needs signature"
    REPLACED = "replaced"


_RESTS = {
    TwinState.PAUSED: "{name} is paused by its creator.",
    TwinState.REVOKED: "{name} was ended by its creator and answers nobody any more.",
    TwinState.EXPIRED: "{name} is resting: the creator's signature has expired.",
    TwinState.UNSIGNED: "{name} is resting until its creator signs a new version.",
}


@dataclass(frozen=True, slots=True)
class OperatorNow:
    """What the operator serves with now; a manifest that says otherwise needs a new signature.

    Attributes:
        contexts: the models that are here, each with the longest context that it takes.
    """

    terms: OperatorTerms
    contexts: Mapping[ModelTerms, int]

    def serves(self, manifest: Manifest) -> bool:
        """Whether this service can keep what a manifest promises."""
        terms = self.terms
        return (
            manifest.library == terms.library
            and manifest.signing_key == public_key_of(terms.signing_key)
            and manifest.vrf_key == vrf.public_key_of(terms.vrf_key)
            and manifest.log == terms.log
            and manifest.price_token == terms.token
            and manifest.creator_bp == BASIS_POINTS - terms.operator_bp
            and manifest.rendering.window_tokens + manifest.sampler.max_tokens
            <= self.contexts.get(manifest.model, 0)
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a published twin stands.

    Attributes:
        newest: the version that was signed last.
        state: of the twin.
        order_paused: whether the pause in force is a signed one.
        ended_by: hash of the order that put the twin or its newest version to rest, or None.
        next_order: the number that the next order must have.
        revoked: hashes of revoked versions, each with the order that did it.
    """

    newest: Manifest
    persona: Persona
    state: TwinState
    versions: tuple[PublishedVersion, ...]
    order_paused: bool
    ended_by: bytes | None
    next_order: int
    revoked: Mapping[bytes, bytes]

    @property
    def reason(self) -> str:
        """The sentence for fans while the twin rests."""
        return _RESTS[self.state].format(name=self.newest.name)


@dataclass(frozen=True, slots=True)
class _Orders:
    paused: bytes | None
    ended: bytes | None
    revoked: dict[bytes, bytes]


def judge(
    manifests: Sequence[StoredManifest],
    orders: Sequence[StoredOrder],
    *,
    spoken: bool,
    now: OperatorNow,
    moment: datetime,
) -> Standing:
    """Judge a twin that has at least one manifest.

    Args:
        manifests: oldest first.
        orders: by number.
        spoken: whether its creator has paused it without a signature.
        now: the operator's present terms.
        moment: the present.
    """
    parsed = [parse_manifest(stored.body) for stored in manifests]
    said = _read(orders)
    newest, stored = parsed[-1], manifests[-1]
    state = _state(newest, stored.manifest_hash, said, spoken=spoken, now=now, moment=moment)
    versions = []
    for manifest, kept in zip(parsed, manifests, strict=True):
        revoked = said.ended is not None or kept.manifest_hash in said.revoked
        old = TwinState.REVOKED if revoked else TwinState.REPLACED
        shown = state if kept is stored and not revoked else old
        versions.append(
            PublishedVersion(manifest.version, kept.manifest_hash, manifest.valid_from, shown.value)
        )
    return Standing(
        newest=newest,
        persona=parse_persona(stored.persona),
        state=state,
        versions=tuple(reversed(versions)),
        order_paused=said.paused is not None,
        ended_by=said.ended or said.revoked.get(stored.manifest_hash) or said.paused,
        next_order=len(orders) + 1,
        revoked=said.revoked,
    )


def _read(orders: Sequence[StoredOrder]) -> _Orders:
    paused: bytes | None = None
    ended: bytes | None = None
    revoked: dict[bytes, bytes] = {}
    for stored in orders:
        order = parse_order(stored.body)
        match order.action:
            case OrderAction.PAUSE:
                paused = stored.order_hash
            case OrderAction.RESUME:
                paused = None
            case OrderAction.REVOKE if order.manifest is None:
                ended = stored.order_hash
            case OrderAction.REVOKE:
                revoked[order.manifest or b""] = stored.order_hash
    return _Orders(paused, ended, revoked)


def _state(
    newest: Manifest,
    digest: bytes,
    said: _Orders,
    *,
    spoken: bool,
    now: OperatorNow,
    moment: datetime,
) -> TwinState:
    if said.ended is not None:
        return TwinState.REVOKED
    if digest in said.revoked or not now.serves(newest):
        return TwinState.UNSIGNED
    if not newest.valid_from <= moment <= newest.valid_until:
        return TwinState.EXPIRED
    if said.paused is not None or spoken:
        return TwinState.PAUSED
    return TwinState.LIVE
