"""The local platform: world, gateway and HTTP API behind one loopback port."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from tests.acceptance.discord.files import Files
from tests.acceptance.discord.gateway import Gateway
from tests.acceptance.discord.hooks import Hooks
from tests.acceptance.discord.people import People
from tests.acceptance.discord.rest import Rest
from tests.acceptance.discord.store import Store
from tests.acceptance.discord.world import World


class Platform:
    """A Discord of our own; start it, point a client at it, act as its people."""

    def __init__(self) -> None:
        self.world = World()
        self.gateway = Gateway(self.world)
        self.rest = Rest(self.world, self.gateway)
        self.files = Files(self.world)
        self.hooks = Hooks(self.world, self.gateway, self.files)
        self.people = People(self.world, self.gateway, self.files)
        self.store = Store(self.world, self.gateway)
        self._runner: web.AppRunner | None = None
        self.api_base = ""

    async def start(self) -> None:
        """Listen on a free port of loopback."""
        app = web.Application(middlewares=[self.rest.guard])
        app.add_routes([web.get("/gateway/", self.gateway.handle)])
        app.add_routes(self.hooks.routes())
        app.add_routes(self.rest.routes())
        app.add_routes(self.files.routes())
        app.add_routes(self.store.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.files.base = f"http://127.0.0.1:{port}"
        self.api_base = f"http://127.0.0.1:{port}/api/v10"
        self.gateway.url = f"ws://127.0.0.1:{port}/gateway/"

    async def stop(self) -> None:
        """Close all connections."""
        await self.gateway.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    def requests(self, method: str, part: str) -> int:
        """Count requests by method and a part of the path."""
        return sum(verb == method and part in path for verb, path, _, _ in self.rest.log)

    def complaints(self) -> list[str]:
        """Return what was sent against the descriptions, in either direction, or too late."""
        late = [f"{self.hooks.late} acknowledged too late"] if self.hooks.late else []
        return self.rest.breaches + [str(error) for error in self.gateway.errors] + late


async def until(condition: Callable[[], object], *, within_s: float = 15) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  no event for it
            await asyncio.sleep(0.02)
