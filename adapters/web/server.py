"""The local web server: chat, proof and signing page, bundles, checkpoint, pictures, health."""

import errno
import logging
from collections.abc import Iterable

import structlog
from aiohttp import web

from adapters.web.assets import Page, load_page, load_picture
from adapters.web.avatars import Avatars
from adapters.web.guard import Guard, add_headers
from adapters.web.log import LogRoutes
from adapters.web.reads import ChatReads, ProofReads, tagged_response
from adapters.web.settlement import SettlementRoutes
from adapters.web.signing import SigningRoutes
from adapters.web.statement import StatementRoutes
from adapters.web.talk import MAX_BODY_BYTES, Talk
from adapters.web.verdicts import VerdictRoutes
from bot.domain.errors import ConfigurationError, InvariantError
from bot.ports.chat import ChatInbox
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.ports.recount import PublishedSettlement
from bot.ports.signing import SigningDesk
from bot.ports.statements import StatementDesk
from bot.ports.transparency import PublicLog
from bot.ports.verdicts import VerdictDesk

_DRAIN_S = 10.0
_log = structlog.get_logger("web")


class WebServer:
    """Serves the pages and their data on one address.

    Args:
        inbox: the core's door for chat surfaces.
        proofs: bundles and checkpoint.
        signing: the core's door for the signing page; without it there is none.
        log: tiles and cosigned checkpoint of the log; without it the checkpoint of `proofs` alone.
        verdicts: of auditors; without it none are taken in and none given out.
        settlement: what final epochs have published; without it nothing is.
        statements: the core's door for creators' statements; without it there is no page.
        host: address to bind; the default configuration is 127.0.0.1.
        port: TCP port; 0 takes a free one.
        allowed_hosts: names under which a reverse proxy forwards chat requests, beside `host` and
            the loopback names.
        routes: further routes on the same address.
        note: one sentence for the chat page; empty for none.
    """

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        proofs: ProofSource,
        signing: SigningDesk | None = None,
        log: PublicLog | None = None,
        verdicts: VerdictDesk | None = None,
        settlement: PublishedSettlement | None = None,
        statements: StatementDesk | None = None,
        host: str,
        port: int,
        allowed_hosts: Iterable[str] = (),
        routes: Iterable[web.RouteDef] = (),
        note: str = "",
        credit: FanCredit | None = None,
    ) -> None:
        self._host = host
        self._port = port
        self._inbox = inbox
        self._proofs = proofs
        self._signing = signing
        self._public_log = log
        self._verdicts = verdicts
        self._settlement = settlement
        self._statements = statements
        self._routes = tuple(routes)
        self._note = note
        self._credit = credit
        self._guard = Guard(host=host, allowed_hosts=allowed_hosts)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The bound port; differs from the wanted one only where that was 0."""
        addresses = self._runner.addresses if self._runner else []
        return int(addresses[0][1]) if addresses else self._port

    async def start(self) -> None:
        """Bind and serve.

        Raises:
            ConfigurationError: the address cannot be bound.
        """
        if self._runner is not None:
            raise InvariantError("the web server runs already")
        runner = web.AppRunner(
            self._app(), access_log=None, logger=_http_logger(), shutdown_timeout=_DRAIN_S
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise self._bind_error(error) from error
        self._runner = runner
        _log.info("web.started", host=self._host, port=self.port)

    async def stop(self) -> None:
        """Stop listening, let running replies end for some seconds, close; safe to repeat."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
            _log.info("web.stopped")

    def _bind_error(self, error: OSError) -> ConfigurationError:
        where = f"Port {self._port} on {self._host}"
        if error.errno == errno.EADDRINUSE:
            return ConfigurationError(
                f"{where} is in use: stop the other program or choose another port with --port."
            )
        return ConfigurationError(f"{where} cannot be opened: {error.strerror}.")

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard.middleware], client_max_size=MAX_BODY_BYTES)
        app.on_response_prepare.append(add_headers)
        chat, proofs = ChatReads(self._inbox, self._note), ProofReads(self._proofs)
        talk = Talk(self._inbox, self._credit)
        app.router.add_get("/", _PageRoute(load_page("chat.html", embeds_proofs=True)).handle)
        app.router.add_get("/api/twins", chat.twins)
        app.router.add_get("/api/history", chat.history)
        app.router.add_post("/api/talk", talk.handle)
        app.router.add_get("/api/earnings", chat.earnings)
        app.router.add_get("/r/{id:[^/]{1,64}}.json", proofs.bundle)
        proof_page = _PageRoute(load_page("proof.html", embeddable=True))
        app.router.add_get("/r/{id:[A-Za-z0-9_-]{22}}", proof_page.handle)
        app.router.add_get("/card.png", _CardRoute(load_picture("card.png")).handle)
        if self._public_log is None:
            app.router.add_get("/log/checkpoint", proofs.checkpoint)
        else:
            app.router.add_routes(LogRoutes(self._public_log).routes())
        if self._verdicts is not None:
            app.router.add_routes(VerdictRoutes(self._verdicts).routes())
        if self._settlement is not None:
            app.router.add_routes(SettlementRoutes(self._settlement).routes())
        if self._statements is not None:
            app.router.add_routes(StatementRoutes(self._statements).routes())
        app.router.add_get("/healthz", _health)
        app.router.add_routes(Avatars(self._inbox).routes())
        if self._signing is not None:
            app.router.add_routes(SigningRoutes(self._signing).routes())
        app.router.add_routes(self._routes)
        return app


class _PageRoute:
    """Serves one page from memory."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one GET."""
        page = self._page
        response = tagged_response(request, page.body, content_type="text/html", etag=page.etag)
        response.headers["Content-Security-Policy"] = page.policy
        response.headers["X-Frame-Options"] = page.framing
        return response


class _CardRoute:
    """Serves the picture that link previews show of every proof alike: it says nothing of any."""

    def __init__(self, picture: bytes) -> None:
        self._picture = picture

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one GET."""
        response = tagged_response(request, self._picture, content_type="image/png", charset=None)
        response.headers["Cache-Control"] = "public, max-age=86400"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response


class _WithoutRequests(logging.Filter):
    """Takes out of a library's line what stood in a malformed request: it may hold a secret."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let the line through without its trace, which quotes the request."""
        record.exc_info = record.exc_text = None
        return True


def _http_logger() -> logging.Logger:
    logger = logging.getLogger("twinproof.http")
    if not logger.filters:
        logger.addFilter(_WithoutRequests())
    return logger


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
