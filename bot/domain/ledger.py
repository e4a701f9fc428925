"""Double entry: a transaction is a balanced set of postings on named accounts.

Accounts are strings `kind:name`. Amounts are integer nano-units (1e-9 of the settlement token).
A positive posting is a credit (the account owns more), a negative one a debit.
"""

from dataclasses import dataclass

from bot.domain.errors import UnbalancedTransactionError

EQUITY = "equity:operator"
SPONSOR = "sponsor:operator"
OPERATOR_FEES = "fees:operator"
RESTORED = "equity:restored"
"""Owes what a lost book had earned and the chain has committed."""


def hold_account(intent: str) -> str:
    """Name the account that keeps the price of one reply until its outcome is known."""
    return f"hold:{intent}"


def creator_account(twin: bytes) -> str:
    """Name the account of what a twin has earned and is not yet committed on-chain."""
    return f"creator:{twin.hex()}"


def settled_account(twin: bytes) -> str:
    """Name the account of what a twin has earned and a final epoch has committed on-chain."""
    return f"settled:{twin.hex()}"


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
        kind: `fund`, `hold`, `capture`, `release`, `settle` or `restore`.
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
