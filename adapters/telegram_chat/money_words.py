"""What the bot says about money; amounts and prices are the core's, the same on every platform."""

from collections.abc import Sequence

from bot.domain.money import format_nano
from bot.ports.credit import (
    Credited,
    CreditView,
    DisputeState,
    DisputeView,
    FreeReplies,
    Offer,
    Refunded,
)

MAX_TITLE, MAX_DESCRIPTION, MAX_REFUSAL = 32, 255, 255  # characters; the platform's limits
TWINS_SHOWN, PURCHASES_SHOWN, DISPUTES_SHOWN = 20, 3, 5

COMMANDS = {
    "credit": "Your credit, what is free today, and your limit",
    "buy": "Buy credit with Telegram Stars",
    "limit": "The most that you spend in a day: /limit 0.5",
    "paysupport": "Help with payments: /paysupport and your question",
}
DISPUTE_ABOUT = "Reply to a twin's message with this: is it what was paid for?"

CREDIT = "Credit"
CHANGE_LIMIT = "Change the daily limit"
BUY_THERE = "Buy credit"
WRONG = "Something wrong?"
CHECK = "Check this reply"
LIMIT_HOW = (
    "Send the most that you want to spend in 24 hours: /limit 0.5 for half a {token}, /limit 0 to "
    "spend nothing. Free replies are not counted."
)
NOTHING_SOLD = "No credit is sold here now. Nothing was charged."
NOT_OUR_INVOICE = "This invoice is not ours any more. Nothing was charged; /buy gives a new one."
NOT_YOUR_INVOICE = (
    "This invoice was written for somebody else. Nothing was charged; /buy gives you your own."
)
OLD_INVOICE = "This invoice is out of date. Nothing was charged; /buy gives a new one."
CANT_CHECK = "This can't be checked now, so nothing was charged. Please try again in a few minutes."
INVOICE_FAILED = "The invoice could not be sent. Nothing was charged; please try again."
IN_PRIVATE = "About money I talk in our private chat only."
LATE = (
    "Your payment has arrived. Adding the credit takes longer than usual; it will be added, you "
    "need do nothing."
)
STUCK = (
    "Your payment has arrived, but something on this side keeps the credit from being added. It is "
    "not lost: it is tried again. /paysupport reaches the operator."
)
PAYSUPPORT = (
    "How payments work here: you pay Stars to Telegram, and the credit is added at once. If it is "
    "not there after some minutes, it is found in Telegram's list of payments within the hour.\n"
    "A reply costs its price when it has reached you, also if you stopped it. One that failed, did "
    "not reach you or was cut off costs nothing. If a reply is not what its receipt says, answer "
    "it with /dispute: the check is automatic, and so is the money back.\n"
    "Only this service's operator can give Stars back; Telegram's support can't help with what "
    "was bought here. A refund takes back the credit that it had given.\n"
    "To ask the operator, write it behind the command: /paysupport I paid and got nothing."
)
TERMS = (
    "Each twin names its price per reply. So many replies a day as it says are free: the operator "
    "pays for them, as long as the budget lasts. Further ones are paid with your credit (/credit), "
    "which you buy with Telegram Stars (/buy). You are told the price before the first reply that "
    "you pay for. A reply that failed, did not reach you or was cut off costs nothing; one that "
    "you had got stays paid. Credit is for replies here and can't be paid out. Help with payments "
    "and refunds: /paysupport."
)
DISPUTE_HOW = (
    "Reply to a twin's message with /dispute, and say what is wrong if you like. The reply is made "
    "again from its receipt: if it is not what the receipt says, you get its price back."
)
DISPUTE_ASK = (
    "Shall this reply be checked? It is made again from its receipt: if it is not what the receipt "
    "says, or was never in the public log, you get its price back. Whether a reply is good or rude "
    "is not what is checked: for that there is /report."
)
_STATES = {
    DisputeState.CHECKING: "being checked",
    DisputeState.UPHELD: "you were right",
    DisputeState.REJECTED: "the reply is what its receipt says",
}


def commands(*, private: bool | None) -> dict[str, str]:
    """Return the commands about money; see `wording.commands`."""
    return ({} if private is False else COMMANDS) | {"dispute": DISPUTE_ABOUT}


def overview(view: CreditView) -> str:
    """Return what a fan has, what is free, and what the limit is."""
    total = amount(view.paid_nano + view.promotional_nano, view.token)
    given = amount(view.promotional_nano, view.token)
    gift = f", {given} of it given to you; that is spent first" if view.promotional_nano else ""
    spent = amount(view.spent_today_nano, view.token)
    limit = amount(view.daily_limit_nano, view.token)
    lines = [
        f"Your credit: {total}{gift}.",
        f"Spent in the last 24 hours: {spent} of at most {limit}.",
        "",
        *(_free(twin, view.token) for twin in view.twins[:TWINS_SHOWN]),
    ]
    more = len(view.twins) - TWINS_SHOWN
    if more > 0:
        lines.append(f"And {more} more: /twins.")
    return "\n".join(lines)


def _free(twin: FreeReplies, token: str) -> str:
    price = amount(twin.price_nano, token)
    if not twin.price_nano:
        return f"{twin.name}: free."
    if not twin.daily:
        return f"{twin.name}: {price} a reply."
    return f"{twin.name}: {twin.left} of {twin.daily} free replies left today, then {price} each."


def offered(offers: Sequence[Offer]) -> str:
    """Return what can be bought."""
    lines = [f"{stars(offer.count)}: {offer.label}, {replies(offer)}." for offer in offers]
    return "\n".join(["Credit for replies that are not free:", *lines])


def button_of(offer: Offer) -> str:
    """Return what stands on the button of an offer."""
    return f"{stars(offer.count)} · {offer.label}"


def title_of(offer: Offer) -> str:
    """Return the title of an invoice."""
    return f"Credit: {offer.label}"[:MAX_TITLE]


def description_of(offer: Offer) -> str:
    """Return the description of an invoice."""
    text = (
        f"{offer.label} of credit with the AI twins of this service: {replies(offer)}. "
        "Questions: /paysupport, rules: /terms."
    )
    return text[:MAX_DESCRIPTION]


def replies(offer: Offer) -> str:
    """Return how far an offer goes; it counts the cheapest and the dearest twin."""
    least, most = sorted(offer.replies)
    return f"about {most} replies" if least == most else f"about {least} to {most} replies"


def credited(count: int, done: Credited, token: str) -> str:
    """Return what a payment has given."""
    return (
        f"Thank you. Your {stars(count)} gave {amount(done.nano, token)} of credit; you have "
        f"{amount(done.balance_nano, token)} now."
    )


def taken_back(count: int, done: Refunded, token: str) -> str:
    """Return what the end of a payment has taken back."""
    spent = done.reversed_nano + done.lost_nano
    rest = f" {amount(spent, token)} of it was spent already." if spent else ""
    return (
        f"Telegram has given {stars(count)} back to you, so {amount(done.nano, token)} of credit "
        f"was taken back.{rest}"
    )


def not_credited(count: int) -> str:
    """Return what is said of the end of a payment that is not in the book."""
    return f"Telegram has given {stars(count)} back to you. No credit had been added for them."


def limit_set(view: CreditView) -> str:
    """Return which limit is in force."""
    if not view.daily_limit_nano:
        return "You spend nothing now: when the free replies are used up, twins don't answer you."
    return f"You spend at most {amount(view.daily_limit_nano, view.token)} in 24 hours."


def limit_how(token: str) -> str:
    """Return how to change the limit."""
    return LIMIT_HOW.format(token=token)


def pay_support(view: CreditView) -> str:
    """Return how payments work, and the latest ones with their numbers."""
    latest = [f"{text}: {charge}" for charge, text in view.purchases[:PURCHASES_SHOWN]]
    return "\n".join([PAYSUPPORT, *(["", "Your latest payments:", *latest] if latest else [])])


def elsewhere(link: str) -> str:
    """Return where credit is sold, said by a bot that sells none."""
    where = link or "this service's own bots"
    return f"This bot sells no credit itself. What you buy there counts here as well: {where}"


def disputes_of(views: Sequence[DisputeView]) -> str:
    """Return how a fan's disputes stand, and how to begin one."""
    lines = [f"{_STATES[one.state]}: {one.sentence}" for one in views[:DISPUTES_SHOWN]]
    return "\n".join([DISPUTE_HOW, *(["", "Your latest:", *lines] if lines else [])])


def clip(sentence: str) -> str:
    """Return what fits where the platform shows why a payment does not go on."""
    return sentence if len(sentence) <= MAX_REFUSAL else f"{sentence[: MAX_REFUSAL - 1]}…"


def stars(count: int) -> str:
    """Return so many Stars."""
    return f"{count:,} Star" + ("" if count == 1 else "s")


def amount(nano: int, token: str) -> str:
    """Return an amount with its symbol."""
    return f"{format_nano(nano)} {token}".strip()
