"""Fetch one large file over https; what was fetched stays when it is cut, and the rest follows.

Nothing about the server is trusted: neither lengths nor ranges nor where it redirects to. What the
file is decides its hash, later.
"""

import asyncio
import ipaddress
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp

from bot.domain.errors import ConfigurationError, TransientError
from bot.domain.printable import printable

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
LATER = frozenset({408, 425, 429})
"""The server asks to be asked again."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 5
CONNECT_S, SILENCE_S = 20.0, 60.0
TRIES, PAUSE_S = 4, 1.0
CHUNK_BYTES = 1024 * 1024
MAGIC = b"GGUF"
SHOWN = 200
"""So many characters of an address are shown."""
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a file that is partly here: its address, its validator, its size."""

    address: str
    validator: str
    size: int | None


class _AnswerError(aiohttp.ClientError):
    """An answer that is worth another try."""


class Download:
    """One file on its way into `part`; `part`.json says of what it is a part."""

    def __init__(
        self,
        address: str,
        part: Path,
        *,
        check_room: Callable[[int], None],
        progress: Callable[[float | None], None],
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            address: https, or http to this machine.
            part: where the file grows.
            check_room: told how many more bytes come; raises where there is no room.
            progress: told the fraction that is here, None where that is not known.

        Raises:
            ConfigurationError: the address is of another kind.
        """
        check_address(address, address)
        self._address = address
        self._part = part
        self._notes = part.with_name(part.name + ".json")
        self._check_room = check_room
        self._progress = progress

    async def fetch(self) -> None:
        """Bring the file here whole.

        Raises:
            ConfigurationError: the server has no such file, or something else than a GGUF, or there
                is no room for it; nothing of it stays.
            TransientError: it was cut; what is here stays, and the next call goes on from there.
                Or the server can't be reached.
        """
        failed = 0
        while True:
            before = self._size()
            try:
                await self._try()
            except ConfigurationError:
                self.discard()
                raise
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                failed = 1 if self._size() > before else failed + 1
                if failed >= TRIES:
                    raise self._given_up(error) from error
                await asyncio.sleep(PAUSE_S)
            else:
                return

    def _given_up(self, error: Exception) -> TransientError:
        reason = _reason(error)
        if here := self._size():
            return TransientError(
                f"The download was cut at {here / 2**20:.0f} MiB ({reason}): run the same command "
                "again, and it goes on from there."
            )
        self.discard()
        what = "can't be reached" if _is_away(error) else "gives nothing of the file"
        return TransientError(f"The server {what} ({reason}): look at the address, or try later.")

    def discard(self) -> None:
        """Forget what is here."""
        for path in (self._part, self._notes):
            with suppress(FileNotFoundError):
                path.unlink()

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def _known(self) -> _Known | None:
        try:
            known = _Known(**json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, TypeError, ValueError):
            return None
        return known if known.address == self._address and known.validator else None

    async def _try(self) -> None:
        """Fetch what is missing, once."""
        known = self._known()
        if known is None:
            self.discard()
        begin = self._size()
        headers = {"Accept-Encoding": "identity"}
        if known is not None and begin:
            headers |= {"Range": f"bytes={begin}-", "If-Range": known.validator}
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_S, sock_read=SILENCE_S)
        async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session:
            answer = await _ask(session, self._address, headers)
            try:
                await self._take(answer, begin, known)
            finally:
                answer.release()

    async def _take(self, answer: aiohttp.ClientResponse, begin: int, known: _Known | None) -> None:
        if answer.status == UNSATISFIABLE and known is not None and known.size == begin:
            return
        begin, size = _extent(answer, begin, known)
        fresh = _Known(self._address, _validator(answer), size)
        self._check_room((size or 0) - begin)
        with self._part.open("ab" if begin else "wb") as file:
            if not begin:
                self._notes.write_text(json.dumps(asdict(fresh)), encoding="utf-8")
            async for chunk in answer.content.iter_chunked(CHUNK_BYTES):
                if not begin and file.tell() == 0 and not MAGIC.startswith(chunk[: len(MAGIC)]):
                    raise ConfigurationError(
                        "What the server sends is no GGUF file: give the file's own address."
                    )
                if size is None:
                    self._check_room(len(chunk))
                elif file.tell() + len(chunk) > size:
                    raise ConfigurationError("The server sends more than it announced.")
                file.write(chunk)
                self._progress(None if size is None else file.tell() / max(1, size))
        if size is not None and self._size() != size:
            raise _AnswerError("another length than announced")


def check_address(address: str, first: str) -> None:
    """Refuse addresses that nothing is fetched from.

    Args:
        address: what is to be asked next.
        first: what the person gave; plain http is for this machine alone, from first to last.

    Raises:
        ConfigurationError: not https, and not http on this machine; or no address at all.
    """
    try:
        parts, begun = urlsplit(address), urlsplit(first)
        _ = parts.port  # looked at only when it is asked for
    except ValueError as error:
        raise _unreadable(address, first) from error
    if parts.username or parts.password:
        raise ConfigurationError("An address with a password in it can't be used.")
    if parts.scheme == "https" and parts.hostname:
        return
    local = parts.scheme == "http" and _is_loopback(parts.hostname)
    if local and begun.scheme == "http" and _is_loopback(begun.hostname):
        return
    lead = "A model" if address == first else "The server redirects to another kind of address: it"
    raise ConfigurationError(f"{lead} can be fetched over https only.")


def _unreadable(address: str, first: str) -> ConfigurationError:
    if address != first:
        return ConfigurationError("The server redirects to something that is no address.")
    return ConfigurationError(f"This is no address: {printable(address)[:SHOWN]}")


def _is_away(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)


def _reason(error: Exception) -> str:
    if isinstance(error, _AnswerError):
        return str(error)
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _is_loopback(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


async def _ask(
    session: aiohttp.ClientSession, address: str, headers: dict[str, str]
) -> aiohttp.ClientResponse:
    """Return the answer to a GET after the redirects, each of which is looked at first."""
    where = address
    for _ in range(MAX_REDIRECTS + 1):
        try:
            answer = await session.get(where, headers=headers, allow_redirects=False)
        except ValueError as error:  # aiohttp is stricter, and so are host names
            raise _unreadable(where, address) from error
        if answer.status not in REDIRECTS:
            return answer
        target = answer.headers.get("Location", "")
        answer.release()
        try:
            where = urljoin(where, target)
        except ValueError as error:
            raise _unreadable(target, address) from error
        check_address(where, address)
    raise ConfigurationError("The server redirects in a circle.")


def _extent(
    answer: aiohttp.ClientResponse, begin: int, known: _Known | None
) -> tuple[int, int | None]:
    """Return where the body begins in the file, and the file's size.

    Raises:
        ConfigurationError: the server has no such file.
        _AnswerError: it has trouble of its own; try again.
    """
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise ConfigurationError("The server sends the file in another form than it was asked for.")
    if answer.status == OK:  # also where it ignores ranges, or has another file by now
        return 0, answer.content_length
    if answer.status == PARTIAL and begin:
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if found is None or int(found[1]) != begin or known is None:
            raise ConfigurationError("The server sends another part of the file than asked for.")
        if known.size not in {None, int(found[3])} or known.validator != _validator(answer):
            raise ConfigurationError("The file on the server has changed: run the command again.")
        return begin, int(found[3])
    if answer.status in LATER or answer.status >= 500:  # noqa: PLR2004 - the server's own trouble
        raise _AnswerError(f"status {answer.status}")
    raise ConfigurationError(f"The server has no such file (status {answer.status}).")


def _validator(answer: aiohttp.ClientResponse) -> str:
    """Return what names this very version of the file; empty: it can't be gone on with."""
    tag = answer.headers.get("ETag", "")
    found = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    return found if found.isascii() else ""  # other bytes can't be sent back as they came
