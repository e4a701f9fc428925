"""What a person's own copy says of their money: credit, payments, disputes and questions."""

from bot.domain.ledger import fan_account, promotional_account
from bot.domain.money import format_nano
from bot.domain.times import encode_time
from bot.ports.credit_book import FanAccount, StoredPurchase, StoredRefund
from bot.ports.disputes import StoredDispute
from bot.ports.people import Person
from bot.ports.stores import StoreTransaction

_Json = dict[str, object]


async def export_money(tx: StoreTransaction, person: Person) -> _Json:
    """Return everything about a person's money; amounts are decimals of the settlement token."""
    account = await tx.account_of(person)
    questions = [
        {"time": encode_time(note.at), "text": note.text} for note in await tx.notes_by(person)
    ]
    if account is None:
        return {"account": None, "questions": questions}
    return {
        "account": await _account(tx, account),
        "purchases": [_purchase(*both) for both in await tx.purchases_of(account.name)],
        "disputes": [_dispute(one) for one in await tx.disputes_of(account.name)],
        "questions": questions,
    }


async def _account(tx: StoreTransaction, account: FanAccount) -> _Json:
    limit = account.daily_limit_nano
    return {
        "pseudonym": account.name,
        "opened_at": encode_time(account.opened_at),
        "bought_credit": format_nano(await tx.balance(fan_account(account.name))),
        "promotional_credit": format_nano(await tx.balance(promotional_account(account.name))),
        "daily_limit": None if limit is None else format_nano(limit),
    }


def _purchase(bought: StoredPurchase, refund: StoredRefund | None) -> _Json:
    return {
        "time": encode_time(bought.at),
        "charge": bought.charge_id,
        "unit": bought.unit,
        "count": bought.count,
        "credit": format_nano(bought.nano),
        "test": bought.test,
        "refunded_at": None if refund is None else encode_time(refund.at),
    }


def _dispute(dispute: StoredDispute) -> _Json:
    return {
        "time": encode_time(dispute.at),
        "receipt": dispute.receipt_id,
        "reason": dispute.reason,
        "state": dispute.state.value,
        "found": dispute.sentence,
        "given_back": format_nano(dispute.nano),
    }
