"""What is said about bots of creators' own."""

from bot.domain.wording import AI_LABEL, DISCLOSURE

MAX_NAME, MAX_SHORT, MAX_ABOUT = 64, 120, 512
BUTTON = "Make the bot"
NOT_HERE = (
    "Bots of one's own can't be made here: the operator has to switch on Bot Management Mode for "
    "this bot in BotFather."
)
UNKNOWN = (
    "You have made a bot, but I don't know for which twin, or the offer has expired. Send "
    "/creator bot and choose the twin: I link the bot that is there already."
)
LATER = "Telegram does not give me the new bot's token now. Please send /creator bot again later."


def offer(name: str) -> str:
    """Return the offer, above its button."""
    return (
        f"Telegram makes a bot of your own that is {name} and nothing else. Press the button "
        "below, choose its name and confirm; you need no BotFather and pass on no token. The offer "
        "is open for one hour."
    )


def linked(name: str, username: str) -> str:
    """Return what a creator hears when their bot works."""
    return f"@{username} is {name} now. Give out this link: https://t.me/{username}"


def already(name: str, username: str) -> str:
    """Return what a creator hears who has a bot for that twin."""
    return f"{name} has a bot already: https://t.me/{username}"


def failed(twin: str, username: str) -> str:
    """Return what a creator hears when their bot's token is not valid any more."""
    return (
        f"@{username} does not work any more: Telegram refuses its token. If you have deleted it, "
        f"/creator bot {twin} makes another one; if not, send the same, and I fetch a new token."
    )


def name_of(twin: str) -> str:
    """Return a bot's name in lists of chats, with the label."""
    label = f" ({AI_LABEL})"
    return twin[: MAX_NAME - len(label)] + label


def short_of(twin: str) -> str:
    """Return what stands in a bot's profile."""
    rest = ": software, not the person. Each reply has a proof."
    return f"{AI_LABEL} of {twin}"[: MAX_SHORT - len(rest)] + rest


def about_of(twin: str, role: str) -> str:
    """Return what stands in an empty chat with a bot."""
    who = f"This bot is the {AI_LABEL} of {twin}, {role}. Each reply has a proof."
    return f"{DISCLOSURE} {who}"[:MAX_ABOUT]


def silent(state: str) -> str:
    """Return why a twin does not answer its fans."""
    match state:
        case "paused":
            return "This twin is paused by its creator. Please come back later."
        case "revoked":
            return "This twin was ended by its creator and doesn't answer any more."
        case _:
            return "This twin doesn't answer now: its creator has to sign it first."
