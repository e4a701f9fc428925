"""Telegram as people live in it: fans, bots, groups, messages, and who sees what."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
TIME = 1_795_000_000
DEFAULT_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COMMAND = re.compile(r"/[a-zA-Z0-9_]{1,32}(@\w+)?")
_MENTION = re.compile(r"(?<!\w)(?<!/)@\w{3,}")


@dataclass(slots=True, eq=False)
class BotSide:
    """A bot as the platform knows it; `polls` counts getUpdates, of which the last one wins."""

    token: str
    user: Json
    updates: list[Json] = field(default_factory=list)
    next_update: int = 500
    polls: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    webhook: Json = field(default_factory=dict)
    allowed: tuple[str, ...] = DEFAULT_UPDATES
    commands: dict[str, list[Json]] = field(default_factory=dict)
    queries: set[str] = field(default_factory=set)
    last_message: int = 0
    profile: dict[str, str] = field(default_factory=dict)
    manager: int = 0

    @property
    def id(self) -> int:
        """The account's number."""
        return int(self.user["id"])

    def push(self, kind: str, value: Json) -> Json:
        """Queue an update."""
        update = {"update_id": self.next_update, kind: value}
        self.next_update += 1
        if kind in self.allowed:
            self.updates.append(update)
            self.news.set()
        return update


@dataclass(slots=True, eq=False)
class ChatSide:
    """A group, or one person's private chat with one bot."""

    id: int
    type: str
    title: str
    topics: set[int] = field(default_factory=set)
    members: set[int] = field(default_factory=set)
    kicked: set[int] = field(default_factory=set)
    admins: set[int] = field(default_factory=set)
    hides_members: bool = False
    keyboard: Json | None = None
    moved_to: int = 0
    messages: dict[int, Json] = field(default_factory=dict)
    drafts: list[Json] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    next_message: int = 1

    def as_json(self) -> Json:
        """Return the chat as it stands in a message."""
        name = "first_name" if self.type == "private" else "title"
        forum = {"is_forum": True} if self.topics else {}
        return {"id": self.id, "type": self.type, name: self.title} | forum

    def add(self, sender: Json, content: Json, *, topic: int | None = None) -> Json:
        """Append a message."""
        head = {"message_id": self.next_message, "date": TIME, "chat": self.as_json()}
        thread = {"message_thread_id": topic, "is_topic_message": True} if topic else {}
        message = head | {"from": sender} | thread | content
        self.messages[self.next_message] = message
        self.next_message += 1
        return message

    def from_bot(self) -> list[Json]:
        """Return what bots have said here."""
        return [message for message in self.messages.values() if message["from"]["is_bot"]]


@dataclass(slots=True)
class World:
    """Everybody and everything; fans act through its methods.

    `privates` has one chat for each bot and fan: they share the number, not the messages.
    """

    bots: dict[str, BotSide] = field(default_factory=dict)
    fans: dict[int, Json] = field(default_factory=dict)
    groups: dict[int, ChatSide] = field(default_factory=dict)
    privates: dict[tuple[int, int], ChatSide] = field(default_factory=dict)
    next_query: int = 1
    answers: list[Json] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def add_bot(
        self, number: int, username: str, *, reads_all: bool = False, manages: bool = False
    ) -> BotSide:
        """Make a bot as BotFather does."""
        user = {
            "id": number,
            "is_bot": True,
            "first_name": username,
            "username": username,
            "can_join_groups": True,
            "can_read_all_group_messages": reads_all,
            "supports_inline_queries": False,
            "can_manage_bots": manages,
        }
        bot = BotSide(token=f"{number}:SECRET-{username}", user=user)
        self.bots[bot.token] = bot
        return bot

    def add_fan(self, number: int, name: str, *, is_bot: bool = False) -> int:
        """Make a person."""
        self.fans[number] = {"id": number, "is_bot": is_bot, "first_name": name}
        return number

    def add_group(self, number: int, *members: int, topics: tuple[int, ...] = ()) -> ChatSide:
        """Make a supergroup."""
        group = ChatSide(number, "supergroup", "Harbour", topics=set(topics), members={*members})
        self.groups[number] = group
        return group

    def private(self, bot: BotSide, fan: int) -> ChatSide:
        """Return the private chat, which exists once the fan has written."""
        return self.privates[bot.id, fan]

    def say(self, bot: BotSide, fan: int, text: str, **content: object) -> Json:
        """Let a fan write to a bot in private."""
        return self.post(self._open(bot, fan), fan, text, **content)

    def start(self, bot: BotSide, fan: int, payload: str = "") -> Json:
        """Let a fan press Start, perhaps through a deep link."""
        if payload and not _PAYLOAD.fullmatch(payload):
            raise ValueError("the start parameter has 1 to 64 letters, digits, _ and -")
        return self.say(bot, fan, f"/start {payload}".strip())

    def post(self, chat: ChatSide, fan: int, text: str | None, **content: Any) -> Json:  # noqa: ANN401 - JSON
        """Let a fan write in a chat; bots get it as the privacy rules say.

        `reply_to` names a message, `topic` a topic; everything else goes into the message.
        """
        reply_to, topic = content.pop("reply_to", None), content.pop("topic", None)
        if text is not None:
            content |= {"text": text} | _entities(text)
        if reply_to is not None:
            replied = {k: v for k, v in chat.messages[reply_to].items() if k != "reply_to_message"}
            content["reply_to_message"] = replied
        message = chat.add(self.fans[fan], content, topic=topic)
        for bot in self._bots_in(chat):
            if chat.type == "private" or _shows(bot, message):
                bot.push("message", message)
        return message

    def press(self, bot: BotSide, fan: int, message: Json, label: str) -> None:
        """Let a fan press a button that has data."""
        rows = message["reply_markup"]["inline_keyboard"]
        button = next(b for row in rows for b in row if b["text"].startswith(label))
        query = {
            "id": str(self.next_query),
            "from": self.fans[fan],
            "message": message,
            "chat_instance": "1",
            "data": button["callback_data"],
        }
        bot.queries.add(str(self.next_query))
        self.next_query += 1
        bot.push("callback_query", query)

    def send_file(self, bot: BotSide, fan: int, name: str, data: bytes, **more: object) -> Json:
        """Let a fan send a document in private; `more` changes what the platform tells of it."""
        return self._send(bot, fan, "document", {"file_name": name} | more, data)

    def send_photo(self, bot: BotSide, fan: int, *sizes: bytes) -> Json:
        """Let a fan send a photo in private, which the platform has in several sizes."""
        kept = []
        for number, data in enumerate(sizes, start=1):
            kept.append(self._keep(data) | {"width": number * 100, "height": number * 100})
        return self.post(self._open(bot, fan), fan, None, photo=kept)

    def tap_make(self, manager: BotSide, fan: int, number: int, username: str) -> BotSide:
        """Let a fan press the button that makes a bot, if there is one."""
        keyboard = self._open(manager, fan).keyboard
        if keyboard is None or "request_managed_bot" not in keyboard["keyboard"][0][0]:
            raise ValueError("there is no such button")
        return self.make_managed(manager, fan, number, username)

    def make_managed(
        self, manager: BotSide, fan: int, number: int, username: str, *, news: str = "both"
    ) -> BotSide:
        """Let a fan make a bot that another one manages; tell the manager of it."""
        made = self.add_bot(number, username)
        made.manager = manager.id
        user = {key: made.user[key] for key in ("id", "is_bot", "first_name", "username")}
        if news in {"both", "update"}:
            manager.push("managed_bot", {"user": self.fans[fan], "bot": user})
        if news in {"both", "message"}:
            chat = self._open(manager, fan)
            created = {"managed_bot_created": {"bot": user}}
            manager.push("message", chat.add(self.fans[fan], created))
        return made

    def renew_token(self, bot: BotSide, fan: int, token: str, *, tell: bool = True) -> None:
        """Give a managed bot another token, and tell its manager."""
        del self.bots[bot.token]
        bot.token = token
        self.bots[token] = bot
        user = {key: bot.user[key] for key in ("id", "is_bot", "first_name", "username")}
        manager = next(one for one in self.bots.values() if one.id == bot.manager)
        if tell:
            manager.push("managed_bot", {"user": self.fans[fan], "bot": user})

    def _send(self, bot: BotSide, fan: int, kind: str, told: Json, data: bytes) -> Json:
        return self.post(self._open(bot, fan), fan, None, **{kind: self._keep(data) | told})

    def _keep(self, data: bytes) -> Json:
        number = f"file{len(self.files)}"
        self.files[number] = data
        return {"file_id": number, "file_unique_id": number, "file_size": len(data)}

    def block(self, bot: BotSide, fan: int) -> None:
        """Let a fan block a bot."""
        self._open(bot, fan).kicked.add(bot.id)

    def _open(self, bot: BotSide, fan: int) -> ChatSide:
        if (bot.id, fan) not in self.privates:
            chat = ChatSide(fan, "private", self.fans[fan]["first_name"], members={fan, bot.id})
            self.privates[bot.id, fan] = chat
        return self.privates[bot.id, fan]

    def _bots_in(self, chat: ChatSide) -> list[BotSide]:
        return [bot for bot in self.bots.values() if bot.id in chat.members - chat.kicked]


def _entities(text: str) -> Json:
    """Return what the platform recognises in a fan's text."""
    found = []
    command = _COMMAND.match(text)
    if command:
        found.append({"type": "bot_command", "offset": 0, "length": command.end()})
    found += [
        {"type": "mention", "offset": units(text[: match.start()]), "length": len(match[0])}
        for match in _MENTION.finditer(text)
    ]
    return {"entities": found} if found else {}


def _shows(bot: BotSide, message: Json) -> bool:
    """Return whether a bot gets a group's message; bots never get those of bots.

    With privacy mode: commands that name it, replies to it, and service messages. That mentions
    arrive is not promised by the documentation, so here they don't.
    """
    if message["from"]["is_bot"]:
        return False
    text = message.get("text", "")
    replied = message.get("reply_to_message", {}).get("from", {}).get("id") == bot.id
    command = re.match(r"/\w+@(\w+)", text)
    named = command is not None and command[1].lower() == bot.user["username"].lower()
    service = "new_chat_members" in message
    return bool(bot.user["can_read_all_group_messages"] or replied or named or service)


def units(text: str) -> int:
    """Return the length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2
