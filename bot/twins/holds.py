"""How a reply's hold ends: captured or released; and what a refund in between changes.

A refund takes back what is there at that moment, and what is missing the fan's account owes
(`bot.credit.purchases`). A reply that was begun before such a refund, and is still being made, was
paid with money that is gone: released, its price is set against what is owed before anything is the
fan's again; captured, its fee is taken back at once where so much is owed (`Endings.decide`). What
is begun after the latest such refund is paid with what the fan has bought since, and is like any
other. "Before" is the order of the ledger, not of clocks. An attempt that follows a rejected one
was begun with the first of them.
"""

from bot.domain.errors import InvariantError
from bot.domain.ledger import owed_account
from bot.domain.payment import Payer
from bot.ledger.fees import (
    account_of,
    first_draw,
    hold_key,
    payer_of,
    plan_capture,
    plan_release,
    source_of,
)
from bot.ports.credit_book import HeldFee
from bot.ports.stores import StoredReply, StoreTransaction


async def capture_hold(tx: StoreTransaction, reply: StoredReply) -> HeldFee | None:
    """Pay a delivered reply; what bought credit pays is held, noted as such, and returned."""
    hold = await tx.posted(hold_key(reply.intent))
    if hold is None:
        return None  # nobody pays
    source = source_of(hold)
    payer = payer_of(source)
    posted = await tx.post(
        plan_capture(
            reply.intent,
            reply.twin,
            payer=payer,
            price_nano=reply.price_nano,
            creator_nano=reply.creator_nano,
        )
    )
    if not posted or payer is not Payer.PAID:
        return None
    intent = await tx.find_intent(reply.intent)
    if intent is None or intent.payment.rate_table is None:
        raise InvariantError(f"receipt {reply.receipt_id} was paid by no rate table")
    fee = HeldFee(
        intent=intent.key,
        account=account_of(source),
        twin=reply.twin,
        price_nano=reply.price_nano,
        creator_nano=reply.creator_nano,
        rate_table=intent.payment.rate_table,
        at=intent.created_at,
    )
    await tx.add_held(fee)
    return fee


async def release_hold(
    tx: StoreTransaction, intent: str, price_nano: int, *, drawn_again: bool = False
) -> None:
    """Give a hold back to where it came from, and what was counted for it.

    Args:
        tx: the caller's.
        intent: whose hold.
        price_nano: all of it.
        drawn_again: whether the next attempt holds the same money again, at once.
    """
    hold = await tx.posted(hold_key(intent))
    if hold is None:
        return
    source, set_off = source_of(hold), 0
    if payer_of(source) is Payer.PAID and not drawn_again:
        account = account_of(source)
        if await is_of_refunded_money(tx, intent, account):
            set_off = min(price_nano, await owed_by(tx, account))
    await tx.post(plan_release(intent, price_nano, source, set_off_nano=set_off))
    await tx.unuse(intent)


async def owed_by(tx: StoreTransaction, account: str) -> int:
    """Return what an account's refunds have left unpaid."""
    return -await tx.balance(owed_account(account))


async def is_of_refunded_money(tx: StoreTransaction, intent: str, account: str) -> bool:
    """Whether a refund has found too little credit since a reply's price was set aside."""
    found = await tx.find_intent(intent)
    if found is None:
        raise InvariantError(f"there is no intent {intent}")
    return await tx.missed_since(account, hold_key(first_draw(found.key, found.rejected)))
