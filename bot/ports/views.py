"""What people are shown of twins, conversations and earnings."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TwinCard:
    """What a fan sees of a twin before choosing it.

    Attributes:
        slug: name of the twin in addresses and commands.
        name: display name.
        role: one line on who the twin is.
        price: the price of a reply in words, as the creator signed it (`0.002 TPT per reply`).
        version: of the signed manifest; goes up with each publication.
        creator: EIP-55 address that signed it; not tied to a person.
        avatar: PNG or JPEG bytes of at most 256 KiB; empty for none.
    """

    slug: str
    name: str
    role: str
    price: str
    version: int = 1
    creator: str = ""
    avatar: bytes = b""


@dataclass(frozen=True, slots=True)
class HistoryTurn:
    """One committed turn of a conversation.

    Attributes:
        fan_text: the fan's message.
        reply_text: the twin's reply.
        link: proof link with the opening key.
        fee_nano: what the reply cost.
        token: symbol of the settlement token.
    """

    fan_text: str
    reply_text: str
    link: str
    fee_nano: int
    token: str


@dataclass(frozen=True, slots=True)
class EarningsLine:
    """What one twin has earned, in the book and on the chain; all amounts in nano-units.

    Attributes:
        twin_name: display name.
        token: symbol of the settlement token.
        accrued_nano: earned by delivered replies since ever, by the book, without what is held.
        committed_nano: cumulative amount in the last epoch that is final on-chain.
        claimed_nano: cumulative amount that the chain has paid out.
        payout: address that is paid, EIP-55.
        chain_balance_nano: token balance of that address; None when the chain does not answer.
        last_tx: hash of the last epoch's transaction, `0x…`; None before the first epoch.
        held_nano: earned beside that, and a platform may still take it back.
        statement: private link to the statements, for the creator alone; empty for none.
    """

    twin_name: str
    token: str
    accrued_nano: int
    committed_nano: int
    claimed_nano: int
    payout: str
    chain_balance_nano: int | None
    last_tx: str | None
    held_nano: int = 0
    statement: str = ""
