"""What stands behind a creator's fees: the vault on the chain, or the operator's word.

A commit fetches into the vault what it owes, so whatever a final epoch has committed is there. What
waits for an epoch, and what is held, is a debt in the operator's book and nothing more.
"""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.money import format_nano
from bot.domain.times import encode_time


@dataclass(frozen=True, slots=True)
class Funding:
    """By the operator's book at one moment, in nano-units.

    Attributes:
        committed: this twin's, by final epochs.
        waiting: this twin's, payable and not committed.
        held: this twin's, that a platform may still take back.
        all_waiting: that of all twins.
        all_held: likewise.
        uncovered: of all that is owed to fans and creators, what nothing in the book stands
            against.
        paid: what the chain has paid this twin; None where nobody has asked the chain.
        paid_at: when the chain was asked.
    """

    committed: int
    waiting: int
    held: int
    all_waiting: int
    all_held: int
    uncovered: int
    paid: int | None = None
    paid_at: datetime | None = None

    def words(self, token: str) -> tuple[str, ...]:
        """Return it in sentences for the creator; `token` is the symbol."""
        paid = "What of it was paid, only the chain knows."
        if self.paid is not None and self.paid_at is not None:
            paid = f"At {encode_time(self.paid_at)} it had paid {format_nano(self.paid)} of that."
        funded = (
            f"Funded: {format_nano(self.committed)} {token} of this twin's fees are committed on "
            f"the chain, and the vault has fetched them. {paid}"
        )
        owed = (
            f"Not funded on the chain: {format_nano(self.waiting)} {token} that wait for an epoch, "
            f"and {format_nano(self.held)} that are held. The operator owes them."
        )
        together = (
            f"All creators together: {format_nano(self.all_waiting)} {token} wait, and "
            f"{format_nano(self.all_held)} are held. {self._covered(token)}"
        )
        return funded, owed, together

    def _covered(self, token: str) -> str:
        if self.uncovered == 0:
            return (
                "By the operator's book, what is owed to fans and creators is covered by what the "
                "operator has put in and what platforms owe."
            )
        return (
            f"By the operator's book, {format_nano(self.uncovered)} {token} of what is owed to "
            "fans and creators are covered by nothing."
        )


def uncovered(*, owed: int, settled: int, put_in: int, channels: int) -> int:
    """Return how much of what others may ask for nothing stands against.

    Args:
        owed: to fans and creators.
        settled: what the chain has taken over of what was put in.
        put_in: by the operator.
        channels: what platforms owe.
    """
    return max(0, owed + settled - put_in - channels)
