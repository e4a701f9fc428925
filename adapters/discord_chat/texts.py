"""What the commands say about the service; only what is true of it today."""

from bot.domain.wording import DISCLOSURE, STARTER_NOTE, UNPROVED
from bot.ports.views import TwinCard

UNREADABLE = (
    "Discord does not show me what you write in a reply to a twin that has a name of its own. "
    "Press Reply under its message, or use /talk."
)
NOT_HERE = "I can't answer here: I must be a member of the server, and this a text channel."
UNSHOWN = "I could not show the reply here; nothing was charged."
NOT_YOURS = "Only the person who was answered may do that."
ENDED = "This reply has ended already."
BEING_WRITTEN = "This reply is being written right now: wait for its end, or press Stop."
REPLACED = "This is not a reply that I can make again: it was replaced, taken back or forgotten."
UNCHANGEABLE = "I can't change this message any more. Please ask again."
PUBLIC_PROOF = (
    "The public proof of this reply: <{link}>\n"
    "-# It shows no words: only the person who was answered gets the key."
)
NO_REPLY_TO_REPORT = (
    "I have no record that this is a reply of mine, so I can't take a report on it. To report a "
    "message to Discord, use Report Message in its menu."
)
GROWING_TO_REPORT = "This reply is not finished yet: please report it when it is."
REPORTED = (
    "Thank you. Your report is kept for the twin's creator and for whoever runs this service. If "
    "the message breaks Discord's own rules, please report it to Discord as well: Report Message "
    "in its menu."
)
DIRECT = "In direct messages the twin answers everything that you write."
EXPORTED = (
    "Only you see this: everything that this service stores about you, as JSON: what was said, "
    "and which messages here show it."
)
TOO_MUCH = (
    "What is stored about you is larger than the files that Discord takes here: please ask "
    "whoever runs this service for it."
)
FORGET = (
    "**Delete everything that is stored about you on Discord?** What you said to twins, what they "
    "answered, and the keys that open your proof links are deleted for good, and nobody can undo "
    "it. What stays: receipts that nothing opens any more, so that the public log and the "
    "creators' fees still add up. Messages that stand here on Discord stay: if you want my "
    "replies gone, too, delete your questions *first*, then I delete my replies to them."
)
FORGOTTEN = (
    "Done: {replies} replies with what you said to get them, and {notes} notes on which message "
    "showed them, are deleted for good."
)
NO_SUCH_TWIN = "There is no twin called that here. /twin browse lists them."
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
    "**Whose messages a twin is given.** In a group I see only what you say to me and what I "
    "answered you; nobody else's words enter our conversation."
)
_READS = (
    "**What I read.** Discord shows me the messages of the channels that I am in (message-content "
    "intent: on). I use direct messages, those that mention me, replies to twins, and where a "
    "channel's managers have made its twin talkative, some others; the rest I drop."
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
    "- reports on replies, with your Discord id;\n"
    "- which twin was picked where, how talkative it is there, and the ids of my webhooks.\n"
    "Messages that no twin answers are not stored.\n"
    "**What you can do.** `/privacy export` gives you all of it as a file; `/privacy forget` "
    "deletes it for good. Deleting your message takes the reply to it back. Changing your message "
    "changes nothing: the reply answers what you wrote first.\n"
    "**Who sees them.** Replies are made on the machines of whoever runs this service; no other "
    "company gets your messages, but for Discord itself. The public log holds receipts without "
    "your words or your name. Your own proof link opens your words to whoever has it."
)

_REPORTS = "- reports on replies, with your Discord id;\n"
_MONEY = (
    "- what you have bought, been given and spent, under a random number that only this database "
    "connects to you; your disputes and questions about payments;\n"
)
PRIVACY_WITH_MONEY = PRIVACY.replace(_REPORTS, _REPORTS + _MONEY)


def with_words(sentence: str, words: str) -> str:
    """Return a refusal with what the person has written, so that nothing is lost."""
    if not words.strip():
        return sentence
    shown = words.replace("```", "'''")
    return f"{sentence}\nWhat you wrote:\n```\n{shown}\n```"


def about(manner_here: str, *, reads_messages: bool, money: str = "") -> str:
    """Return the answer to /about; `money` is what is said where credit is sold."""
    reads = _READS if reads_messages else _READS_NOT
    here = f"**When a twin answers here.** {manner_here}"
    lines = (DISCLOSURE, _PROVED, _CONTEXT, reads, here, money, f"-# {STARTER_NOTE}")
    return "\n".join(line for line in lines if line)


def manner(percent: int, *, reads_messages: bool) -> str:
    """Return how a twin behaves in a channel."""
    asked = "It always answers who mentions me or replies to it"
    if not percent:
        return f"{asked}, and nobody else (talkativeness 0)."
    unasked = f"{asked}, and {percent} of 100 other messages (talkativeness {percent})."
    if reads_messages:
        return unasked
    return (
        f"{unasked} That has no effect now: Discord does not show me other messages "
        "(message-content intent: off). Whoever runs this service can switch that intent on."
    )


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
