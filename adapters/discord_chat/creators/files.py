"""Files that creators attach; their size and kind are judged before a byte is fetched."""

import discord

from adapters.discord_chat.mapping import discord_errors
from bot.domain.errors import UserError
from bot.ports.creators import CardFile

CARD_BYTES = {".json": 1 << 20, ".png": 8 << 20}
PICTURE_BYTES = {".png": 256 << 10, ".jpg": 256 << 10, ".jpeg": 256 << 10}
_MEGA, _KILO = 1 << 20, 1 << 10


async def fetch_card(file: discord.Attachment) -> CardFile:
    """Fetch a character card.

    Raises:
        UserError: it is of another kind, or too large.
        TransientError: Discord does not hand it out now.
    """
    return CardFile(file.filename, await _fetch(file, "card", CARD_BYTES))


async def fetch_picture(file: discord.Attachment) -> bytes:
    """Fetch a picture.

    Raises:
        UserError: it is of another kind, or too large.
        TransientError: Discord does not hand it out now.
    """
    return await _fetch(file, "picture", PICTURE_BYTES)


async def _fetch(file: discord.Attachment, what: str, allowed: dict[str, int]) -> bytes:
    ending = "." + file.filename.rpartition(".")[2].casefold()
    if ending not in allowed:
        kinds = " or ".join(kind[1:].upper() for kind in allowed if kind != ".jpeg")
        raise UserError(f"A {what} must be a {kinds} file; this is {_name(file)}.")
    if not 0 < file.size <= allowed[ending]:
        raise UserError(f"A {what} of this kind may have at most {_size(allowed[ending])}.")
    with discord_errors():
        data = await file.read()
    if len(data) > allowed[ending]:
        raise UserError(f"A {what} of this kind may have at most {_size(allowed[ending])}.")
    return data


def _name(file: discord.Attachment) -> str:
    return discord.utils.escape_markdown(file.filename[:80])


def _size(limit: int) -> str:
    return f"{limit // _MEGA} MiB" if limit >= _MEGA else f"{limit // _KILO} KiB"
