"""What the terminal says of a fan's money."""

from bot.domain.money import format_nano
from bot.ports.credit import CreditView, FreeReplies

NO_CREDIT = "There is no credit here: every reply is free."
HOW = (
    "Nothing is sold here. The operator gives credit: "
    "twinproof credit give terminal:local 0.1 --data FOLDER"
)


def credit_words(view: CreditView) -> list[str]:
    """Return what a fan has, what is free, and what the limit is, a line each."""
    bought, given = format_nano(view.paid_nano), format_nano(view.promotional_nano)
    spent, limit = format_nano(view.spent_today_nano), format_nano(view.daily_limit_nano)
    return [
        f"Your credit: {bought} {view.token} bought, {given} given to you (spent first)",
        f"Spent in the last 24 hours: {spent} of at most {limit} {view.token}",
        *(_free(twin, view.token) for twin in view.twins),
        HOW,
    ]


def _free(twin: FreeReplies, token: str) -> str:
    price = f"{format_nano(twin.price_nano)} {token}"
    if not twin.price_nano:
        return f"{twin.name}: free"
    if not twin.daily:
        return f"{twin.name}: {price} a reply"
    return f"{twin.name}: {twin.left} of {twin.daily} free replies left today, then {price} each"
