"""The web server of a witness: one address to submit heads to, and one page that says who it is."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from bot.crypto.add_checkpoint import MAX_REQUEST_BYTES, SIZE_TYPE
from bot.crypto.encoding import parse_hex
from bot.domain.errors import BotError, ConfigurationError, InvariantError
from bot.ports.witness import WitnessDesk

_HASH_BYTES = 32
_CONFLICT, _UNAVAILABLE = 409, 503
_DRAIN_S = 5.0
_READ_S = 20.0
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_log = structlog.get_logger("witness")


class WitnessServer:
    """Serves one witness on one address; port 0 takes a free one."""

    def __init__(self, *, desk: WitnessDesk, host: str, port: int) -> None:
        self._desk = desk
        self._host = host
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The bound port."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigurationError: the address cannot be bound.
        """
        if self._runner is not None:
            raise InvariantError("the witness runs already")
        app = web.Application(middlewares=[_boundary], client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/add-checkpoint", self._add_checkpoint)
        app.router.add_get("/", self._introduce)
        app.router.add_get("/head/{hash:[0-9a-f]{64}}", self._head)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_S)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise ConfigurationError(
                f"Port {self._port} on {self._host} can't be opened ({error.strerror}): choose "
                "another one with --port."
            ) from error
        self._runner = runner

    async def stop(self) -> None:
        """Stop listening, let running requests end, close; safe to repeat."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _add_checkpoint(self, request: web.Request) -> web.Response:
        async with asyncio.timeout(_READ_S):  # a slow sender holds no place for long
            body = await request.read()
        answer = await self._desk.add_checkpoint(body)
        kind = SIZE_TYPE if answer.status == _CONFLICT else "text/plain"
        charset = None if answer.status == _CONFLICT else "utf-8"
        return web.Response(
            status=answer.status, body=answer.body, content_type=kind, charset=charset
        )

    async def _introduce(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._desk.introduction())

    async def _head(self, request: web.Request) -> web.Response:
        note = await self._desk.head(parse_hex(request.match_info["hash"], _HASH_BYTES))
        if note is None:
            raise web.HTTPNotFound(reason="This witness has promised no head of that log.")
        return web.Response(text=note)


@web.middleware
async def _boundary(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Answer every failure with a status; what went wrong stays here."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        response = web.Response(status=error.status, text=f"{error.reason}\n")
    except (BotError, TimeoutError) as error:
        _log.warning("witness.failed", error=type(error).__name__, reason=str(error))
        response = web.Response(status=_UNAVAILABLE, text="Nothing was signed. Try again later.\n")
    except Exception as error:  # noqa: BLE001 - the boundary of the surface
        _log.exception("witness.failed", error=type(error).__name__)
        response = web.Response(status=500, text="Nothing was signed.\n")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Server"] = "twinproof-witness"
    return response
