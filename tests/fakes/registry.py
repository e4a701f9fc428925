"""A registry in memory, by the contract's rules, on a chain that can go away."""

import hashlib
from dataclasses import dataclass, field

from bot.domain.errors import ChainUnavailableError
from bot.domain.ids import derive_twin_id
from bot.domain.payment import RegistryBlock
from bot.domain.settlement import NO_PAYOUT
from bot.ports.clock import Clock
from bot.ports.registry import RegistryStanding, TwinRegistry


@dataclass(slots=True)
class Bound:
    """What a creator has said of a twin."""

    payout: bytes | None = None
    next_payout: bytes | None = None
    next_from: int = 0
    number: int = 0
    is_revoked: bool = False

    def in_force(self, now: int) -> bytes | None:
        """Return who is paid."""
        if self.next_payout is not None and now >= self.next_from:
            return self.next_payout
        return self.payout

    def bind(self, number: int, payout: bytes, now: int, delay_s: int) -> bool:
        """Bind, or say that it is refused."""
        if self.is_revoked or number <= self.number or payout == NO_PAYOUT:
            return False
        self.number = number
        waiting = self.next_payout if now < self.next_from else None
        self.payout = self.in_force(now)
        if self.payout is None:
            self.payout = payout
        elif payout == self.payout:
            self.next_payout, self.next_from = None, 0
        elif payout != waiting:
            self.next_payout, self.next_from = payout, now + delay_s
        return True

    def revoke(self, now: int) -> bool:
        """Revoke, or say that it is refused."""
        if self.is_revoked:
            return False
        self.payout, self.next_payout, self.next_from = self.in_force(now), None, 0
        self.is_revoked = True
        return True


@dataclass(slots=True)
class MemoryRegistry(TwinRegistry):
    """Bindings of creators, one block for each."""

    clock: Clock
    payout_delay_s: int = 0
    is_away: bool = False
    questions: int = 0
    height: int = 0
    bound: dict[bytes, Bound] = field(default_factory=dict)
    manifests: dict[bytes, bytes] = field(default_factory=dict)

    def bind(self, creator: bytes, slug: str, manifest: bytes, payout: bytes, number: int) -> bool:
        """Bind as the creator; return whether the contract would have taken it."""
        twin = derive_twin_id(creator, slug)
        self.height += 1
        bound = self.bound.get(twin, Bound())
        if not any(manifest) or not bound.bind(number, payout, self._now, self.payout_delay_s):
            return False
        self.bound[twin] = bound
        self.manifests[twin] = manifest
        return True

    def revoke(self, creator: bytes, slug: str) -> bool:
        """Revoke as the creator; return whether the contract would have taken it."""
        self.height += 1
        twin = derive_twin_id(creator, slug)
        return self.bound.setdefault(twin, Bound()).revoke(self._now)

    async def standing(self, twin: bytes) -> RegistryStanding:
        self.questions += 1
        if self.is_away:
            raise ChainUnavailableError("no answer")
        bound = self.bound.get(twin, Bound())
        return RegistryStanding(
            active=bound.number > 0 and not bound.is_revoked,
            is_revoked=bound.is_revoked,
            payout=bound.in_force(self._now),
            manifest=self.manifests.get(twin),
            number=bound.number,
            block=RegistryBlock(7, self.height, hashlib.sha256(b"%d" % self.height).digest()),
        )

    @property
    def _now(self) -> int:
        return int(self.clock.now().timestamp())
