"""One HTTP client for all bots: each of its own would cost a TLS context and a pool for each."""

from typing import Any

from telegram.request import BaseRequest, HTTPXRequest, RequestData


class SharedRequest(BaseRequest):
    """The library's HTTP client, shared; a bot that starts or stops does not touch it.

    The owner calls `open` and `close`.
    """

    __slots__ = ("_inner",)

    def __init__(self, *, connections: int, answer_s: float) -> None:
        self._inner = HTTPXRequest(
            connection_pool_size=connections,
            read_timeout=answer_s,
            write_timeout=answer_s,
            connect_timeout=answer_s,
            pool_timeout=answer_s,
        )

    @property
    def read_timeout(self) -> float | None:
        """How long an answer may take."""
        return self._inner.read_timeout

    async def initialize(self) -> None:
        """Nothing: a bot has no client of its own."""

    async def shutdown(self) -> None:
        """Nothing: the others go on."""

    async def open(self) -> None:
        """Make calls possible, also after `close`."""
        await self._inner.initialize()

    async def close(self) -> None:
        """Close all connections."""
        await self._inner.shutdown()

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
        """Make one call."""
        return await self._inner.do_request(
            url,
            method,
            request_data,
            read_timeout,
            write_timeout,
            connect_timeout,
            pool_timeout,
        )
