"""What the commands say about the service; only what is true of it today."""

from bot.domain.wording import DISCLOSURE, STARTER_NOTE, UNPROVED
from bot.ports.chat import TwinCard

UNREADABLE = (
    "Discord does not show me what you write in a reply to a twin that has a name of its own. "
    "Press Reply under its message, or use /talk."
)
NOT_HERE = "I can't answer here: I must be a member of the server, and this a text channel."
UNSHOWN = "I could not show the reply here; nothing was charged."
WITHDRAWN = "-# (withdrawn)"
NO_WORDS = "I can only read words: write something."
BROKEN = "Something broke here; nothing was charged. Please try again."
MAX_CHARACTERS = 1900

_PROVED = (
    "**What is proved.** Each reply has a proof link: which model weights, which persona signed by "
    "its creator, which context and which seed made it, so that anybody can make it again and "
    "compare. In servers the link shows no words; press Proof under a reply to yourself to get "
    f"the link that opens your own. {UNPROVED} It does not show that whoever runs this service "
    "can't read along."
)
_CONTEXT = (
    "**Whose messages a twin is given.** Yours to it in this channel or thread, and its replies to "
    "you. Never other people's messages."
)
_READS = (
    "**What I read.** Discord shows me the messages of the channels that I am in (message-content "
    "intent: on). I use direct messages, those that mention me and replies to twins; I drop the "
    "others unread."
)
_READS_NOT = (
    "**What I read.** Discord shows me direct messages, messages that mention me, and replies to "
    "messages under my own name, nothing else (message-content intent: off). To answer a twin that "
    "has a name of its own, press Reply under its message or use /talk."
)
PRIVACY = (
    "**What is stored**, in the database of whoever runs this service:\n"
    "- your messages to twins and their replies, with your Discord id and the ids of the channel "
    "and the messages;\n"
    "- for each reply its receipt, its fee, and the key that opens it (you have that key, too: it "
    "is the end of your own proof link);\n"
    "- which message on Discord shows which reply, with a digest of the text shown;\n"
    "- which twin was picked where, and the ids of my webhooks.\n"
    "Messages that are not meant for a twin are not stored.\n"
    "**Who sees them.** Replies are made on the machines of whoever runs this service; no other "
    "company gets your messages, but for Discord itself. The public log holds receipts without "
    "your words or your name. Your own proof link opens your words to whoever has it."
)


def about(*, reads_messages: bool) -> str:
    """Return the answer to /about."""
    reads = _READS if reads_messages else _READS_NOT
    return "\n".join((DISCLOSURE, _PROVED, _CONTEXT, reads, f"-# {STARTER_NOTE}"))


def describe(card: TwinCard) -> str:
    """Return one line on a twin."""
    return f"**{card.name}** (`{card.slug}`), {card.role}. {card.price}."


def browse(cards: list[TwinCard]) -> str:
    """Return the list of twins, as many as fit."""
    if not cards:
        return "There is no twin here yet."
    lines: list[str] = []
    for number, card in enumerate(cards):
        line = describe(card)
        if sum(map(len, lines)) + len(line) + len(lines) > MAX_CHARACTERS:
            lines.append(f"… and {len(cards) - number} more.")
            break
        lines.append(line)
    return "\n".join(lines)


def choose(cards: list[TwinCard]) -> str:
    """Return what to say to somebody who talks to nobody in particular."""
    names = ", ".join(card.slug for card in cards[:20])
    return f"Whom do you mean? /talk names a twin, /twin pick chooses one for here. ({names})"
