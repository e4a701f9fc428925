"""A running server over fakes, a client that speaks to it as the page does, and node."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from adapters.web.server import WebServer
from tests.fakes.chat import MemoryInbox, MemoryProofs
from tests.node_project import prepared_project

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

    def history(self, twin: str, fan: str) -> "aiohttp.client._RequestContextManager":
        """Ask for a conversation as the page does."""
        headers = {"X-Twinproof-Fan": fan}
        return self.client.get("/api/history", params={"twin": twin}, headers=headers)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    inbox, proofs = MemoryInbox(), MemoryProofs()
    server = WebServer(inbox=inbox, proofs=proofs, host="127.0.0.1", port=0)
    await server.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as client:
        yield Site(server, inbox, proofs, client)
    await server.stop()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page's sources and their packages."""
    return prepared_project(tmp_path_factory)
