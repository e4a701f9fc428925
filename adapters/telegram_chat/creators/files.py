"""Files that creators send: looked at before they are fetched."""

from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat.creators import words
from adapters.telegram_chat.events import PHOTO_NAME, Attached
from adapters.telegram_chat.mapping import Failure
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import UserError
from bot.ports.creators import CardFile

CARD_BYTES = 8 * 1024 * 1024
PICTURE_BYTES = 256 * 1024
_CARDS = (".json", ".png")
_PICTURES = (".png", ".jpg", ".jpeg")


class Files:
    """Fetches what creators send to one bot."""

    def __init__(self, *, bot: ExtBot[Any], sender: Sender) -> None:
        self._bot = bot
        self._sender = sender

    async def card(self, file: Attached | None) -> CardFile:
        """Fetch a card.

        Raises:
            UserError: it is none, too big, or could not be fetched.
        """
        if file is None:
            raise UserError(words.WANTS_CARD)
        if file.name == PHOTO_NAME:
            raise UserError(words.WANTS_CARD_FILE)
        if not file.name.lower().endswith(_CARDS):
            raise UserError(words.WANTS_CARD)
        return CardFile(file.name, await self._fetch(file, CARD_BYTES))

    async def picture(self, file: Attached | None) -> bytes:
        """Fetch a picture; raises as `card` does."""
        if file is None or not file.name.lower().endswith(_PICTURES):
            raise UserError(words.WANTS_PICTURE)
        return await self._fetch(file, PICTURE_BYTES)

    async def _fetch(self, file: Attached, limit_bytes: int) -> bytes:
        if file.size > limit_bytes:
            raise UserError(words.too_big(limit_bytes))
        told = await self._sender.attempt("getFile", lambda: self._bot.get_file(file.file_id))
        if isinstance(told, Failure):
            raise UserError(words.NOT_FETCHED)
        if (told.file_size or 0) > limit_bytes:
            raise UserError(words.too_big(limit_bytes))
        data = await self._sender.attempt("file", told.download_as_bytearray)
        if isinstance(data, Failure):
            raise UserError(words.NOT_FETCHED)
        if len(data) > limit_bytes:
            raise UserError(words.too_big(limit_bytes))
        return bytes(data)
