"""A creator recounts alone: from what was published and what a chain says to a verdict.

 1. Publication: canonical, of this epoch, and it has a leaf of the twin.
 2. Totals: each twin once, in the tree's order, and the sum is what the epoch says.
 3. Twin log: whole entries, as many as the leaf says, and outcomes that can follow each other.
 4. Root: the entries lead to the root in the leaf.
 5. History: what was published and kept before is a beginning of it, and nothing has shrunk.
 6. Held: no more than the entries that were paid with bought credit, and none of it too long;
    nothing that an earlier epoch called payable was refunded or is held again.
 7. Earned: the cumulative amount follows from the entries, of this epoch and of those before.
 8. Payout address: the one that the creator named, or has signed.
 9. Log: the epoch's log is the one that the creator follows.
10. Leaves: the log's own leaves give the same numbers and outcomes in the same order.
11. Receipts: the creator's own proofs stand in the entries, with fee, payer and outcome.
12. Chain: the contract holds exactly this epoch, and it is final.
13. Paid: what the chain has paid of it.

Pure: nothing here reads a clock, a file or the network, and nothing that is given is trusted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.crypto.errors import FormatError
from bot.domain.payment import Payer
from bot.domain.statements import Outcome
from bot.domain.twin_log import TwinLog
from bot.ports.recount import PayoutAnswers
from bot.settlement.publication import Publication, PublishedLeaf

TITLES = (
    *("", "Publication", "Totals", "Twin log", "Root", "History", "Held", "Earned"),
    *("Payout address", "Log", "Leaves", "Receipts", "Chain", "Paid"),
)


class Verdict(StrEnum):
    """What a recount comes to."""

    PROVED = "proved"
    REFUTED = "refuted"
    NOT_YET = "not yet"


class StepState(StrEnum):
    """What one step came to."""

    HOLDS = "holds"
    LEFT_OUT = "left out"
    WAITS = "waits"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class RecountStep:
    """What one step found."""

    number: int
    state: StepState
    sentence: str

    @property
    def title(self) -> str:
        """The step's name."""
        return TITLES[self.number]


@dataclass(frozen=True, slots=True)
class OwnReceipt:
    """A proof that the creator holds, as far as a verification has shown it.

    Attributes:
        name: how the person tells it from others.
        tag: the receipt's.
        leaf: index of the reply's leaf.
        outcome: the latest one in the proof, and the index of its leaf; None if there was none.
        payout: 20 bytes, of the manifest that the creator has signed.
    """

    name: str
    twin: bytes
    tag: bytes
    seq: int
    creator_nano: int
    payer: Payer
    leaf: int
    outcome: tuple[Outcome, int] | None
    payout: bytes


class FollowedLog(StrEnum):
    """How the epoch's log stands to the head that the creator follows."""

    SAME = "same"
    FORKS = "forks"
    SHORTER = "shorter"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class LogHead:
    """The head that the creator follows, as it compares with the epoch's log."""

    origin: str
    size: int
    state: FollowedLog


@dataclass(frozen=True, slots=True)
class LogReading:
    """What the log's own leaves below the epoch's size say.

    Attributes:
        root: that these leaves lead to.
        receipts: tags of the twin's receipts in their order: the first one has number 1.
        outcomes: of these receipts, in the order of the leaves.
        held_hours: the longest time of all rate tables in it; None where it has none, or one that
            it does not publish.
    """

    root: bytes
    receipts: tuple[bytes, ...]
    outcomes: tuple[tuple[bytes, Outcome], ...]
    held_hours: int | None = None


@dataclass(frozen=True, slots=True)
class EarlierLook:
    """That the twin log had so many entries when the creator recounted before."""

    at: datetime
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything that a recount is made of; None and empty is what nobody gave.

    Attributes:
        twin: 32 bytes.
        epoch: the one that is recounted.
        publications: as they were served or kept, by number; `epoch` is the largest one.
        twin_log: as it was served.
        kept_publications: those of an earlier recount; so is `kept_log`.
        payout: 20 bytes, where the creator wants to be paid.
        contract: in words, for sentences.
        at: now, by the creator's own clock, where `epoch` is the newest one that is served.
        looks: earlier recounts, by the same clock.
    """

    twin: bytes
    epoch: int
    publications: Mapping[int, bytes]
    twin_log: bytes
    kept_publications: Mapping[int, bytes]
    kept_log: bytes = b""
    payout: bytes | None = None
    head: LogHead | None = None
    reading: LogReading | None = None
    receipts: Sequence[OwnReceipt] = ()
    chain: PayoutAnswers | None = None
    contract: str = ""
    at: datetime | None = None
    looks: Sequence[EarlierLook] = ()


@dataclass(frozen=True, slots=True)
class EpochLine:
    """One epoch of a twin as the table shows it."""

    epoch: int
    entries: int
    earned_nano: int
    held_nano: int
    carried_nano: int
    cumulative_units: int
    paid_units: int | None = None


@dataclass(frozen=True, slots=True)
class Recount:
    """The result: steps up to the first false one, and what they come to.

    Attributes:
        sentence: the verdict in words.
        lines: of the epochs whose sums hold.
        unproved: what this result does not show.
    """

    twin: bytes
    epoch: int
    verdict: Verdict
    sentence: str
    steps: tuple[RecountStep, ...]
    lines: tuple[EpochLine, ...]
    unproved: tuple[str, ...]
    missing: tuple[tuple[int, int], ...] = ()


class RefutedError(Exception):
    """A step is false; never leaves this room."""

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(sentence)
        self.number = number
        self.sentence = sentence


def require(number: int, sentence: str, *, that: bool) -> None:
    """End the recount where something does not hold."""
    if not that:
        raise RefutedError(number, sentence)


@dataclass(frozen=True, slots=True)
class Opened:
    """What was published, parsed: epochs in ascending order with the twin's leaf in each."""

    epochs: tuple[tuple[Publication, PublishedLeaf], ...]
    log: TwinLog

    @property
    def newest(self) -> Publication:
        """The epoch that is recounted."""
        return self.epochs[-1][0]

    @property
    def leaf(self) -> PublishedLeaf:
        """The twin's leaf in it."""
        return self.epochs[-1][1]


def parse_published(number: int, data: bytes) -> Publication:
    """Parse a publication for step 1."""
    try:
        found = Publication.parse(data)
    except FormatError as error:
        raise RefutedError(
            1, f"What epoch {number} has published can't be read: {error}."
        ) from None
    require(
        1, f"What is served as epoch {number} is epoch {found.epoch}.", that=found.epoch == number
    )
    return found
