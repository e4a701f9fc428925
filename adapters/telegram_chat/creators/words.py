"""What the bot says to creators."""

from adapters.telegram_chat.creators import parsing
from bot.domain.money import format_nano
from bot.ports.creators import DraftText, SigningLink, TwinView
from bot.ports.views import EarningsLine

MINUTES = 30
SOME = "Your twins. Each begins as a draft, and speaks to fans once you have signed it."
NONE = "You have no twin yet. A twin begins as a draft, and speaks to fans once you have signed it."
CANCELLED = "Forgotten. Nothing was changed by it."
NOTHING_OPEN = "No question is open."
GONE = "This button is out of date: /creator shows what there is."
WHICH_EDIT = "What do you want to change? Fans see nothing of it before you publish."
WHICH_REVOKE = (
    "A revocation is signed and can't be taken back. Which version may never speak again?"
)
WHICH_BOT = "Which of your twins shall have a bot of its own?"
NO_VERSIONS = "Nothing was published yet, so there is nothing to go back to."
NO_SUCH = "There is no such command: /creator shows what there is."
NO_TWIN = "Say which twin: /creator {action} NAME. /creator shows your twins."
STAYS = f"The question stays open: answer again, or /cancel. After {MINUTES} minutes it is dropped."
WANTS_WORDS = "Please answer with words."
WANTS_CARD = "Send the card as a file: a .json or .png character card."
WANTS_CARD_FILE = "Send the card as a file, not as a photo: Telegram takes the card out of photos."
WANTS_PICTURE = "Send a picture: a photo, or a .png or .jpg file of at most 256 KB."
NOT_FETCHED = "The file could not be fetched from Telegram. Please send it again."
NO_PICTURE = "The picture is taken away."
NOT_SENT = "The file could not be sent. Please try again later."
TEST_GOES_ON = "Say something more, or end the test with /cancel."
TOO_LONG_LINK = "Open this page in your browser to sign:"

ASKED = {
    "create.slug": (
        "Choose a short name for your twin: small letters, digits, - and _, such as nova. It "
        "stands in commands and links and never changes."
    ),
    "create.name": "What is your twin called? Fans see this name, with [AI twin] behind it.",
    "create.role": "Who is it, in one line? For example: a singer from the harbour",
    "name": "Send the new name.",
    "role": "Send the new role, in one line.",
    "facts": "Send all facts about your twin, one a line. They replace the ones below.",
    "off_limits": (
        "Send what your twin doesn't talk about, one thing a line. It replaces what is below."
    ),
    "examples": (
        "Send examples of how your twin speaks: a line Fan: …, then a line Twin: …, and so on. "
        "They replace the ones below."
    ),
    "sampling": "Send the settings that you want to change, one a line.",
    "price": "Send the price of a reply as a number of tokens, such as 0.002. 0 is free.",
    "test": (
        "Say something to your draft. Only you see the answer; it is not billed, not proved and "
        "not remembered."
    ),
    "import": (
        "Send a character card as a file (V1, V2 or V3; .json or .png). It replaces the draft's "
        "texts; a card's system prompt is not taken."
    ),
    "avatar": (
        "Send a picture (a photo, or a .png or .jpg file of at most 256 KB), or - for no picture."
    ),
}


def ask(step: str, draft: DraftText | None) -> str:
    """Return a question, with what the draft says now and the way out."""
    now = "" if draft is None else _now(step, draft)
    return "\n\n".join(part for part in (ASKED[step], now, "/cancel leaves all as it is.") if part)


def _now(step: str, draft: DraftText) -> str:
    match step:
        case "name" | "role":
            return f"Now: {getattr(draft, step)}"
        case "facts" | "off_limits":
            return f"Now:\n{parsing.encode_lines(getattr(draft, step))}"
        case "examples":
            return f"Now:\n{parsing.encode_examples(draft.examples)}"
        case "sampling":
            return f"Now:\n{parsing.encode_sampling(draft)}"
        case _:
            return ""


def head(view: TwinView) -> str:
    """Return a twin in a few lines, above its menu."""
    live = next((one for one in view.versions if one.state == "live"), None)
    lines = [f"{view.draft.name} ({view.slug}): {view.state}", view.draft.role]
    lines.append(f"Price: {view.price}. Picture: {'yes' if view.has_avatar else 'none'}.")
    if live is not None:
        lines.append(f"Version {live.version} is live.")
    if view.changes:
        lines.append("The draft has changes that are not published.")
    return "\n".join(lines)


def whole(view: TwinView) -> str:
    """Return all that there is of a twin."""
    versions = [
        f"Version {one.version}, {one.published_at:%d %b %Y}: {one.state}" for one in view.versions
    ]
    changes = ["Changes since the live version:", *view.changes] if view.changes else []
    parts = [
        head(view),
        "\n".join(versions) or "Never published.",
        f"Owner: {view.creator}" if view.creator else "Its first signature says who owns it.",
        f"People who have reported replies: {view.reports}",
        "\n".join(changes),
        f"What the model is told:\n{view.persona_text}",
        f"Sampling:\n{parsing.encode_sampling(view.draft)}",
    ]
    return "\n\n".join(part for part in parts if part)


def signing(link: SigningLink, *, with_url: bool) -> str:
    """Return what will be signed, and until when."""
    until = f"{link.expires_at:%d %b %Y, %H:%M} UTC"
    lines = [*link.summary, f"The link is for you alone and works until {until}."]
    if with_url:
        lines += [TOO_LONG_LINK, link.url]
    return "\n".join(lines)


NO_ACCOUNT = (
    "No payout address yet: your share is kept for you until a version names one, which you choose "
    "on the signing page."
)


def earnings(line: EarningsLine) -> str:
    """Return what a twin has earned."""

    def tokens(nano: int) -> str:
        return f"{format_nano(nano)} {line.token}"

    on_chain = line.chain_balance_nano
    lines = [
        f"{line.twin_name} has earned {tokens(line.accrued_nano)}.",
        f"Settled on-chain: {tokens(line.committed_nano)}. Paid out: {tokens(line.claimed_nano)}.",
    ]
    if all(digit in "0x" for digit in line.payout):
        lines.append(NO_ACCOUNT)
    elif on_chain is None:
        lines.append(f"Paid to {line.payout}. The chain does not answer now.")
    else:
        lines.append(f"Paid to {line.payout}, which has {tokens(on_chain)}.")
    if line.last_tx is not None and line.committed_nano:
        lines.append(f"Last settlement: {line.last_tx}")
    if line.held_nano:
        lines.append(
            f"Beside that {tokens(line.held_nano)} are held, as long as the platform may take them "
            "back."
        )
    if line.statement:
        lines.append(f"Every fee, day by day (30 minutes, for you alone): {line.statement}")
    return "\n".join(lines)


def too_big(limit_bytes: int) -> str:
    """Return the refusal of a file."""
    size = f"{limit_bytes // 1024} KB" if limit_bytes < 1024 * 1024 else f"{limit_bytes >> 20} MB"
    return f"The file is too big: at most {size}."
