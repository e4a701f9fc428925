"""What fans owe after refunds, played through in the order of the ledger.

From refunds, and from who began what before which of them, follows what every release and dispute
must have set off, which captures had to be taken back at once, and which fees a refund could reach.
The rules are those of `bot.credit.purchases` and `bot.twins.holds`, told from the ledger alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.domain.ledger import LOSS, LedgerTransaction
from bot.ports.audit import StoredRecords
from bot.ports.stores import Intent


@dataclass(slots=True)
class Debts:
    """What must be so.

    Attributes:
        owed: by account, in the end.
        set_off: of a release or a dispute, by its key; 0 where it is not named.
        reversed_by: what was taken back for a refund, by its key.
        wrong: what was taken back and could not be, or was not and had to be.
    """

    owed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    set_off: dict[str, int] = field(default_factory=dict)
    reversed_by: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Refund:
    """The refund that was posted last, while what follows it may belong to it.

    Attributes:
        due: the fees that it takes back and that were not yet, in their order.
    """

    key: str
    account: str
    due: list[str]


def debts_of(records: StoredRecords) -> Debts:
    """Play the ledger through."""
    player = _Player(records.intents)
    for place, transaction in enumerate(records.ledger):
        player.play(place, transaction)
    return player.end()


class _Player:
    def __init__(self, intents: Sequence[Intent]) -> None:
        self._debts = Debts()
        self._intents = {one.key: one for one in intents}
        self._draws = {(one.slot_tag, one.attempt): one for one in intents}
        self._payers: dict[str, tuple[str, int]] = {}
        self._begun: dict[str, int] = {}
        self._missed: dict[str, int] = {}
        self._held: dict[str, list[str]] = defaultdict(list)
        self._refund: _Refund | None = None
        self._late: str | None = None

    def play(self, place: int, transaction: LedgerTransaction) -> None:
        """Follow one transaction."""
        key, (_, _, intent) = transaction.key, transaction.key.partition(":")
        if self._late is not None and key != f"reverse:{self._late}":
            self._debts.wrong.append(f"intent {self._late}: its fee was not taken back at once")
            self._late = None
        if transaction.kind == "reverse":
            self._reverse(intent)
            return
        self._end_refund()
        match transaction.kind:
            case "hold":
                self._hold(place, intent, transaction)
            case "refund":
                self._begin_refund(place, transaction)
            case "capture":
                self._capture(intent)
            case "mature":
                self._end_held(intent)
            case "release" if not self._is_drawn_again(intent) and self._is_owed(intent, 1):
                account, price = self._payers[intent]
                self._set_off(key, account, price)
            case "dispute":
                lost = -_sum(transaction, LOSS)
                if lost > 0:
                    self._set_off(key, _account(transaction), lost)
            case _:
                pass  # nothing of it has to do with what is owed

    def end(self) -> Debts:
        """Return what was found."""
        if self._late is not None:
            self._debts.wrong.append(f"intent {self._late}: its fee was not taken back at once")
        self._end_refund()
        return self._debts

    def _hold(self, place: int, intent: str, transaction: LedgerTransaction) -> None:
        self._begun[intent] = place
        for posting in transaction.postings:
            if posting.account.startswith("fan:"):
                self._payers[intent] = (posting.account.partition(":")[2], -posting.nano)

    def _capture(self, intent: str) -> None:
        account, price = self._payers.get(intent, ("", 0))
        if account:
            self._held[account].append(intent)
        if self._is_owed(intent, price):
            self._late = intent

    def _begin_refund(self, place: int, transaction: LedgerTransaction) -> None:
        account, missing = _account(transaction), -_sum(transaction, "owed:")
        due: list[str] = []
        if missing > 0:
            self._debts.owed[account] += missing
            due = self._reachable(account, missing)
            self._missed[account] = place
        self._refund = _Refund(transaction.key, account, due)

    def _reachable(self, account: str, missing: int) -> list[str]:
        """Return the held fees that a refund takes back, newest first, each whole where it fits.

        Fees of what was begun after the refund before it are taken for what this one misses alone.
        """
        due, owed, before = [], self._debts.owed[account], self._missed.get(account, -1)
        for intent in reversed(self._held[account]):
            price, is_older = self._price(intent), self._begun_at(intent) < before
            if price <= owed and (is_older or price <= missing):
                due.append(intent)
                owed -= price
                missing -= 0 if is_older else price
        return due

    def _end_refund(self) -> None:
        """Name what a refund has left that it had to take back."""
        for intent in self._refund.due if self._refund else ():
            self._debts.wrong.append(f"intent {intent}: its fee was not taken back, and was owed")
        self._refund = None

    def _reverse(self, intent: str) -> None:
        account, price = self._payers.get(intent, ("", 0))
        if self._late == intent:
            self._late = None
        elif self._refund is None or self._refund.account != account:
            self._debts.wrong.append(f"intent {intent}: its fee was taken back without a refund")
        else:
            if self._refund.due[:1] == [intent]:
                self._refund.due.pop(0)
            else:
                self._debts.wrong.append(f"intent {intent}: its fee was not owed")
            self._debts.reversed_by[self._refund.key] += price
        self._debts.owed[account] -= price
        self._end_held(intent)

    def _end_held(self, intent: str) -> None:
        held = self._held[self._payers.get(intent, ("", 0))[0]]
        if intent in held:
            held.remove(intent)

    def _set_off(self, key: str, account: str, most: int) -> None:
        nano = min(most, self._debts.owed[account])
        self._debts.set_off[key] = nano
        self._debts.owed[account] -= nano

    def _is_owed(self, intent: str, nano: int) -> bool:
        """Whether so much is owed after a refund that missed something since this was begun."""
        account = self._payers.get(intent, ("", 0))[0]
        since = self._begun_at(intent) < self._missed.get(account, -1)
        return bool(account) and since and self._debts.owed[account] >= nano

    def _price(self, intent: str) -> int:
        return self._payers.get(intent, ("", 0))[1]

    def _begun_at(self, intent: str) -> int:
        """Return the place of the hold with which the first of an intent's draws was begun."""
        known = self._intents.get(intent)
        if known is not None and known.rejected:
            first = self._draws.get((known.slot_tag, known.attempt - known.rejected))
            if first is not None and first.key in self._begun:
                return self._begun[first.key]
        return self._begun.get(intent, -1)

    def _is_drawn_again(self, intent: str) -> bool:
        known = self._intents.get(intent)
        if known is None:
            return False
        after = self._draws.get((known.slot_tag, known.attempt + 1))
        return after is not None and after.rejected == known.rejected + 1


def _sum(transaction: LedgerTransaction, kind: str) -> int:
    return sum(one.nano for one in transaction.postings if one.account.startswith(kind))


def _account(transaction: LedgerTransaction) -> str:
    """Return whose account a refund or a dispute is about."""
    for posting in transaction.postings:
        kind, _, name = posting.account.partition(":")
        if kind in {"fan", "owed"}:
            return name
    return ""
