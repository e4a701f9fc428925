"""One HTTP client for all bots: each of its own would cost a TLS context and a pool for each.

The library's own client spends more on a call than everything else on the way of a message, and
searches all connections whenever one is asked for. This one is aiohttp's, which serves our web
pages as well. Addresses hold the token, so no error of the HTTP library leaves this module.
"""

from typing import Any

import aiohttp
from telegram.error import TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

from adapters.telegram_chat.mapping import BrokenOffError, NotSentError

ANSWER_BYTES = 24 * 1024 * 1024  # the platform gives out files of up to 20 MB
UPLOAD_S = 20.0  # beside the time for an answer
KEPT_S = 15.0  # an idle connection; shorter than servers keep theirs
NAMES_KEPT_S = 300
_FORM = "application/x-www-form-urlencoded"


class SharedRequest(BaseRequest):
    """The HTTP client, shared; a bot that starts or stops does not touch it.

    The owner calls `open` and `close`. Calls wait for a connection in their order.
    """

    __slots__ = ("_answer_s", "_connections", "_session")

    def __init__(self, *, connections: int, answer_s: float) -> None:
        self._connections = connections
        self._answer_s = answer_s
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float | None:
        """How long an answer may take."""
        return self._answer_s

    async def initialize(self) -> None:
        """Nothing: a bot has no client of its own."""

    async def shutdown(self) -> None:
        """Nothing: the others go on."""

    async def open(self) -> None:
        """Make calls possible, also after `close`."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._connections,
                    keepalive_timeout=KEPT_S,
                    ttl_dns_cache=NAMES_KEPT_S,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self.USER_AGENT},
            )

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def do_request(  # noqa: PLR0917 - the library's signature
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401 - the library's type
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401 - the same
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401 - the same
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ANN401 - the same
    ) -> tuple[int, bytes]:
        """Make one call.

        Raises:
            NotSentError: nothing has reached the platform.
            TimedOut: no answer in time; it may have been carried out.
            BrokenOffError: the connection broke, or the answer is too long; the same.
        """
        if self._session is None:
            raise NotSentError("the client is closed")
        waits = aiohttp.ClientTimeout(
            total=_total(read_timeout, write_timeout, self._answer_s),
            connect=_either(connect_timeout, self._answer_s) + _either(pool_timeout, 0.0),
            sock_read=_either(read_timeout, self._answer_s),
        )
        data, headers = _encode(request_data)
        try:
            async with self._session.request(
                method,
                url,
                data=data,
                headers=headers,
                timeout=waits,
                allow_redirects=False,
            ) as response:
                return response.status, await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _translate(error) from None


def _translate(error: Exception) -> TelegramError:
    """Say in the library's terms what went wrong; the HTTP library's words can hold the token."""
    name = type(error).__name__
    match error:
        case (
            aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError() | aiohttp.InvalidURL()
        ):
            return NotSentError(name)
        case TimeoutError():
            return TimedOut(name)
        case _:
            return BrokenOffError(name)


def _encode(request_data: RequestData | None) -> tuple[bytes | aiohttp.FormData | None, Any]:
    """Return the body and the headers that it needs."""
    if request_data is None:
        return None, None
    if not request_data.contains_files:
        return request_data.url_encoded_parameters().encode(), {"Content-Type": _FORM}
    form = aiohttp.FormData(quote_fields=False)  # names as they are, not as in addresses
    for name, value in request_data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, kind) in request_data.multipart_data.items():
        form.add_field(name, content, filename=filename, content_type=kind)
    return form, None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks = []
    room = ANSWER_BYTES
    while chunk := await response.content.readany():
        chunks.append(chunk)
        room -= len(chunk)
        if room < 0:
            raise BrokenOffError("the answer is too long")
    return b"".join(chunks)


def _total(read_timeout: Any, write_timeout: Any, answer_s: float) -> float:  # noqa: ANN401
    """Return how long a whole call may take; without it a body that nobody reads would wait."""
    write_s = _either(write_timeout, UPLOAD_S)
    return answer_s + write_s + _either(read_timeout, answer_s)


def _either(given: Any, default: float) -> float:  # noqa: ANN401 - the library's type
    """Return a wait that the library was given, else ours."""
    return float(given) if isinstance(given, int | float) else default
