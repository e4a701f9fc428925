"""What the bot says about a fan's own replies and data; the rest of its words are in `wording`."""

ANOTHER = "Another reply"
STOP = "Stop"
WRITING = "A reply is being written. Stop ends it, and so does /stop."
STOPPED = "Stopping. What is there so far is the reply, at its price."
NOTHING_TO_STOP = "No reply is being written for you here."
NOT_YOUR_REPLY = "Only the person who was answered can do that."
ALREADY_AGAIN = "Another reply is being written already."
REPLY_GONE = "I don't know this reply any more."
UNDONE = (
    "Taken back: your last message and its reply are no part of your conversation any more. What "
    "a reply cost that you had got stays paid. Your own message you can delete yourself."
)
UNDELETED = "Telegram did not let me delete the reply here; you can."
NOTHING_TO_UNDO = "There is nothing of yours here that could be taken back."
REPORTED = "Thank you. The operator and the creator of this twin will see your report."
REPORT_HOW = (
    "Reply to a message of a twin with /report, and say why if you like: /report It is rude."
)
EXPORT_NAME = "twinproof-telegram.json"
EXPORTED = (
    "This is what is stored about you and your conversations here. Beside it I remember which twin "
    "you chose in this chat, and the numbers of my messages that are replies to you."
)
EXPORT_FAILED = "The file could not be sent. Please try again later."
FORGET = "Forget me"
KEEP = "Keep everything"
FORGET_ASK = (
    "This deletes all that you said to twins through this service on Telegram and all that they "
    "answered, for ever, with the keys that open it. Your proof links stop opening. Receipts and "
    "fees stay, without any words. Do you want that?"
)
KEPT = "Nothing was deleted."
TALKATIVE_HOW = "Send a number from 0 to 100: /talkative 10 answers about one message in ten."
TALKATIVE_IN_GROUPS = "That is for groups: here every message is answered."
TALKATIVE_BLIND = (
    "I can't do that here: privacy mode is on for this bot, so Telegram shows me only what is "
    "addressed to me. The operator can switch it off in BotFather with /setprivacy."
)
TALKATIVE_ADMINS = "Only administrators of this group can change that."
TALKATIVE_UNSEEN = (
    "I can't see who the administrators of this group are. Make me one of them, or try again."
)
SOLO_NOBODY = "This twin doesn't answer now. Please come back later."


def in_private(link: str) -> str:
    """Return what is said in a group about something for private chats."""
    return f"That is for our private chat: {link}"


def forgotten(count: int) -> str:
    """Return what was deleted."""
    what = {0: "There were no replies", 1: "One reply was"}.get(count, f"{count} replies were")
    rest = "; nothing is left of you here." if count == 0 else " forgotten; nothing else is left."
    return f"{what}{rest} What stands in this chat is on Telegram: you can delete the chat."


def talkative(percent: int) -> str:
    """Return what is in force."""
    if percent == 0:
        return "I answer here only who speaks to me."
    return f"I answer about {percent} of 100 messages here unasked, and all that are meant for me."


def small_print(finish: str, attempt: int) -> str:
    """Return what a reply says about itself, below it; empty if there is nothing to say."""
    lines = []
    if attempt:
        lines.append("Another reply to the same message; it stands in for the one before.")
    if finish == "stopped":
        lines.append("Stopped before its end, as you wished.")
    if finish == "cut":
        lines.append("Cut off: its creator has paused or ended this twin. It costs nothing.")
    if finish == "length":
        lines.append("Ended at the length that this twin's replies may have.")
    return " ".join(lines)
