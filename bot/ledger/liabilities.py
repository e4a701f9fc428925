"""What the operator owes, and what stands against it: sums over the book's balances."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.ledger import EQUITY, RESTORED, LedgerTransaction, hold_account
from bot.domain.money import format_nano


@dataclass(frozen=True, slots=True)
class Liabilities:
    """In nano-units; every amount is 0 or more.

    Attributes:
        fans: bought credit that was not spent, that of who was forgotten too.
        open_replies: bought credit that is set aside for replies whose outcome is open.
        creators: earned and not yet committed on the chain.
        held: earned with bought credit that a platform may still take back.
        promotional: credit that was given away; it is owed to nobody.
        put_in: what the operator has put in.
        channels: what platforms owe for purchases.
        settled: of what was put in, what the chain has taken over.
    """

    fans: int
    open_replies: int
    creators: int
    held: int
    promotional: int
    put_in: int
    channels: int
    settled: int

    @property
    def owed(self) -> int:
        """What others may ask for."""
        return self.fans + self.open_replies + self.creators + self.held

    def words(self) -> list[str]:
        """Return it in sentences for the operator."""
        owed = (
            f"Owed: {format_nano(self.fans + self.open_replies)} to fans, "
            f"{format_nano(self.creators)} to creators, {format_nano(self.held)} held for them."
        )
        against = (
            f"Against it: {format_nano(self.put_in)} put in by the operator and "
            f"{format_nano(self.channels)} owed by platforms; {format_nano(self.settled)} of that "
            "are on the chain."
        )
        sentences = [f"{owed} {against}"]
        if self.uncovered:
            sentences.append(
                f"Not covered: {format_nano(self.uncovered)}. Put more into [money] sponsorship, "
                "or keep as much of your own aside."
            )
        return sentences

    @property
    def uncovered(self) -> int:
        """How much of that nothing stands against."""
        return max(0, self.owed + self.settled - self.put_in - self.channels)


def liabilities_of(balances: Mapping[str, int], ledger: Iterable[LedgerTransaction]) -> Liabilities:
    """Add balances up by class.

    Args:
        balances: of every account.
        ledger: says which holds are bought credit.
    """
    sums: dict[str, int] = {}
    for account, nano in balances.items():
        kind = account.partition(":")[0]
        sums[kind] = sums.get(kind, 0) + nano
    bought = (
        one.key.partition(":")[2]
        for one in ledger
        if one.kind == "hold" and any(part.account.startswith("fan:") for part in one.postings)
    )
    return Liabilities(
        fans=sums.get("fan", 0),
        open_replies=sum(balances.get(hold_account(intent), 0) for intent in bought),
        creators=sums.get("creator", 0),
        held=sums.get("held", 0),
        promotional=sums.get("promo", 0),
        put_in=-balances.get(EQUITY, 0) - balances.get(RESTORED, 0),
        channels=-sums.get("channel", 0),
        settled=sums.get("settled", 0),
    )
