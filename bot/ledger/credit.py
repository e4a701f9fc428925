"""The ledger transactions of fans' credit: bought, given, taken back, given back.

```
purchase  channel:<platform> -> fan:<account>                         paid with money
          equity:promotion   -> promo:<account>                       paid with test money
gift      equity:promotion   -> promo:<account>
refund    fan:<account> + loss:operator -> channel:<platform>         what held fees did not cover
          promo:<account>    -> equity:promotion                      of test money, what is left
dispute   loss:operator      -> fan:<account>                         the reply was paid
          equity:promotion   -> promo:<account>                       it was promotional
```
"""

from bot.domain.errors import InvariantError
from bot.domain.ledger import (
    LOSS,
    PROMOTION,
    LedgerTransaction,
    Posting,
    channel_account,
    fan_account,
    promotional_account,
)
from bot.domain.payment import Payer


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
    platform: str, charge_id: str, account: str, *, taken_nano: int, lost_nano: int, test: bool
) -> LedgerTransaction:
    """Plan the end of a purchase; fees that are taken back have transactions of their own.

    Args:
        platform: that has refunded.
        charge_id: what it has refunded.
        account: whose purchase it was.
        taken_nano: from the fan's credit.
        lost_nano: what the operator bears; of test money nobody does.
        test: whether it was test money.

    Raises:
        InvariantError: a loss of test money.
    """
    if test and lost_nano:
        raise InvariantError("test money can't be lost")
    end = PROMOTION if test else channel_account(platform)
    credit = promotional_account(account) if test else fan_account(account)
    return LedgerTransaction(
        key=f"refund:{platform}:{charge_id}",
        kind="refund",
        postings=(
            Posting(credit, -taken_nano),
            *((Posting(LOSS, -lost_nano),) if lost_nano else ()),
            Posting(end, taken_nano + lost_nano),
        ),
    )


def plan_dispute(receipt_id: str, account: str, nano: int, payer: Payer) -> LedgerTransaction:
    """Plan to give a price back; the creator keeps the fee: the mistake is the operator's.

    Raises:
        InvariantError: the fan paid nothing.
    """
    match payer:
        case Payer.PAID:
            source, credit = LOSS, fan_account(account)
        case Payer.PROMOTIONAL:
            source, credit = PROMOTION, promotional_account(account)
        case _:
            raise InvariantError(f"receipt {receipt_id}: its fan has paid nothing")
    return LedgerTransaction(
        key=f"dispute:{receipt_id}",
        kind="dispute",
        postings=(Posting(source, -nano), Posting(credit, nano)),
    )
