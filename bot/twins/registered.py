"""The registry of twins: a twin that its creator has revoked on the chain begins no reply.

The registry is asked before a reply is decided, and what it said is at most a minute old while its
chain answers. A chain that is away stops nobody: the last word that is known counts, and where none
is known the receipt names no block. A reply that was decided before the revocation is finished.
"""

import asyncio
from datetime import datetime, timedelta

import structlog

from bot.domain.errors import AdmissionError, ConfigurationError, TransientError
from bot.domain.manifest import Manifest
from bot.domain.payment import RegistryBlock
from bot.ports.clock import Clock
from bot.ports.registry import KnownStanding, RegistryWatch

PATIENCE_S = 2.0
"""How long a reply waits for the chain; longer than that it is taken for away."""

AWAY = timedelta(seconds=30)
"""How long a chain that was away is not asked again."""

_log = structlog.get_logger()


class Registered:
    """Owns what the registry said last of each twin that was asked about, in memory."""

    def __init__(self, watch: RegistryWatch | None = None, clock: Clock | None = None) -> None:
        """Prepare; without a registry nothing is asked, and every twin may speak."""
        self._watch = watch
        self._clock = clock
        self._known: dict[bytes, KnownStanding] = {}
        self._away_until: datetime | None = None

    async def check(self, manifest: Manifest) -> None:
        """Refuse a twin that is revoked.

        Raises:
            AdmissionError: it is.
        """
        if self._watch is None or self._clock is None:
            return
        now = self._clock.now()
        if self._away_until is None or now >= self._away_until:
            self._away_until = None
            await self._look(self._watch, manifest.twin, now)
        known = self._known.get(manifest.twin)
        if known is not None and known.standing.is_revoked:
            raise AdmissionError(
                f"{manifest.name} has fallen silent: its creator has revoked it for good."
            )

    def block(self, twin: bytes) -> RegistryBlock | None:
        """Return the block at which the registry was last seen to let a twin speak."""
        known = self._known.get(twin)
        return None if known is None else known.standing.block

    async def _look(self, watch: RegistryWatch, twin: bytes, now: datetime) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                self._known[twin] = found = await watch.look(twin)
        except (TransientError, TimeoutError, ConfigurationError) as error:
            self._away_until = now + AWAY
            _log.warning("registry.away", reason=type(error).__name__)
            return
        if found.is_overdue:
            self._away_until = now + AWAY
            _log.warning("registry.away", age_s=round(found.age_s))
