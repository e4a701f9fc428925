"""More methods of the Bot API: files, deletions, members, profiles, and bots that bots manage."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.acceptance.telegram.world import TIME, BotSide, ChatSide, Json, World

DELETABLE_S = 48 * 3600
MAX_DOWNLOAD = 20 * 1024 * 1024
MAX_CAPTION = 1024
PROFILE = {"name": 64, "description": 512, "short_description": 120}


class ApiError(Exception):
    """An answer with `ok: false`."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        names = {400: "Bad Request: ", 403: "Forbidden: ", 409: "Conflict: "}
        self.code = code
        self.description = names.get(code, "") + description
        self.parameters = parameters


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a request."""

    name: str
    data: bytes


class MoreMethods:
    """Carries out calls in a world; `chat_of` finds a chat that a bot may write to."""

    def __init__(self, world: World, chat_of: Callable[[BotSide, object], ChatSide]) -> None:
        self._world = world
        self._chat_of = chat_of
        self.table: dict[str, Callable[[BotSide, Json], Awaitable[Any]]] = {
            "deleteMessage": self._delete_message,
            "sendDocument": self._send_document,
            "getFile": self._get_file,
            "getChatMember": self._get_chat_member,
            "getManagedBotToken": self._get_managed_bot_token,
            "setMyName": self._set_profile,
            "setMyDescription": self._set_profile,
            "setMyShortDescription": self._set_profile,
        }

    def set_keyboard(self, bot: BotSide, chat: ChatSide, markup: Json) -> None:
        """Show or remove a keyboard below the fan's input."""
        if markup.get("remove_keyboard"):
            chat.keyboard = None
            return
        buttons = [button for row in markup.get("keyboard", []) for button in row]
        for button in buttons:
            request = button.get("request_managed_bot")
            if request is None:
                continue
            if chat.type != "private" or not bot.user["can_manage_bots"]:
                raise ApiError(400, "BOT_MANAGEMENT_NOT_ALLOWED")
            suggested = request.get("suggested_username", "")
            if suggested and not re.fullmatch(r"[A-Za-z]\w{1,28}bot", suggested, re.ASCII):
                raise ApiError(400, "USERNAME_INVALID")
            if len(request.get("suggested_name", "")) > PROFILE["name"]:
                raise ApiError(400, "NAME_INVALID")
        chat.keyboard = markup

    async def _delete_message(self, bot: BotSide, values: Json) -> bool:
        chat = self._chat_of(bot, values["chat_id"])
        message = chat.messages.get(values["message_id"])
        if message is None:
            raise ApiError(400, "message to delete not found")
        ours = message["from"]["id"] == bot.id
        if TIME - message["date"] > DELETABLE_S or not (ours or chat.type == "private"):
            raise ApiError(400, "message can't be deleted for everyone")
        del chat.messages[values["message_id"]]
        return True

    async def _send_document(self, bot: BotSide, values: Json) -> Json:
        chat = self._chat_of(bot, values["chat_id"])
        upload = values["document"]
        if not isinstance(upload, Upload):
            raise ApiError(400, "wrong file identifier/HTTP URL specified")
        if not upload.data:
            raise ApiError(400, "file must be non-empty")
        if len(values.get("caption", "")) > MAX_CAPTION:
            raise ApiError(400, "message caption is too long")
        number = f"file{len(self._world.files)}"
        self._world.files[number] = upload.data
        document = {"file_id": number, "file_unique_id": number, "file_name": upload.name}
        caption = {"caption": values["caption"]} if values.get("caption") else {}
        return chat.add(as_sender(bot), {"document": document} | caption)

    async def _get_file(self, _bot: BotSide, values: Json) -> Json:
        number = values["file_id"]
        data = self._world.files.get(number)
        if data is None:
            raise ApiError(400, "invalid file_id")
        if len(data) > MAX_DOWNLOAD:
            raise ApiError(400, "file is too big")
        told = {"file_id": number, "file_unique_id": number, "file_size": len(data)}
        return told | {"file_path": f"documents/{number}"}

    async def _get_chat_member(self, bot: BotSide, values: Json) -> Json:
        chat = self._chat_of(bot, values["chat_id"])
        number = values["user_id"]
        if chat.hides_members:
            raise ApiError(400, "CHAT_ADMIN_REQUIRED")
        if number not in self._world.fans:
            raise ApiError(400, "user not found")
        user = self._world.fans[number]
        if number not in chat.members:
            return {"status": "left", "user": user}
        if number in chat.admins:
            return {"status": "creator", "user": user, "is_anonymous": False}
        return {"status": "member", "user": user}

    async def _get_managed_bot_token(self, bot: BotSide, values: Json) -> str:
        for made in self._world.bots.values():
            if made.id == values["user_id"] and made.manager == bot.id:
                return made.token
        raise ApiError(400, "BOT_INVALID")

    async def _set_profile(self, bot: BotSide, values: Json) -> bool:
        for key, limit in PROFILE.items():
            if len(values.get(key, "")) > limit:
                raise ApiError(400, f"{key} is too long")
            if key in values:
                bot.profile[key] = values[key]
        return True


def as_sender(bot: BotSide) -> Json:
    """Return a bot as it stands in a message."""
    return {key: bot.user[key] for key in ("id", "is_bot", "first_name", "username")}
