"""What a recount asks of the outside: what a service has published, and what a node says of it."""

from dataclasses import dataclass
from typing import Protocol

from bot.domain.settlement import Commitment


@dataclass(frozen=True, slots=True)
class CommitEvent:
    """One `EpochCommitted` of the epoch that was asked for, and the number of its block."""

    commitment: Commitment
    block: int


@dataclass(frozen=True, slots=True)
class VaultFacts:
    """What a settlement contract of this version says of itself.

    Attributes:
        token: 20 bytes, what it pays with.
        is_registry_known: whether the registry that it asks is of this version, or there is none;
            another one can name anybody.
        paid_to: 20 bytes, whom the registry names for the twin now; None where it names nobody.
        vetoable_until: seconds since 1970; None where nothing waits.
    """

    token: bytes
    is_registry_known: bool
    paid_to: bytes | None
    vetoable_until: int | None


@dataclass(frozen=True, slots=True)
class PayoutAnswers:
    """What one node says of an epoch and of a twin; nothing of it is believed beyond that.

    Attributes:
        chain: the node's chain id.
        commits: every commitment of the epoch by the contract, as far as the node knows.
        vetoes: how often the epoch was vetoed.
        newest: number of the newest block.
        finalized: number of the newest finalized block; None where the chain names none.
        claimed_units: what the twin has been paid so far, in token units.
        vault: None where the contract is not one of this version.
    """

    chain: int
    commits: tuple[CommitEvent, ...]
    vetoes: int
    newest: int
    finalized: int | None
    claimed_units: int
    vault: VaultFacts | None = None


class PayoutLookup(Protocol):
    """A node that a creator has chosen."""

    @property
    def name(self) -> str:
        """How a person tells this node from another one; holds no secret."""
        ...

    async def ask_payout(self, contract: bytes, epoch: int, twin: bytes) -> PayoutAnswers:
        """Ask about an epoch of the contract at a 20-byte address, and what a twin was paid.

        Raises:
            ConfigurationError: there is no contract at the address.
            ChainUnavailableError: no answer, or one that is no answer to the question.
        """
        ...


class PublishedSettlement(Protocol):
    """What a service publishes for recounts, read by anybody."""

    async def publication(self, epoch: int | None) -> bytes | None:
        """Return what a final epoch has published, the newest one's without a number."""
        ...

    async def twin_log(self, twin: bytes, entries: int | None) -> bytes | None:
        """Return a twin log's first entries; without a number what the newest final epoch covers.

        None where no final epoch covers so many.
        """
        ...
