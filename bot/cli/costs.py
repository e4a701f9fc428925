"""What a verified reply has cost, and whose money it was, in words."""

from bot.domain.money import format_nano
from bot.domain.payment import Payer
from bot.domain.receipt import Receipt
from bot.domain.statements import Outcome
from bot.receipts.verified import VerifiedReceipt

_PAYERS = {
    Payer.FREE: "nobody pays",
    Payer.SPONSOR: "the operator's budget pays; free for the fan",
    Payer.PAID: "the fan's bought credit pays",
    Payer.PROMOTIONAL: "credit that was given away pays; the creator earns nothing from it",
}
_UNPAID = frozenset({Outcome.UNDELIVERED, Outcome.REFUNDED})


def cost_words(verified: VerifiedReceipt) -> str:
    """Say what a reply costs, who pays and who gets how much.

    Payer and outcome are the operator's word; price and split are what the creator has signed.
    """
    price, payer = verified.receipt.price, verified.receipt.payment.payer
    words = f"{format_nano(price.nano)} {price.token}: {_PAYERS[payer]}"
    outcome = None if verified.outcome is None else verified.outcome.outcome
    if payer is not Payer.FREE and outcome is not None and outcome in _UNPAID:
        return f"nothing, for it was {outcome.word} ({words})"
    if payer in {Payer.SPONSOR, Payer.PAID}:
        shares = f"creator {format_nano(price.creator_nano)}, operator "
        words += f"; {shares}{format_nano(price.operator_nano)}"
    return words


def describe_cost(receipt: Receipt) -> dict[str, object]:
    """Return price and payer of a receipt as JSON values."""
    price, payment = receipt.price, receipt.payment
    return {
        "nano": price.nano,
        "token": price.token,
        "creator_nano": price.creator_nano,
        "operator_nano": price.operator_nano,
        "free_daily": price.free_daily,
        "payer": payment.payer.word,
        "rate_table": None if payment.rate_table is None else payment.rate_table.hex(),
    }
