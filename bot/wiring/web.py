"""The web server in the running service: where it stands, and what it is handed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bot.config import Settings
from bot.ports.recount import PublishedSettlement
from bot.ports.signing import SigningDesk
from bot.ports.statements import StatementDesk
from bot.ports.transparency import PublicLog
from bot.ports.verdicts import VerdictDesk
from bot.wiring.platforms import Doors, Platforms


def base_url_of(settings: Settings) -> str:
    """Return what proof links begin with."""
    service = settings.service
    return service.base_url.rstrip("/") or f"http://{service.host}:{service.port}"


@asynccontextmanager
async def open_web(
    settings: Settings,
    doors: Doors,
    platforms: Platforms,
    *,
    signing: SigningDesk,
    log: PublicLog,
    verdicts: VerdictDesk,
    settlement: PublishedSettlement,
    statements: StatementDesk,
    note: str,
) -> AsyncIterator[None]:
    """Serve pages, proofs and the log while the block runs.

    Args:
        settings: where to listen.
        doors: the core's.
        platforms: whose webhooks come in here.
        signing: what the signing page asks.
        log: as others see it.
        verdicts: of auditors.
        settlement: what final epochs have published.
        statements: what the page of a creator's statement asks.
        note: said on the chat page; perhaps nothing.
    """
    from adapters.web.server import WebServer

    service = settings.service
    web = WebServer(
        inbox=doors.inbox,
        proofs=doors.proofs,
        signing=signing,
        host=service.host,
        port=service.port,
        allowed_hosts=[urlsplit(doors.base_url).hostname or service.host],
        routes=platforms.routes,
        note=note,
        log=log,
        verdicts=verdicts,
        settlement=settlement,
        statements=statements,
        credit=doors.credit,
    )
    await web.start()
    try:
        yield
    finally:
        await web.stop()
