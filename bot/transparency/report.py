"""What one look at a log gave."""

from dataclasses import dataclass

from bot.domain.witnesses import Cosigned
from bot.ports.monitor import StoredFinding
from bot.transparency.rules import NOTES


@dataclass(frozen=True, slots=True)
class MonitorReport:
    """What one look at a log gave.

    Attributes:
        origin: of the log that was followed; another one than was asked for where that was sealed.
        size: leaves of the newest head that was accepted; `read` of them were read.
        counts: leaves of each kind since the first.
        cosigned: of the newest head.
        chain: what the chain says, in a sentence; empty where none was asked.
        findings: all since the first look; `fresh` are those that no report named before.
        is_whole: whether the chain, where there is one, could be compared.
    """

    origin: str
    size: int
    read: int
    counts: dict[str, int]
    cosigned: Cosigned
    chain: str
    findings: tuple[StoredFinding, ...]
    fresh: tuple[StoredFinding, ...]
    is_whole: bool

    @property
    def faults(self) -> tuple[StoredFinding, ...]:
        """The findings that are faults of the log."""
        return tuple(one for one in self.findings if one.kind not in NOTES)

    @property
    def is_wrong(self) -> bool:
        """Whether there is a fault, or too few witnesses have cosigned."""
        return bool(self.faults or self.cosigned.false) or not self.cosigned.is_met

    @property
    def is_well(self) -> bool:
        """Whether all was looked at, and nothing is wrong."""
        return self.is_whole and not self.is_wrong
