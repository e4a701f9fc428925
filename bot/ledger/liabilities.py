"""What the operator owes, and what stands against it: sums over the book's balances."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bot.domain.funding import uncovered
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
        unpaid: what refunds have left unpaid: fans owe it, and nobody asks them for it.
        lost: given back in disputes that were upheld.
    """

    fans: int
    open_replies: int
    creators: int
    held: int
    promotional: int
    put_in: int
    channels: int
    settled: int
    unpaid: int = 0
    lost: int = 0

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
        if self.unpaid or self.lost:
            sentences.append(
                f"Lost: {format_nano(self.lost)} in disputes, and {format_nano(self.unpaid)} that "
                "fans owe after refunds: later refunds and disputes are set against that, and "
                "nobody asks them for it."
            )
        if self.uncovered:
            sentences.append(
                f"Not covered: {format_nano(self.uncovered)}. Put more into [money] sponsorship, "
                "or keep as much of your own aside."
            )
        return sentences

    @property
    def uncovered(self) -> int:
        """How much of that nothing stands against."""
        return uncovered(
            owed=self.owed, settled=self.settled, put_in=self.put_in, channels=self.channels
        )


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
        unpaid=-sums.get("owed", 0),
        lost=-sums.get("loss", 0),
    )
