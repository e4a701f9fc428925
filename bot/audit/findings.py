"""What an audit reports: sentences, never exceptions, so that one fault hides no other."""

from dataclasses import dataclass, field

from bot.crypto.errors import FormatError, MismatchError
from bot.domain.errors import BotError

FALSE = (FormatError, MismatchError, BotError)
"""What says of stored bytes that they are not what they should be."""


@dataclass(slots=True)
class Findings:
    """Collects what was checked and what is wrong.

    Attributes:
        checked: how many things of each kind were looked at.
        wrong: one sentence a fault.
        notes: sentences for the operator that are no faults.
    """

    checked: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def count(self, kind: str, number: int = 1) -> None:
        """Note that things of a kind were looked at."""
        self.checked[kind] = self.checked.get(kind, 0) + number

    def expect(self, fact: bool, sentence: str) -> None:  # noqa: FBT001 - reads as a condition
        """Note a fault unless the fact holds."""
        if not fact:
            self.wrong.append(sentence)
