"""Logs and witnesses of others over HTTP: bounded in time and size, and nothing is believed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from bot.crypto.cosignature import WitnessKey
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.crypto.tiles import TILE_WIDTH, Tile, encode_bundle, parse_bundle
from bot.domain.errors import TransientError
from bot.ports.monitor import RemoteLog
from bot.ports.transparency import WitnessAnswer, WitnessPeer

FETCH_TIMEOUT_S, ASK_TIMEOUT_S = 30.0, 10.0
MAX_NOTE_BYTES = 65_536
MAX_ANSWER_BYTES = 16_384
MAX_BUNDLE_BYTES = 16 * 1024 * 1024
AT_ONCE = 8
HASH_BYTES, BODY_PREFIX_BYTES = 32, 4
_OK, _NOT_FOUND, _GONE = 200, 404, 410


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open what the clients here share: few connections, no cookies, no proxies' environment."""
    connector = aiohttp.TCPConnector(limit_per_host=AT_ONCE)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session:
        yield session


class HttpLog(RemoteLog):
    """A log by its prefix, such as `https://twins.example.org/log`."""

    def __init__(self, session: aiohttp.ClientSession, prefix: str) -> None:
        self._session = session
        self._prefix = prefix.rstrip("/")

    async def checkpoint(self) -> str | None:
        """Fetch the newest checkpoint."""
        data = await self._fetch("checkpoint", MAX_NOTE_BYTES)
        return None if data is None else data.decode("utf-8", "replace")

    async def tile(self, tile: Tile) -> bytes | None:
        """Fetch a tile of hashes, or the full one where the partial one is gone."""
        data, is_full = await self._either(f"tile/{tile.level}", tile, TILE_WIDTH * HASH_BYTES)
        return data[: tile.width * HASH_BYTES] if data and is_full else data

    async def entries(self, tile: Tile) -> bytes | None:
        """Fetch a bundle of leaves."""
        data, is_full = await self._either("tile/entries", tile, MAX_BUNDLE_BYTES)
        return _cut(data, tile.width, 2) if is_full else data

    async def bodies(self, tile: Tile) -> bytes | None:
        """Fetch a bundle of what leaves cite."""
        data, is_full = await self._either("bodies", tile, MAX_BUNDLE_BYTES)
        return _cut(data, tile.width, BODY_PREFIX_BYTES) if is_full else data

    async def seals(self) -> bytes | None:
        """Fetch the seals of the logs that this one continues."""
        return await self._fetch("seals", MAX_NOTE_BYTES)

    async def _either(self, kind: str, tile: Tile, limit: int) -> tuple[bytes | None, bool]:
        """Fetch a partial tile, else the full one; return whether it is the full one instead."""
        data = await self._fetch(f"{kind}/{tile.position}", limit)
        if data is not None or tile.is_full:
            return data, False
        full = Tile(tile.level, tile.index)
        return await self._fetch(f"{kind}/{full.position}", limit), True

    async def _fetch(self, path: str, limit: int) -> bytes | None:
        address = f"{self._prefix}/{path}"
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        try:
            async with self._session.get(address, timeout=timeout) as answer:
                if answer.status in {_NOT_FOUND, _GONE}:
                    return None
                answer.raise_for_status()
                return await _read(answer, limit)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise TransientError(
                f"The log at {self._prefix} can't be read: {_reason(error)}."
            ) from error


class HttpWitness(WitnessPeer):
    """A witness by its submission prefix and its key."""

    def __init__(self, session: aiohttp.ClientSession, prefix: str, key: WitnessKey) -> None:
        self._session = session
        self._prefix = prefix.rstrip("/")
        self._key = key

    @property
    def key(self) -> WitnessKey:
        """Whose cosignatures count."""
        return self._key

    async def ask(self, submission: bytes) -> WitnessAnswer:
        """Offer a head."""
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        try:
            async with self._session.post(
                f"{self._prefix}/add-checkpoint",
                data=submission,
                headers={"Content-Type": "text/plain; charset=utf-8"},
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                return WitnessAnswer(answer.status, await _read(answer, MAX_ANSWER_BYTES))
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise TransientError(
                f"the witness {self._key.name} can't be asked: {_reason(error)}"
            ) from error

    async def head(self, origin: str) -> str | None:
        """Return the newest head that it knows of a log."""
        address = f"{self._prefix}/head/{sha256(origin.encode()).hex()}"
        timeout = aiohttp.ClientTimeout(total=ASK_TIMEOUT_S)
        try:
            async with self._session.get(address, timeout=timeout, allow_redirects=False) as answer:
                if answer.status != _OK:
                    return None
                return (await _read(answer, MAX_NOTE_BYTES)).decode()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise TransientError(
                f"the witness {self._key.name} can't be asked: {_reason(error)}"
            ) from error


def _reason(error: Exception) -> str:
    """Return an error's text; a timeout has none."""
    return str(error) or "it took too long"


async def _read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    data = b""
    async for part in answer.content.iter_chunked(65_536):
        data += part
        if len(data) > limit:
            raise TransientError(f"The host sent more than {limit} bytes.")
    return data


def _cut(data: bytes | None, width: int, prefix_bytes: int) -> bytes | None:
    """Return the first entries of a full bundle."""
    if data is None:
        return None
    try:
        items = parse_bundle(data, TILE_WIDTH, prefix_bytes=prefix_bytes)
    except FormatError:
        return data  # whoever asked finds that out again, and names it
    return encode_bundle(items[:width], prefix_bytes=prefix_bytes)
