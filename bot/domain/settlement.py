"""What is settled on-chain: earnings, claims, epochs and the transactions that carry them.

Two units appear here and never mix silently: *nano* (1e-9 of the settlement token, the book's unit)
and *units* (1e-6, the unit of the token's 6 decimals, the chain's). `units = floor(nano / 1000)` of
the cumulative amount, so that rounding never accumulates.
"""

from dataclasses import dataclass
from enum import StrEnum

from bot.domain.errors import InvariantError
from bot.domain.statements import SealStatement

NANO_PER_UNIT = 1_000
NO_PAYOUT = bytes(20)
"""The payout address of a creator who has named none: fees accrue and nobody can claim them."""


def to_units(nano: int) -> int:
    """Round a cumulative nano amount down to token units."""
    return nano // NANO_PER_UNIT


@dataclass(frozen=True, slots=True)
class Earnings:
    """All that one twin has earned since the beginning.

    Attributes:
        twin: 32 bytes.
        payout: 20 bytes, from the manifest in force; `NO_PAYOUT` when there is none.
        cumulative_nano: earned - held + carried; never decreases from one freeze to the next.
        entries: of its twin log, paid or not.
        twin_log_root: 32 bytes; RFC 6962 root over these entries (`bot.domain.twin_log`).
        held_nano: what was earned with bought credit and a platform may still take back.
        carried_nano: what an epoch on the chain had paid for entries that a lost book took along.
    """

    twin: bytes
    payout: bytes
    cumulative_nano: int
    entries: int
    twin_log_root: bytes
    held_nano: int = 0
    carried_nano: int = 0

    def __post_init__(self) -> None:
        sizes = (len(self.twin), len(self.payout), len(self.twin_log_root))
        amounts = (self.cumulative_nano, self.entries, self.held_nano, self.carried_nano)
        if sizes != (32, 20, 32) or min(amounts) < 0:
            raise InvariantError(f"earnings of twin {self.twin.hex()} are malformed")

    @property
    def earned_nano(self) -> int:
        """What its twin log's entries amount to."""
        return self.cumulative_nano + self.held_nano - self.carried_nano

    @property
    def cumulative_units(self) -> int:
        """What may be claimed, in token units."""
        return to_units(self.cumulative_nano)

    @property
    def is_payable(self) -> bool:
        """Whether a claim of it could pay anything."""
        return self.payout != NO_PAYOUT and self.cumulative_units > 0


@dataclass(frozen=True, slots=True)
class EarningsSnapshot:
    """The book and the log at one moment.

    Attributes:
        earnings: one per twin that has ever had a receipt, in any order.
        log_size: leaves of a checkpointed log; every outcome counted in `earnings` is below it.
        log_root: 32 bytes; RFC 6962 root at `log_size`.
        cutoff: the ledger's newest entry that is counted; `seals`: of the logs before this one.
    """

    earnings: tuple[Earnings, ...]
    log_size: int
    log_root: bytes
    cutoff: int
    seals: tuple[SealStatement, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimLeaf:
    """One leaf of the claim tree: a cumulative entitlement in token units."""

    twin: bytes
    payout: bytes
    cumulative_units: int
    audit: bytes


@dataclass(frozen=True, slots=True)
class ClaimChunk:
    """An aligned run of up to 64 leaves with the proof of their subtree, lowest sibling first."""

    epoch: int
    index: int
    leaves: tuple[ClaimLeaf, ...]
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Commitment:
    """The arguments of `commit`, exactly. `fee_total` is in token units; hashes are 32 bytes."""

    epoch: int
    fee_root: bytes
    fee_total: int
    log_root: bytes
    log_size: int
    data_hash: bytes


class EpochState(StrEnum):
    """How far an epoch has come."""

    PLANNED = "planned"
    SIGNED = "signed"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"
    LOST = "lost"  # of a lost book, or open here when one was taken over (`settlement.restored`)
    VETOED = "vetoed"  # its number is used up, its contents are those of the one before


CLOSED = frozenset({EpochState.FINAL, EpochState.LOST, EpochState.VETOED})
"""States in which nothing is left to do; the next number may be planned."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One closed interval of the ledger on its way to the chain.

    Attributes:
        commitment: never changes once the epoch is stored.
        earnings: in the order of the claim tree's leaves.
        cutoff: see `EarningsSnapshot`.
        begun_at: when it was planned, found vetoed or taken over, in seconds since 1970.
    """

    commitment: Commitment
    earnings: tuple[Earnings, ...]
    cutoff: int
    state: EpochState = EpochState.PLANNED
    begun_at: int = 0

    @property
    def number(self) -> int:
        """Epochs are numbered 1, 2, 3, … without holes."""
        return self.commitment.epoch


@dataclass(frozen=True, slots=True)
class EpochSettlement:
    """What a final epoch moves in the book, in nano: (twin, amount > 0), ordered by twin.

    Each amount is a multiple of 1000: what is below one token unit is not committed on-chain and
    stays in the creator's account.
    """

    epoch: int
    moves: tuple[tuple[bytes, int], ...]

    @property
    def key(self) -> str:
        """The ledger's idempotency key."""
        return f"settle:epoch:{self.epoch}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may publish a book's epochs, until when (seconds since 1970)."""

    owner: str
    until: int


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """Which chain and contract this is; none of it may ever change under a running book.

    Attributes:
        settlement: 20 bytes; the contract's address.
        token: 20 bytes; the address of the ERC-20 that it pays.
        code_hash: keccak-256 of the contract's run-time code.
    """

    chain_id: int
    genesis_hash: bytes
    settlement: bytes
    token: bytes
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class ContractState:
    """What the contract says now.

    Attributes:
        commitment: the newest one; epoch 0 before the first.
        claimed_total: token units paid to creators so far.
        claimable_root: the fee root against which claims are checked now.
        may_be_vetoed: whether the guardian can still take it back.
        was_vetoed: the newest number was vetoed: the commitment has that number, and for the rest
            what the epoch before says.
    """

    commitment: Commitment
    claimed_total: int
    claimable_root: bytes
    may_be_vetoed: bool = False
    was_vetoed: bool = False


@dataclass(frozen=True, slots=True)
class EarningsStatement:
    """What a creator is told about their fees.

    Attributes:
        earned_nano: accrued in the book, committed or not, and not held.
        committed_units: in the newest final epoch.
        claimed_units: paid out on-chain; None while the chain does not answer.
        payout_balance_units: tokens held by the payout address; None likewise.
        epoch: number of the newest final epoch; 0 before the first.
        commit_hash: hash of the transaction that committed it; None before the first.
        held_nano: earned with bought credit, and a platform may still take it back.
    """

    twin: bytes
    payout: bytes
    earned_nano: int
    committed_units: int
    claimed_units: int | None
    payout_balance_units: int | None
    epoch: int
    commit_hash: bytes | None
    held_nano: int = 0
