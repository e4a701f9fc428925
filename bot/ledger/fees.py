"""The ledger transactions of one reply's fee, and of the budget that pays for free ones.

```
fund      equity:operator   -> sponsor:operator
hold      the payer         -> hold:<intent>
capture   hold:<intent>     -> creator:<twin> + fees:operator    sponsored, delivered
                            -> held:<twin> + fees:operator       paid with bought credit, delivered
                            -> equity:promotion                  promotional credit, delivered
release   hold:<intent>     -> the payer                         everything else
mature    held:<twin>       -> creator:<twin>                    no platform can take it back now
reverse   held:<twin> + fees:operator -> owed:<account>          a platform has taken it back
settle    creator:<twin>    -> settled:<twin>                    committed on-chain, final
```
The payer is `sponsor:operator`, `fan:<account>` or `promo:<account>`; of a hold that was begun
before a refund, what that has left unpaid goes to `owed:<account>` first. A hold ends once: capture
and release of one intent share an idempotency key. A reply that is nobody's to pay holds nothing.
"""

from bot.domain.errors import InvariantError
from bot.domain.ledger import (
    EQUITY,
    OPERATOR_FEES,
    PROMOTION,
    SPONSOR,
    LedgerTransaction,
    Posting,
    creator_account,
    held_account,
    hold_account,
    owed_account,
)
from bot.domain.payment import Payer


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


def first_draw(intent: str, rejected: int) -> str:
    """Return the key of the attempt that an attempt goes back to; `rejected` are between them."""
    slot, _, attempt = intent.rpartition(":")
    return f"{slot}:{int(attempt) - rejected}" if rejected else intent


def hold_key(intent: str) -> str:
    """Return the key under which a reply's price is set aside."""
    return f"hold:{intent}"


def plan_hold(intent: str, price_nano: int, source: str = SPONSOR) -> LedgerTransaction:
    """Plan to set a reply's price aside before it is made; `source` is the payer's account."""
    return LedgerTransaction(
        key=hold_key(intent),
        kind="hold",
        postings=(Posting(source, -price_nano), Posting(hold_account(intent), price_nano)),
    )


def source_of(hold: LedgerTransaction) -> str:
    """Return the account that a hold was taken from.

    Raises:
        InvariantError: it is no hold.
    """
    found = [one.account for one in hold.postings if not one.account.startswith("hold:")]
    if hold.kind != "hold" or len(found) != 1:
        raise InvariantError(f"ledger: {hold.key} is no hold")
    return found[0]


def payer_of(source: str) -> Payer:
    """Return whose money an account holds."""
    kinds = {"sponsor": Payer.SPONSOR, "fan": Payer.PAID, "promo": Payer.PROMOTIONAL}
    kind = source.partition(":")[0]
    if kind not in kinds:
        raise InvariantError(f"ledger: {source} pays for nothing")
    return kinds[kind]


def account_of(source: str) -> str:
    """Return the name of the fan's account that a source belongs to."""
    return source.partition(":")[2]


def plan_capture(
    intent: str, twin: bytes, *, payer: Payer, price_nano: int, creator_nano: int
) -> LedgerTransaction:
    """Plan to pay a delivered reply's price out of its hold.

    `creator_nano` is the creator's part; of promotional credit there is none, whatever is given.
    """
    hold = Posting(hold_account(intent), -price_nano)
    if payer is Payer.PROMOTIONAL:
        shares: tuple[Posting, ...] = (Posting(PROMOTION, price_nano),)
    else:
        earns = held_account if payer is Payer.PAID else creator_account
        shares = (
            Posting(earns(twin), creator_nano),
            Posting(OPERATOR_FEES, price_nano - creator_nano),
        )
    return LedgerTransaction(key=f"end-hold:{intent}", kind="capture", postings=(hold, *shares))


def plan_release(
    intent: str, price_nano: int, source: str = SPONSOR, *, set_off_nano: int = 0
) -> LedgerTransaction:
    """Plan to give a hold back to where it came from.

    Args:
        intent: whose hold.
        price_nano: all of it.
        source: the payer's account.
        set_off_nano: how much of it is set against what the fan's account owes.

    Raises:
        InvariantError: something would be set off that no fan has bought.
    """
    if set_off_nano and payer_of(source) is not Payer.PAID:
        raise InvariantError(f"ledger: {source} owes nothing")
    back = split_off(account_of(source), source, price_nano, set_off_nano)
    return LedgerTransaction(
        key=f"end-hold:{intent}",
        kind="release",
        postings=(Posting(hold_account(intent), -price_nano), *back),
    )


def plan_mature(intent: str, twin: bytes, creator_nano: int) -> LedgerTransaction:
    """Plan to make a held fee payable: nobody can take it back any more."""
    return LedgerTransaction(
        key=f"mature:{intent}",
        kind="mature",
        postings=(
            Posting(held_account(twin), -creator_nano),
            Posting(creator_account(twin), creator_nano),
        ),
    )


def plan_reverse(
    intent: str, twin: bytes, *, price_nano: int, creator_nano: int, account: str
) -> LedgerTransaction:
    """Plan to take a held fee back for what its fan's account owes after a refund."""
    return LedgerTransaction(
        key=f"reverse:{intent}",
        kind="reverse",
        postings=(
            Posting(held_account(twin), -creator_nano),
            Posting(OPERATOR_FEES, creator_nano - price_nano),
            Posting(owed_account(account), price_nano),
        ),
    )


def split_off(account: str, credit: str, nano: int, set_off_nano: int) -> tuple[Posting, ...]:
    """Return what goes to a fan's credit and, before that, against what the account owes."""
    to_credit = Posting(credit, nano - set_off_nano)
    if set_off_nano == 0:
        return (to_credit,)
    set_off = Posting(owed_account(account), set_off_nano)
    return (set_off,) if set_off_nano == nano else (set_off, to_credit)
