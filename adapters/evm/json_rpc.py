"""Plain JSON-RPC over HTTP, for asking a foreign node: bounded, and nothing is believed.

web3 is for writing: it takes more than a second to load, and an outsider who asks four questions
needs none of it.
"""

import json
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from bot.crypto.json_depth import is_deeper
from bot.domain.errors import ChainUnavailableError

TIMEOUT_S = 15.0
MAX_ANSWER_BYTES = 1024 * 1024
MAX_DEPTH = 16
MAX_WORDS = 200
_OK = 200


class RpcRefusedError(ChainUnavailableError):
    """The node answered the question with an error of its own.

    Attributes:
        code: JSON-RPC's; 0 where there is none.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class JsonRpc:
    """One node by its address; a connection is made when it is first asked.

    Attributes:
        name: scheme and host alone: hosted nodes have their customer's secret in path or query.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
        self.name = f"{parts.scheme}://{parts.hostname or ''}{port}"
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._asked = 0

    async def __aenter__(self) -> Self:
        """Open the session."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, params: Sequence[object]) -> Any:  # noqa: ANN401 - JSON-RPC
        """Return a method's `result`, as it came.

        Raises:
            RpcRefusedError: the node answers with an error.
            ChainUnavailableError: it does not answer, or not with JSON-RPC.
        """
        if self._session is None:
            raise ChainUnavailableError(f"{self.name} is not open")
        self._asked += 1
        question = {"jsonrpc": "2.0", "id": self._asked, "method": method, "params": list(params)}
        try:
            async with self._session.post(
                self._url, json=question, allow_redirects=False
            ) as answer:
                data = await _read(answer)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ChainUnavailableError(
                f"The RPC {self.name} can't be reached ({type(error).__name__})."
            ) from error
        values = _parse(data)
        if values is None or values.get("id") != self._asked:
            raise ChainUnavailableError(
                f"The RPC {self.name} does not answer as a node does (HTTP {status})."
            )
        if values.get("error") is not None:
            code = values["error"].get("code") if isinstance(values["error"], dict) else 0
            raise RpcRefusedError(
                f"The RPC {self.name} refuses {method}: {_words(values)}.",
                code if isinstance(code, int) else 0,
            )
        return values.get("result")


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    data = b""
    while len(data) <= MAX_ANSWER_BYTES and (more := await answer.content.read(65_536)):
        data += more
    return data


def _parse(data: bytes) -> dict[str, Any] | None:
    if len(data) > MAX_ANSWER_BYTES or is_deeper(data, MAX_DEPTH):
        return None
    try:
        values = json.loads(data)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _words(values: dict[str, Any]) -> str:
    """Return what a node says is wrong; for a terminal, and short."""
    error = values["error"]
    text = error.get("message") if isinstance(error, dict) else error
    return "".join(char for char in str(text)[:MAX_WORDS] if char.isprintable())
