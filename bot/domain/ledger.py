"""Double entry: a transaction is a balanced set of postings on named accounts.

Accounts are strings `kind:name`. Amounts are integer nano-units (1e-9 of the settlement token).
A positive posting is a credit (the account owns more), a negative one a debit.

```
equity:operator      what the operator has put in                               debit
sponsor:operator     budget that pays for free replies
hold:<intent>        price of one reply until its outcome is known
creator:<twin>       earned, payable, not yet on the chain
held:<twin>          earned with bought credit that a platform may still take back
settled:<twin>       earned, and committed by a final epoch
fees:operator        the operator's share
fan:<account>        credit that a fan has bought
promo:<account>      credit that a fan was given; it never becomes payable
equity:promotion     gives promotional credit, and gets it back when it is spent  debit
channel:<platform>   what a platform owes the operator for purchases             debit
owed:<account>       what a fan's refunds have left unpaid; never above zero     debit
loss:operator        disputes that were upheld                                   debit
equity:restored      owes what a lost book had earned and the chain has committed  debit
```
An account of a debit class may be below zero, no other one ever is. What a fan owes counts with the
operator's losses: nobody is asked for it, it is only set off (`bot.ledger.credit`). A division
leaves nothing over (the operator's share is the rest), so there is no account for rounding.
"""

from dataclasses import dataclass

from bot.domain.errors import UnbalancedTransactionError

EQUITY = "equity:operator"
SPONSOR = "sponsor:operator"
OPERATOR_FEES = "fees:operator"
PROMOTION = "equity:promotion"
LOSS = "loss:operator"
RESTORED = "equity:restored"
"""Owes what a lost book had earned and the chain has committed."""

DEBIT_CLASSES = ("equity:", "channel:", "loss:", "owed:")
NEVER_POSITIVE = "owed:"


def hold_account(intent: str) -> str:
    """Name the account that keeps the price of one reply until its outcome is known."""
    return f"hold:{intent}"


def creator_account(twin: bytes) -> str:
    """Name the account of what a twin has earned and is not yet committed on-chain."""
    return f"creator:{twin.hex()}"


def held_account(twin: bytes) -> str:
    """Name the account of what a twin has earned and a platform may still take back."""
    return f"held:{twin.hex()}"


def settled_account(twin: bytes) -> str:
    """Name the account of what a twin has earned and a final epoch has committed on-chain."""
    return f"settled:{twin.hex()}"


def fan_account(account: str) -> str:
    """Name the account of the credit that a fan has bought; `account` is their pseudonym."""
    return f"fan:{account}"


def promotional_account(account: str) -> str:
    """Name the account of the credit that a fan was given."""
    return f"promo:{account}"


def channel_account(platform: str) -> str:
    """Name the account of what a platform owes for purchases."""
    return f"channel:{platform}"


def owed_account(account: str) -> str:
    """Name the account of what a fan's refunds have left unpaid."""
    return f"owed:{account}"


def may_be_negative(account: str) -> bool:
    """Whether an account is of a debit class."""
    return account.startswith(DEBIT_CLASSES)


def may_be_positive(account: str) -> bool:
    """Whether an account may be above zero: nothing is set off that is not owed."""
    return not account.startswith(NEVER_POSITIVE)


@dataclass(frozen=True, slots=True)
class Posting:
    """One signed movement on one account, in nano-units."""

    account: str
    nano: int


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """A balanced set of postings under an idempotency key.

    Attributes:
        key: unique for ever; posting the same key again changes nothing.
        kind: `fund`, `hold`, `capture`, `release`, `settle`, `restore`; `purchase`, `gift`,
            `refund`, `reverse`, `mature` or `dispute`.
        postings: sum to zero.

    Raises:
        UnbalancedTransactionError: the postings do not sum to zero.
    """

    key: str
    kind: str
    postings: tuple[Posting, ...]

    def __post_init__(self) -> None:
        if sum(posting.nano for posting in self.postings) != 0:
            raise UnbalancedTransactionError(f"transaction {self.key} does not sum to zero")
