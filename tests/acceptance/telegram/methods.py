"""The methods of the Bot API that are served here, with the rules that stand in prose only."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.telegram.more_methods import ApiError, MoreMethods, as_sender
from tests.acceptance.telegram.world import BotSide, ChatSide, Json, World, units

MAX_TEXT, MAX_ENTITIES, MAX_DATA, MAX_ANSWER, MAX_BUTTONS = 4096, 100, 64, 200, 100
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


class Methods:
    """Carries out calls in a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._table: dict[str, Callable[[BotSide, Json], Awaitable[Any]]] = {
            "getMe": self._get_me,
            "getUpdates": self._get_updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "getWebhookInfo": self._get_webhook_info,
            "setMyCommands": self._set_my_commands,
            "getMyCommands": self._get_my_commands,
            "sendMessage": self._send_message,
            "sendMessageDraft": self._send_message_draft,
            "sendChatAction": self._send_chat_action,
            "editMessageText": self._edit_message_text,
            "editMessageReplyMarkup": self._edit_message_reply_markup,
            "answerCallbackQuery": self._answer_callback_query,
        }
        self._more = MoreMethods(world, self.chat_of)

    async def call(self, bot: BotSide, method: str, values: Json) -> Any:  # noqa: ANN401 - JSON
        """Carry out one call, or raise what the platform would answer."""
        if method in self._table:
            return await self._table[method](bot, values)
        if method in self._more.table:
            return await self._more.table[method](bot, values)
        raise ApiError(404, "Not Found")

    async def _get_me(self, bot: BotSide, _values: Json) -> Json:
        return bot.user

    async def _get_updates(self, bot: BotSide, values: Json) -> list[Json]:
        if bot.webhook:
            raise ApiError(
                409, "can't use getUpdates method while webhook is active; use deleteWebhook"
            )
        bot.polls += 1
        mine = bot.polls
        bot.news.set()  # whoever polls already is thrown out
        bot.allowed = tuple(values.get("allowed_updates") or bot.allowed)
        offset = values.get("offset", 0)
        bot.updates = [update for update in bot.updates if update["update_id"] >= offset]
        try:
            async with asyncio.timeout(values.get("timeout", 0)):
                while not bot.updates or bot.polls != mine:
                    if bot.polls != mine:
                        raise ApiError(
                            409,
                            "terminated by other getUpdates request; make sure that only one bot "
                            "instance is running",
                        )
                    bot.news.clear()
                    await bot.news.wait()
        except TimeoutError:
            return []
        return bot.updates[: values.get("limit", 100)]

    async def _set_webhook(self, bot: BotSide, values: Json) -> bool:
        if values["url"] and urlsplit(values["url"]).scheme != "https":
            raise ApiError(400, "bad webhook: An HTTPS URL must be provided for webhook")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", values.get("secret_token", "")):
            raise ApiError(400, "secret token contains unallowed characters")
        bot.webhook = values if values["url"] else {}
        bot.allowed = tuple(values.get("allowed_updates") or bot.allowed)
        return True

    async def _delete_webhook(self, bot: BotSide, values: Json) -> bool:
        bot.webhook = {}
        if values.get("drop_pending_updates"):
            bot.updates = []
        return True

    async def _get_webhook_info(self, bot: BotSide, _values: Json) -> Json:
        return {
            "url": bot.webhook.get("url", ""),
            "has_custom_certificate": False,
            "pending_update_count": len(bot.updates),
        }

    async def _set_my_commands(self, bot: BotSide, values: Json) -> bool:
        for command in values["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", command["command"]):
                raise ApiError(400, "BOT_COMMAND_INVALID")
            if not 1 <= len(command["description"]) <= 256:
                raise ApiError(400, "BOT_COMMAND_DESCRIPTION_INVALID")
        if len(values["commands"]) > 100:
            raise ApiError(400, "BOT_COMMANDS_TOO_MUCH")
        bot.commands[values.get("scope", {"type": "default"})["type"]] = values["commands"]
        return True

    async def _get_my_commands(self, bot: BotSide, values: Json) -> list[Json]:
        return bot.commands.get(values.get("scope", {"type": "default"})["type"], [])

    async def _send_message(self, bot: BotSide, values: Json) -> Json:
        chat = self.chat_of(bot, values["chat_id"])
        content = _content(values)
        topic = values.get("message_thread_id")
        if topic is not None and topic not in chat.topics:
            raise ApiError(400, "message thread not found")
        reply = values.get("reply_parameters")
        if reply is not None and reply["message_id"] in chat.messages:
            replied = chat.messages[reply["message_id"]]
            content["reply_to_message"] = {
                key: value for key, value in replied.items() if key != "reply_to_message"
            }
        elif reply is not None and not reply.get("allow_sending_without_reply"):
            raise ApiError(400, "message to be replied not found")
        chat.drafts.append({"over": True})  # a real message takes the draft away
        keyboard = values.get("reply_markup", {})
        if "inline_keyboard" not in keyboard and keyboard:
            self._more.set_keyboard(bot, chat, keyboard)
        return chat.add(as_sender(bot), content, topic=topic)

    async def _send_message_draft(self, bot: BotSide, values: Json) -> bool:
        chat = self.chat_of(bot, values["chat_id"])
        if chat.type != "private":
            raise ApiError(400, "chat must be a private chat")
        if values["draft_id"] == 0:
            raise ApiError(400, "draft_id must be non-zero")
        if values.get("text"):
            _content(values)
        chat.drafts.append(values)
        return True

    async def _send_chat_action(self, bot: BotSide, values: Json) -> bool:
        self.chat_of(bot, values["chat_id"]).actions.append(values["action"])
        return True

    async def _edit_message_text(self, bot: BotSide, values: Json) -> Json:
        message = self._own_message(bot, values)
        return _edit(message, _content(values))

    async def _edit_message_reply_markup(self, bot: BotSide, values: Json) -> Json:
        message = self._own_message(bot, values)
        content = {key: message[key] for key in ("text", "entities") if key in message}
        return _edit(message, content | _markup(values))

    async def _answer_callback_query(self, bot: BotSide, values: Json) -> bool:
        if values["callback_query_id"] not in bot.queries:
            raise ApiError(
                400, "query is too old and response timeout expired or query ID is invalid"
            )
        if len(values.get("text", "")) > MAX_ANSWER:
            raise ApiError(400, "MESSAGE_TOO_LONG")
        bot.queries.discard(values["callback_query_id"])
        self._world.answers.append(values)
        return True

    def _own_message(self, bot: BotSide, values: Json) -> Json:
        chat = self.chat_of(bot, values["chat_id"])
        message = chat.messages.get(values["message_id"])
        if message is None:
            raise ApiError(400, "message to edit not found")
        if message["from"]["id"] != bot.id:
            raise ApiError(400, "message can't be edited")
        return message

    def chat_of(self, bot: BotSide, number: object) -> ChatSide:
        """Return a chat that this bot may write to."""
        if not isinstance(number, int) or isinstance(number, bool):
            raise ApiError(400, "chat not found")
        if number in self._world.groups:
            group = self._world.groups[number]
            if group.moved_to:
                description = "group chat was upgraded to a supergroup chat"
                raise ApiError(400, description, migrate_to_chat_id=group.moved_to)
            if bot.id not in group.members:
                raise ApiError(403, "bot is not a member of the supergroup chat")
            if bot.id in group.kicked:
                raise ApiError(403, "bot was kicked from the supergroup chat")
            return group
        if number not in self._world.fans:
            raise ApiError(400, "chat not found")
        if self._world.fans[number]["is_bot"]:
            raise ApiError(403, "bot can't send messages to bots")
        chat = self._world.privates.get((bot.id, number))
        if chat is None:
            raise ApiError(403, "bot can't initiate conversation with a user")
        if bot.id in chat.kicked:
            raise ApiError(403, "bot was blocked by the user")
        return chat


def _content(values: Json) -> Json:
    """Check a text with its entities and buttons."""
    text, entities = values["text"].rstrip(), values.get("entities", [])
    if not text.strip():
        raise ApiError(400, "message text is empty")
    if units(text) > MAX_TEXT:
        raise ApiError(400, "message is too long")
    encoded = text.encode("utf-16-le")
    for entity in entities:
        start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
        if not 0 <= start < end <= len(encoded):
            raise ApiError(400, "ENTITY_BOUNDS_INVALID")
        try:
            encoded[start:end].decode("utf-16-le")
        except UnicodeDecodeError:
            raise ApiError(400, "ENTITY_BOUNDS_INVALID") from None
    kept = {"entities": entities[:MAX_ENTITIES]} if entities else {}  # more are ignored
    return {"text": text} | kept | _markup(values)


def _markup(values: Json) -> Json:
    markup = values.get("reply_markup")
    if markup is None or "inline_keyboard" not in markup:
        return {}  # other keyboards stand in no message
    if not markup["inline_keyboard"]:
        return {}
    buttons = [button for row in markup["inline_keyboard"] for button in row]
    if len(buttons) > MAX_BUTTONS:
        raise ApiError(400, "REPLY_MARKUP_TOO_LONG")
    for button in buttons:
        if len(button.keys() - {"text", "icon_custom_emoji_id", "style"}) != 1:
            raise ApiError(400, "Text buttons are unallowed in the inline keyboard")
        if not 1 <= len(button.get("callback_data", "x").encode()) <= MAX_DATA:
            raise ApiError(400, "BUTTON_DATA_INVALID")
        address = button.get("url", "https://t.me/")
        parts = urlsplit(address)
        named = parts.hostname is not None and "." in parts.hostname
        if parts.scheme not in {"http", "https", "tg"} or not (named or parts.scheme == "tg"):
            wrong = f"inline keyboard button URL '{address}' is invalid: Wrong HTTP URL"
            raise ApiError(400, wrong)
    return {"reply_markup": markup}


def _edit(message: Json, content: Json) -> Json:
    old = {key: message[key] for key in ("text", "entities", "reply_markup") if key in message}
    if old == content:
        raise ApiError(400, NOT_MODIFIED)
    for key in old:
        del message[key]
    message.update(content)
    message["edit_date"] = message["date"]
    return message
