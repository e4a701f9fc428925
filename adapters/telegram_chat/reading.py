"""What we take from an update, and nothing more: names and unaddressed messages end here."""

import re
from dataclasses import replace

from telegram import CallbackQuery, Message, MessageOriginUser, Update, User
from telegram.constants import ChatType, MessageEntityType

from adapters.telegram_chat.events import (
    ADDED,
    CREATORS_PREFIX,
    PHOTO_BYTES,
    PHOTO_NAME,
    STARS,
    Attached,
    Author,
    BotMade,
    Event,
    GivenBack,
    Money,
    Paid,
    Pressed,
    Said,
    Spot,
)
from adapters.telegram_chat.wording import ANSWERING_COMMANDS, SHARED_COMMANDS

# Telegram remembers the list, so it is always sent whole.
ALLOWED_UPDATES = ("message", "callback_query", "managed_bot", "pre_checkout_query")
# As a rule the user name of a bot ends so.
_BOT_NAME = re.compile(r"(?<!\w)@\w+bot\b", re.IGNORECASE | re.ASCII)
_COMMAND = re.compile(r"/(\w{1,32})(?:@(\w{1,64}))?(?:\s+(.*))?", re.DOTALL | re.ASCII)


def read_update(update: Update, me: User) -> Event | None:
    """Return what is for us in an update; None if nothing is."""
    if update.callback_query is not None:
        return _read_press(update.update_id, update.callback_query)
    if update.managed_bot is not None:
        return _read_made(update.update_id, update.managed_bot.user, 0, update.managed_bot.bot)
    message = update.message
    if message is None:
        return None
    if message.managed_bot_created is not None and message.from_user is not None:
        made = message.managed_bot_created.bot
        return _read_made(update.update_id, message.from_user, message.message_id, made)
    if message.successful_payment is not None or message.refunded_payment is not None:
        return _read_money(update.update_id, message)
    return _read_message(update.update_id, message, me)


def _read_press(update_id: int, query: CallbackQuery) -> Pressed | None:
    if query.message is None or query.data is None or query.from_user.is_bot:
        return None
    thread = _thread_of(query.message) if isinstance(query.message, Message) else None
    chat = query.message.chat
    spot = Spot(chat.id, thread, chat.type == ChatType.PRIVATE, query.from_user.id)
    name = query.from_user.full_name if query.data.startswith(CREATORS_PREFIX) else ""
    return Pressed(update_id, spot, query.message.message_id, query.id, query.data, name)


def _read_made(update_id: int, creator: User, message_id: int, made: User) -> BotMade:
    spot = Spot(creator.id, None, is_private=True, fan=creator.id)
    return BotMade(update_id, spot, message_id, str(made.id), made.username or "")


def _read_money(update_id: int, message: Message) -> Money | None:
    """Take a payment or its end; other currencies than Stars are none of ours.

    Who has paid is the sender of a payment's message. Of a refund nobody says who is named as its
    sender, so there it is the private chat's person.
    """
    paid, returned = message.successful_payment, message.refunded_payment
    found = paid or returned
    is_private = message.chat.type == ChatType.PRIVATE
    payer = message.from_user if paid is not None else None
    fan = payer.id if payer is not None and not payer.is_bot else message.chat.id
    if found is None or found.currency != STARS or fan < 0:
        return None
    return (Paid if paid is not None else GivenBack)(
        update_id,
        Spot(message.chat.id, _thread_of(message), is_private, fan),
        message.message_id,
        found.telegram_payment_charge_id,
        found.total_amount,
    )


def _read_message(update_id: int, message: Message, me: User) -> Said | None:
    fan, chat = message.from_user, message.chat
    if fan is None or fan.is_bot or message.sender_chat is not None:
        return None  # other bots, channels and anonymous administrators are no fans
    spot = Spot(chat.id, _thread_of(message), chat.type == ChatType.PRIVATE, fan.id)
    replied_id, author = _replied(message, me)
    said = Said(update_id, spot, message.message_id, message.text, "", replied_id, author)
    if any(member.id == me.id for member in message.new_chat_members):
        return replace(said, command=ADDED, text="")
    if message.text is None:
        return _read_wordless(said, message, me)
    return (
        _read_command(said, message, me) if _is_command(message) else _read_words(said, message, me)
    )


def _read_wordless(said: Said, message: Message, me: User) -> Said | None:
    """Take a photo, a sticker and the like; service messages are not for us."""
    if message.effective_attachment is None:
        return None
    mentioned = f"@{me.username}".lower() in (message.caption or "").lower()
    addressed = said.spot.is_private or said.replied_author is Author.US or mentioned
    if not addressed:
        return None
    file = _read_file(message) if said.spot.is_private else None
    return replace(said, album=message.media_group_id or "", file=file)


def _read_file(message: Message) -> Attached | None:
    """Take a document, or of a photo, which comes in several sizes, the largest that we can use."""
    document = message.document
    if document is not None:
        return Attached(document.file_id, document.file_size or 0, document.file_name or "")
    sizes = sorted(message.photo, key=lambda size: size.width * size.height)
    fitting = [size for size in sizes if (size.file_size or 0) <= PHOTO_BYTES]
    if not sizes:
        return None
    photo = (fitting or sizes)[-1]
    return Attached(photo.file_id, photo.file_size or 0, PHOTO_NAME)


def _read_command(said: Said, message: Message, me: User) -> Said | None:
    found = _COMMAND.fullmatch(message.text or "")
    if found is None:
        return said if said.spot.is_private else None
    name, target, rest = found[1].lower(), found[2], found[3] or ""
    for_us = target is not None and target.lower() == (me.username or "").lower()
    if target is not None and not for_us:
        return None
    if not (said.spot.is_private or for_us or _is_shared(name, said.replied_author)):
        return None  # some other bot's
    begins = name == "creator" or (name, rest.strip()) == ("start", "creator")
    person = message.from_user if said.spot.is_private and begins else None
    return replace(said, command=name, text=rest, name=person.full_name if person else "")


def _is_shared(name: str, replied_author: Author) -> bool:
    """Return whether a group's command without a name behind it is for us."""
    return name in SHARED_COMMANDS or (name in ANSWERING_COMMANDS and replied_author is Author.US)


def _read_words(said: Said, message: Message, me: User) -> Said | None:
    text = said.text or ""
    mention = re.compile(rf"(?<!\w)@{re.escape(me.username or '')}\b", re.IGNORECASE)
    mentioned = me.username is not None and mention.search(text) is not None
    if not (said.spot.is_private or said.replied_author is Author.US or mentioned):
        return None if _is_meant_for_a_bot(message) else replace(said, unasked=True)
    return replace(said, command="", text=_without_address(text, mention) if mentioned else text)


def _is_meant_for_a_bot(message: Message) -> bool:
    replied = message.reply_to_message
    if replied is not None and replied.forum_topic_created is not None:
        replied = None
    author = replied.from_user if replied is not None else None
    names_one = _BOT_NAME.search(message.text or "") is not None
    return names_one or (author is not None and author.is_bot)


def _without_address(text: str, mention: re.Pattern[str]) -> str:
    """Drop the mention that begins or ends a message; within a sentence it is a word of it."""
    text = text.strip()
    first = mention.match(text)
    if first is not None:
        return text[first.end() :].lstrip(" ,:\n") or text
    *_, last = mention.finditer(text)
    return text[: last.start()].rstrip() if last.end() == len(text) else text


def _is_command(message: Message) -> bool:
    return any(
        entity.type == MessageEntityType.BOT_COMMAND and entity.offset == 0
        for entity in message.entities
    )


def _thread_of(message: Message) -> int | None:
    """Return the topic; a reply chain in an ordinary group has a number too, and is no topic."""
    return message.message_thread_id if message.is_topic_message else None


def _replied(message: Message, me: User) -> tuple[int, Author]:
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return 0, Author.OTHER  # in a topic every message "replies" to the topic's creation
    if replied.from_user is not None and replied.from_user.id == me.id:
        return replied.message_id, Author.US
    origin = replied.forward_origin
    if isinstance(origin, MessageOriginUser) and origin.sender_user.id == me.id:
        return replied.message_id, Author.FORWARDED
    return replied.message_id, Author.OTHER
