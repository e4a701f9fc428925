"""What the bot says on Telegram, in one place and in plain words."""

from adapters.telegram_chat import money_words as money
from bot.domain.wording import DISCLOSURE, UNPROVED
from bot.ports.views import TwinCard

LOBBY_COMMANDS = {
    "start": "Begin here",
    "twins": "Who you can talk to",
    "twin": "Talk to somebody else: /twin NAME",
    "talk": "Say something to the twin, also in groups",
    "stop": "End the reply that is being written for you",
    "undo": "Take back your last message and its reply",
    "verify": "Reply to a message with this: is it ours?",
    "report": "Reply to a message with this: something is wrong with it",
    "talkative": "For administrators: answer so many percent of messages unasked",
    "export": "What is stored about you, as a file",
    "forget": "Delete what is stored about you",
    "about": "What this is, what is proved and what is not",
    "privacy": "What is stored",
    "terms": "The rules",
    "help": "All commands",
}
CREATOR_COMMANDS = {
    "creator": "For creators: make and change your twins",
    "cancel": "For creators: forget the question that is open",
}
_LOBBY_ONLY = frozenset({"twin"})
_GROUPS_ONLY = frozenset({"talkative"})
_PRIVATE_ONLY = frozenset({"export", "forget", *CREATOR_COMMANDS, *money.COMMANDS})
# Many bots know these: without our name behind them they are ours in a reply to us only.
ANSWERING_COMMANDS = frozenset({"stop", "undo", "report", "dispute"})
# Taken in groups without our name behind them; the others may be meant for some other bot.
SHARED_COMMANDS = frozenset(LOBBY_COMMANDS) - _PRIVATE_ONLY - ANSWERING_COMMANDS


def commands(
    *, solo: bool, creators: bool, credit: bool = False, private: bool | None = None
) -> dict[str, str]:
    """Return the commands that a bot offers, with what they do.

    Args:
        solo: whether the bot is one twin.
        creators: whether creators can work here.
        credit: whether fans have credit here.
        private: only those of private chats, or of groups; None for all.
    """
    offered = LOBBY_COMMANDS | (money.commands(private=private) if credit else {})
    offered |= CREATOR_COMMANDS if creators else {}
    hidden = _LOBBY_ONLY if solo else frozenset()
    if private is not None:
        hidden |= _GROUPS_ONLY if private else _PRIVATE_ONLY
    return {name: about for name, about in offered.items() if name not in hidden}


GROUP_CONTEXT = (
    "In a group I see only what you say to me and what I answered you; nobody else's words enter "
    "our conversation."
)
CHOOSE = "Who do you want to talk to?"
CHOOSE_FIRST = "Choose who you talk to, then send your message again."
CHOOSE_ANOTHER = (
    "The twin that you chose does not answer now: its creator has paused it, or it has gone. Try "
    "again later, or choose another one."
)
NOBODY = "Nobody is here now. Please come back later."
READS_WORDS_ONLY = "I can read words only: please write what you want to say."
NOTHING_SAID = "Write what you want to say after the command: /talk Hello!"
MONEY_SAYS_NO = "I can't answer this now: the button below shows you your credit and limit, alone."
TOO_FAST = "One moment: your earlier messages are still being answered. Please send this again."
BROKEN = "Something went wrong on this side. Nothing was charged."
BUTTON_OLD = "This button is out of date."
PROOF_NOT_YOURS = (
    "This reply was written to somebody else: only that person can have the link with its key."
)
PROOF_GONE = "I don't know this reply."
NO_EDITS = (
    "On Telegram nobody but this bot can change what it has sent, and the words of a reply never "
    "change."
)
VERIFY_HOW = "Reply to a message with /verify, and I say whether it is ours."


def unknown_command(name: str) -> str:
    """Return the answer to a command that does not exist."""
    return f"There is no command /{name}. /help lists them all."


def unknown_twin(name: str) -> str:
    """Return the answer to a name that nobody has."""
    return f"There is no twin called {name[:64]}. /twins shows who is here."


def only_one(name: str) -> str:
    """Return what a bot of one twin says when another is wanted."""
    return f"This bot is {name}, and nobody else."


def welcome(cards: list[TwinCard], *, solo: bool) -> str:
    """Return the greeting of a private chat."""
    who = f"{introduce(cards[0])}\n\n" if solo and cards else ""
    return (
        f"{DISCLOSURE}\n\n{who}Each reply has a button that opens its proof. {UNPROVED}\n"
        "/about says more, /privacy says what is stored."
    )


def introduce(card: TwinCard) -> str:
    """Return who the fan talks to from now on."""
    return f"You talk to the AI twin of {card.name}, {card.role} ({card.price})."


def list_twins(cards: list[TwinCard]) -> str:
    """Return who is here."""
    lines = [f"{card.name}, {card.role} ({card.price}): /twin {card.slug}" for card in cards]
    return "\n".join([CHOOSE, *lines])


def help_text(offered: dict[str, str], *, username: str) -> str:
    """Return the list of commands."""
    lines = [f"/{name}: {about}" for name, about in offered.items()]
    return "\n".join([*lines, "", _addressing(username)])


def _addressing(username: str) -> str:
    return (
        f"In a private chat just write. In a group write /talk@{username} and your message, "
        f"reply to one of my messages, or mention @{username}."
    )


def context_note(*, reads_all: bool) -> str:
    """Return whose messages enter a twin's context, and what Telegram shows us of a group."""
    seen = (
        "Privacy mode is off for this bot: Telegram sends it every message of a group. Those that "
        "are not addressed to it, and that it does not answer unasked (/talkative), are dropped at "
        "once and stored nowhere."
        if reads_all
        else "Privacy mode is on for this bot: of a group's messages Telegram sends it only "
        "commands and replies to it, and not reliably those that mention it. Where it is an "
        "administrator it is sent everything, and drops at once what is not addressed to it."
    )
    return f"{GROUP_CONTEXT}\n{seen}"


def about_text(*, reads_all: bool, base_url: str) -> str:
    """Return what this is, what is proved and what is not."""
    return (
        f"{DISCLOSURE} Each reply is marked [AI twin].\n\n"
        "What a proof shows: which model, which persona (as its creator's key signed it), which "
        "messages and which random seed made the reply, and that nobody could pick the seed. "
        "With the public model anybody can make it again and compare.\n"
        f"What it does not show: {UNPROVED} It does not show who the creator is, nor that the "
        "operator can't read your messages: the operator can.\n\n"
        f"{context_note(reads_all=reads_all)}\n\n"
        "In groups everybody may open the public proof. The link with the key, which also opens "
        "your words, is given to you alone. Who has that link can read that exchange, so think "
        "before you pass on such a message.\n\n"
        f"Service: {base_url}"
    )


def added_text(*, reads_all: bool, username: str) -> str:
    """Return what the bot says when it joins a group."""
    return f"{DISCLOSURE}\n\n{_addressing(username)}\n\n{context_note(reads_all=reads_all)}"


def privacy_text(*, base_url: str) -> str:
    """Return what is stored."""
    return (
        "Stored on the operator's machine: what you write to a twin, its replies, your numeric "
        "Telegram id and the chat's. Not stored: your name (of creators it is), user name, phone "
        "number, photos, and messages that this bot does not answer.\n"
        "The operator can read what is stored, and Telegram carries it. The model runs at the "
        "operator's; your messages go to no other company and train nothing.\n"
        "The public log holds hashes and fees, no words.\n"
        "/export gives you what is stored about you, /undo takes back your last message, /forget "
        "deletes all that you and the twins said and the keys that open it. Telegram does not tell "
        "bots when you delete a message: use /undo.\n"
        f"Service and operator: {base_url}"
    )


FREE_TERMS = (
    "Replies cost you nothing here: the operator pays the fee that each one names to its creator, "
    "as long as the budget lasts, and up to a daily number."
)


def terms_text(*, base_url: str, sells: bool) -> str:
    """Return the rules; with what replies cost, where credit is sold or where it is not."""
    return (
        "Twins are software and make mistakes: don't rely on them for advice on health, money or "
        "law, or in an emergency.\n"
        f"{money.TERMS if sells else FREE_TERMS}\n"
        "Don't use a twin to harass or to deceive people.\n"
        f"Service and operator: {base_url}"
    )


def genuine(twin: str, receipt_id: str, *, proved: bool) -> str:
    """Return the verdict on a message that is part of a reply of ours."""
    proof = "" if proved else " Its proof appears in some seconds, with the next checkpoint."
    return (
        f"Genuine: I sent this message. It is a reply of the twin {twin}, receipt {receipt_id}. "
        f"{NO_EDITS}{proof}"
    )


SERVICE_MESSAGE = (
    "I sent this message, but I know no receipt for it: it is no reply of a twin, or one that was "
    f"forgotten. {NO_EDITS}"
)
NOT_OURS = "Not ours: this message is not from this bot."
FORWARDED = (
    "Telegram says that this was forwarded from this bot, but not which message it was. "
    "Its proof link tells: open it and compare the words."
)
