"""What a service publishes for recounts, over HTTP: bounded, and nothing is believed."""

import json

import aiohttp

from bot.crypto.eip712 import parse_address
from bot.crypto.errors import FormatError
from bot.crypto.json_depth import is_deeper
from bot.domain.errors import TransientError
from bot.domain.ids import derive_twin_id
from bot.domain.twin_log import ENTRY_BYTES, MAX_ENTRIES
from bot.ports.recount import PublishedSettlement

TIMEOUT_S = 60.0
MAX_PUBLICATION_BYTES = 32 * 1024 * 1024
MAX_CARDS_BYTES = 4 * 1024 * 1024
_MAX_DEPTH = 16
_NOT_FOUND, _GONE = 404, 410


class HttpSettlement(PublishedSettlement):
    """A service by its address, such as `https://twins.example.org`."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base.rstrip("/")

    async def publication(self, epoch: int | None) -> bytes | None:
        """Fetch what a final epoch has published."""
        number = "latest" if epoch is None else str(epoch)
        return await self._fetch(f"settlement/epochs/{number}", MAX_PUBLICATION_BYTES)

    async def twin_log(self, twin: bytes, entries: int | None) -> bytes | None:
        """Fetch a twin log's first entries; no more than were asked for are read."""
        limit = MAX_ENTRIES if entries is None else entries
        query = "" if entries is None else f"?entries={entries}"
        return await self._fetch(f"settlement/twins/{twin.hex()}/log{query}", limit * ENTRY_BYTES)

    async def find_twin(self, slug: str) -> bytes | None:
        """Look a live twin's name up: its id follows from its creator's address."""
        data = await self._fetch("api/twins", MAX_CARDS_BYTES)
        try:
            if data is None or is_deeper(data, _MAX_DEPTH):
                return None
            for card in json.loads(data)["twins"]:
                if card["slug"] == slug:
                    return derive_twin_id(parse_address(card["creator"]), slug)
        except (ValueError, TypeError, LookupError, FormatError, AttributeError):
            return None
        return None

    async def _fetch(self, path: str, limit: int) -> bytes | None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with self._session.get(f"{self._base}/{path}", timeout=timeout) as answer:
                if answer.status in {_NOT_FOUND, _GONE}:
                    return None
                answer.raise_for_status()
                data = b""
                async for part in answer.content.iter_chunked(65_536):
                    data += part
                    if len(data) > limit:
                        raise ValueError(f"it sends more than {limit} bytes")  # noqa: TRY301
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or "it took too long"
            raise TransientError(f"The service at {self._base} can't be read: {reason}.") from error
        return data
