"""The registry of twins: what creators have said on the chain, as a service asks for it."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.payment import RegistryBlock


@dataclass(frozen=True, slots=True)
class RegistryStanding:
    """What the registry says of one twin, as of one block.

    Attributes:
        active: bound, and not revoked.
        is_revoked: its creator has revoked it, for ever: no reply may be begun any more. (What was
            never bound is neither active nor revoked.)
        payout: 20 bytes, the address that is paid now; None where nothing was ever bound.
        manifest: 32 bytes, of the newest binding; None where nothing was ever bound.
        number: of the newest binding; 0 where nothing was ever bound.
        block: where this was read.
    """

    active: bool
    is_revoked: bool
    payout: bytes | None
    manifest: bytes | None
    number: int
    block: RegistryBlock


class TwinRegistry(Protocol):
    """One registry contract on one chain; nothing is kept between two calls."""

    async def standing(self, twin: bytes) -> RegistryStanding:
        """Return what the newest block says of a twin with this 32-byte id.

        Raises:
            ConfigurationError: there is no registry of ours at the address.
            ChainUnavailableError: the chain does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class KnownStanding:
    """A standing that was read some time ago.

    Attributes:
        age_s: seconds since then.
        is_overdue: it should have been read again, and the chain does not answer.
    """

    standing: RegistryStanding
    age_s: float
    is_overdue: bool


class RegistryWatch(Protocol):
    """A registry that is asked for every reply, and goes on answering while its chain is away."""

    async def look(self, twin: bytes) -> KnownStanding:
        """Return the newest standing that is known, at most a minute old while the chain answers.

        Raises:
            ConfigurationError: there is no registry of ours at the address.
            ChainUnavailableError: nothing is known of this twin, and the chain does not answer.
        """
        ...
