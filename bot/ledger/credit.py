"""The ledger transactions of fans' credit: bought, given, taken back, given back.

```
purchase  channel:<platform> -> fan:<account>                         paid with money
          equity:promotion   -> promo:<account>                       paid with test money
gift      equity:promotion   -> promo:<account>
refund    fan:<account> + owed:<account> -> channel:<platform>        owed: what credit was missing
          promo:<account>    -> equity:promotion                      of test money, what is left
dispute   loss:operator      -> owed:<account>, then fan:<account>    the reply was paid
          equity:promotion   -> promo:<account>                       it was promotional
```
What is owed falls when a held fee is reversed, when a hold comes back that was begun before the
refund (`bot.ledger.fees`), and when a dispute is upheld. A later purchase pays none of it.
"""

from bot.domain.errors import InvariantError
from bot.domain.ledger import (
    LOSS,
    PROMOTION,
    LedgerTransaction,
    Posting,
    channel_account,
    fan_account,
    owed_account,
    promotional_account,
)
from bot.domain.payment import Payer
from bot.ledger.fees import split_off


def plan_purchase(
    platform: str, charge_id: str, account: str, nano: int, *, test: bool
) -> LedgerTransaction:
    """Plan to credit what a platform says was paid; once for ever, by the charge's id."""
    source, credit = (
        (PROMOTION, promotional_account(account))
        if test
        else (channel_account(platform), fan_account(account))
    )
    return LedgerTransaction(
        key=f"purchase:{platform}:{charge_id}",
        kind="purchase",
        postings=(Posting(source, -nano), Posting(credit, nano)),
    )


def plan_gift(key: str, account: str, nano: int) -> LedgerTransaction:
    """Plan to give promotional credit; `key` says which gift it is."""
    return LedgerTransaction(
        key=f"gift:{key}",
        kind="gift",
        postings=(Posting(PROMOTION, -nano), Posting(promotional_account(account), nano)),
    )


def plan_refund(
    platform: str, charge_id: str, account: str, *, taken_nano: int, missing_nano: int, test: bool
) -> LedgerTransaction:
    """Plan the end of a purchase; fees that are taken back have transactions of their own.

    Args:
        platform: that has refunded.
        charge_id: what it has refunded.
        account: whose purchase it was.
        taken_nano: from the fan's credit.
        missing_nano: what the credit did not cover, and the account owes now; of test money nobody
            owes anything.
        test: whether it was test money.

    Raises:
        InvariantError: test money would be owed.
    """
    if test and missing_nano:
        raise InvariantError("test money can't be owed")
    end = PROMOTION if test else channel_account(platform)
    credit = promotional_account(account) if test else fan_account(account)
    return LedgerTransaction(
        key=f"refund:{platform}:{charge_id}",
        kind="refund",
        postings=(
            Posting(credit, -taken_nano),
            *((Posting(owed_account(account), -missing_nano),) if missing_nano else ()),
            Posting(end, taken_nano + missing_nano),
        ),
    )


def plan_dispute(
    receipt_id: str, account: str, nano: int, payer: Payer, *, set_off_nano: int = 0
) -> LedgerTransaction:
    """Plan to give a price back; the creator keeps the fee: the mistake is the operator's.

    Args:
        receipt_id: of the reply.
        account: of its fan.
        nano: the price.
        payer: whose money it was.
        set_off_nano: how much of it the account owes; the rest is the fan's.

    Raises:
        InvariantError: the fan paid nothing, or what was given would be set off.
    """
    match payer:
        case Payer.PAID:
            source, credit = LOSS, fan_account(account)
        case Payer.PROMOTIONAL if set_off_nano == 0:
            source, credit = PROMOTION, promotional_account(account)
        case _:
            raise InvariantError(f"receipt {receipt_id}: its fan has paid nothing")
    return LedgerTransaction(
        key=f"dispute:{receipt_id}",
        kind="dispute",
        postings=(Posting(source, -nano), *split_off(account, credit, nano, set_off_nano)),
    )
