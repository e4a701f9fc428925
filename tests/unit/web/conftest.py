"""A running server over fakes, and a client that speaks to it as the page does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from adapters.web.server import WebServer
from tests.fakes.chat import MemoryInbox, MemoryProofs

FAN = "fan-0123456789abcdef"


@dataclass(slots=True)
class Site:
    """A server, its fakes and a client."""

    server: WebServer
    inbox: MemoryInbox
    proofs: MemoryProofs
    client: aiohttp.ClientSession

    def post(
        self, text: str = "Hello", *, message: str = "id-0123456789abcdef", **changes: object
    ) -> "aiohttp.client._RequestContextManager":
        """Send a message as the page does."""
        body = {"twin": "nova", "fan": FAN, "id": message, "text": text} | changes
        return self.client.post("/api/talk", json=body)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    inbox, proofs = MemoryInbox(), MemoryProofs()
    server = WebServer(inbox=inbox, proofs=proofs, host="127.0.0.1", port=0)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield Site(server, inbox, proofs, client)
    await server.stop()
