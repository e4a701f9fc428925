"""The ledger's transactions: each of a kind and key that there are, in the form that it must have.

What a transaction must amount to, whoever's it is, is checked beside what it belongs to: intents
(`bot.audit.ledger`), purchases and disputes (`bot.audit.credit`), epochs (`bot.audit.epochs`).
"""

from collections import Counter
from collections.abc import Iterable

from bot.audit.findings import Findings
from bot.domain.ledger import (
    EQUITY,
    PROMOTION,
    RESTORED,
    SPONSOR,
    LedgerTransaction,
    creator_account,
    promotional_account,
    settled_account,
)
from bot.domain.restored import epoch_of
from bot.domain.settlement import NANO_PER_UNIT
from bot.ledger.credit import plan_gift
from bot.ledger.fees import plan_funding
from bot.ports.audit import StoredRecords

_OF_INTENTS = ("hold", "end-hold", "mature", "reverse")
_KINDS = {
    "end-hold": ("capture", "release"),
    **{
        kind: (kind,)
        for kind in (
            *("fund", "hold", "mature", "reverse", "settle", "restore"),
            *("purchase", "gift", "refund", "dispute"),
        )
    },
}
_SETTLES = "settle:epoch:"


def audit_forms(records: StoredRecords, findings: Findings) -> None:
    """Check that each transaction is of a known kind and form, and of something that there is."""
    known = {intent.key for intent in records.intents}
    stray = funded = 0
    for transaction in records.ledger:
        step, _, rest = transaction.key.partition(":")
        findings.expect(
            transaction.kind in _KINDS.get(step, ()),
            f"ledger: {transaction.key} is a {transaction.kind}",
        )
        stray += step in _OF_INTENTS and rest not in known
        match step:
            case "fund":
                _check_funding(transaction, funded, findings)
                funded -= sum(one.nano for one in transaction.postings if one.account == EQUITY)
            case "gift":
                _check_gift(transaction, findings)
            case "settle" | "restore":
                findings.expect(
                    _takes_over(transaction), f"ledger: {transaction.key} settles something else"
                )
            case _:
                pass
    findings.expect(not stray, f"ledger: {stray} transactions of no intent")
    keys = Counter(transaction.key for transaction in records.ledger)
    twice = sum(count > 1 for count in keys.values())
    findings.expect(not twice, f"ledger: {twice} keys stand there twice")


def is_same(found: LedgerTransaction | None, plan: LedgerTransaction) -> bool:
    """Whether a transaction is there and has exactly the plan's key, kind and postings."""
    return found is not None and (found.key, found.kind, _amounts(found)) == (
        *(plan.key, plan.kind, _amounts(plan)),
    )


def _amounts(transaction: LedgerTransaction) -> list[tuple[str, int]]:
    return sorted((one.account, one.nano) for one in transaction.postings)


def _check_funding(transaction: LedgerTransaction, funded: int, findings: Findings) -> None:
    """Check that the budget was brought up to what the key says, and came from the operator."""
    target = transaction.key.partition(":")[2]
    plan = plan_funding(int(target), funded) if _is_number(target) else None
    findings.expect(
        plan is not None and is_same(transaction, plan),
        f"ledger: {transaction.key} funds something else than {SPONSOR}",
    )


def _check_gift(transaction: LedgerTransaction, findings: Findings) -> None:
    """Check that what was given away is promotional credit of the account that the key names."""
    key = transaction.key.partition(":")[2]
    given = [one for one in transaction.postings if one.account != PROMOTION]
    account = given[0].account.partition(":")[2] if given else ""
    nano = given[0].nano if given else 0
    findings.expect(
        nano > 0
        and bool(account)
        and key.startswith(account)
        and is_same(transaction, plan_gift(key, account, nano)),
        f"ledger: {transaction.key} gives something else than {promotional_account('…')}",
    )


def _takes_over(transaction: LedgerTransaction) -> bool:
    """Whether an epoch moved only what twins have coming, and a lost book only what it had."""
    own, settled = creator_account(b""), settled_account(b"")
    nano = {one.account: one.nano for one in transaction.postings}
    carried = nano.pop(RESTORED, 0)
    if transaction.kind == "restore":
        is_of_epoch = epoch_of(transaction.key) > 0 and carried <= 0
    else:
        is_of_epoch = _is_number(transaction.key.removeprefix(_SETTLES)) and carried == 0
        is_of_epoch &= transaction.key.startswith(_SETTLES)
    if not is_of_epoch or not all(one.startswith((own, settled)) for one in nano):
        return False
    twins = {one.partition(":")[2] for one in nano}
    return all(
        _is_moved(nano.get(f"{own}{twin}", 0), nano.get(f"{settled}{twin}", 0), whole=carried == 0)
        for twin in twins
    )


def _is_moved(gone: int, come: int, *, whole: bool) -> bool:
    """Whether a twin's nano went from its account to what is settled; `whole`: all that came."""
    if not (gone <= 0 < come and come % NANO_PER_UNIT == 0):
        return False
    return -gone == come if whole else -gone <= come


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and text == str(int(text))


def names_of(accounts: Iterable[str], *kinds: str) -> set[str]:
    """Return the accounts of some classes."""
    return {one for one in accounts if one.startswith(kinds)}
