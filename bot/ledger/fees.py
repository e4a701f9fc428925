"""The ledger transactions of one reply's fee, and of the budget that pays for it.

```
fund      equity:operator  -> sponsor:operator
hold      sponsor:operator -> hold:<intent>
capture   hold:<intent>    -> creator:<twin> + fees:operator     delivered
release   hold:<intent>    -> sponsor:operator                   everything else
settle    creator:<twin>   -> settled:<twin>                     committed on-chain, final
```
A hold ends once: capture and release of one intent share an idempotency key.
"""

from bot.domain.ledger import (
    EQUITY,
    OPERATOR_FEES,
    SPONSOR,
    LedgerTransaction,
    Posting,
    creator_account,
    hold_account,
)


def plan_funding(target_nano: int, funded_nano: int) -> LedgerTransaction | None:
    """Plan to bring what was ever funded up to the configured budget; never takes any back."""
    missing = target_nano - funded_nano
    if missing <= 0:
        return None
    return LedgerTransaction(
        key=f"fund:{target_nano}",
        kind="fund",
        postings=(Posting(EQUITY, -missing), Posting(SPONSOR, missing)),
    )


def plan_hold(intent: str, price_nano: int) -> LedgerTransaction:
    """Plan to set a reply's price aside before it is made."""
    return LedgerTransaction(
        key=f"hold:{intent}",
        kind="hold",
        postings=(Posting(SPONSOR, -price_nano), Posting(hold_account(intent), price_nano)),
    )


def plan_capture(
    intent: str, twin: bytes, *, price_nano: int, creator_nano: int
) -> LedgerTransaction:
    """Plan to pay a delivered reply's price out of its hold."""
    return LedgerTransaction(
        key=f"end-hold:{intent}",
        kind="capture",
        postings=(
            Posting(hold_account(intent), -price_nano),
            Posting(creator_account(twin), creator_nano),
            Posting(OPERATOR_FEES, price_nano - creator_nano),
        ),
    )


def plan_release(intent: str, price_nano: int) -> LedgerTransaction:
    """Plan to give a hold back."""
    return LedgerTransaction(
        key=f"end-hold:{intent}",
        kind="release",
        postings=(Posting(hold_account(intent), -price_nano), Posting(SPONSOR, price_nano)),
    )
