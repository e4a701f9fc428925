"""What fans are told about their money; for one person's eyes, but for `IN_PUBLIC`."""

from collections.abc import Sequence

from bot.domain.money import format_nano
from bot.ports.credit import CreditView, DisputeView, FreeReplies, Offer

MAX_CHARACTERS = 1900
MOST_TWINS, MOST_PURCHASES, MOST_DISPUTES = 8, 3, 3
IN_PUBLIC = (
    "I have not answered this, because of what it costs. The rest is for you alone: press "
    "**Credit** before you write on."
)
NO_REPLY_TO_DISPUTE = (
    "I have no record that this is a reply of mine, so I can't look into it. Use this on a reply "
    "that a twin gave you."
)
GROWING_TO_DISPUTE = "This reply is not finished yet: please try again when it is."
ABOUT = (
    "**What replies cost.** `/credit` shows what is free for you today, what you have, and how to "
    "buy more. If a reply is not what it should be: Apps > Something wrong with this reply?"
)
DISPUTES_FOLLOW = (
    "I replay the reply and compare it, token by token, with what you were shown. `/credit` says "
    "how it ended."
)

HINT = "Goes to whoever runs this service; refunds are made by Discord"


def credited(nano: int, view: CreditView) -> str:
    """Return what is said when a purchase has arrived."""
    left = view.paid_nano + view.promotional_nano
    return (
        f"Thank you: {format_nano(nano)} {view.token} of credit from your purchase is yours now. "
        f"You have {format_nano(left)} {view.token}. `/credit` shows it."
    )


def credited_anew(nano: int, view: CreditView) -> str:
    """Return what is said when a purchase that was lost here has been found at the platform."""
    left = view.paid_nano + view.promotional_nano
    return (
        f"A purchase of yours was missing here, so its {format_nano(nano)} {view.token} of credit "
        f"is yours again. You have {format_nano(left)} {view.token}. `/credit` shows it."
    )


def refunded(taken_nano: int, view: CreditView) -> str:
    """Return what is said when a purchase was taken back."""
    left = view.paid_nano + view.promotional_nano
    return (
        "Discord has taken a purchase of yours back, so "
        f"{format_nano(taken_nano)} {view.token} of credit from it is gone. You have "
        f"{format_nano(left)} {view.token} left. If that is wrong, use Ask about a payment in "
        "`/credit`."
    )


def credit(
    view: CreditView,
    offers: Sequence[Offer],
    disputes: Sequence[DisputeView],
    told: Sequence[str] = (),
) -> str:
    """Return the answer to /credit: what must be said first, then as much as fits."""
    token, left = view.token, view.paid_nano + view.promotional_nano
    lines = [*told, f"**Your credit:** {format_nano(left)} {token}"]
    if view.paid_nano and view.promotional_nano:
        given, paid = format_nano(view.promotional_nano), format_nano(view.paid_nano)
        lines[-1] += f" ({paid} bought, {given} given to you, which is spent first)"
    spent, limit = format_nano(view.spent_today_nano), format_nano(view.daily_limit_nano)
    lines.append(f"**Last 24 hours:** {spent} of at most {limit} {token} spent")
    lines += [f"- {_free(twin, token)}" for twin in view.twins[:MOST_TWINS]]
    if len(view.twins) > MOST_TWINS:
        lines.append(f"- … and {len(view.twins) - MOST_TWINS} more: `/twin browse`")
    if offers:
        lines.append("**Buy credit** with the buttons below. Discord shows the price first.")
        lines += [f"- {_offer(offer)}" for offer in offers]
    lines += [f"- Bought: {words}" for _, words in view.purchases[:MOST_PURCHASES]]
    lines += [f"- Your dispute: {one.sentence}" for one in disputes[:MOST_DISPUTES]]
    return fit(lines)


def _free(twin: FreeReplies, token: str) -> str:
    if not twin.price_nano:
        return f"{twin.name}: free"
    price = f"{format_nano(twin.price_nano)} {token} per reply"
    if not twin.daily:
        return f"{twin.name}: {price}"
    return f"{twin.name}: {twin.left} of {twin.daily} free replies left today, then {price}"


def _offer(offer: Offer) -> str:
    fewest, most = sorted(offer.replies)
    if not most:
        return offer.label
    count = f"{fewest}" if fewest == most else f"{fewest} to {most}"
    return f"{offer.label}: about {count} {'reply' if most == 1 else 'replies'}"


def fit(lines: Sequence[str]) -> str:
    """Join lines, as many as fit into a message; one that is too long alone is cut."""
    kept: list[str] = []
    room = MAX_CHARACTERS
    for line in lines:
        shown = line if kept else line[:MAX_CHARACTERS]
        room -= len(shown) + 1
        if room < -1:
            kept.append("…")
            break
        kept.append(shown)
    return "\n".join(kept)
