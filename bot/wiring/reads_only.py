"""A service that signs nothing: its log and its proofs are served, and every message is refused.

For a database that was put back from an old copy: what it holds is true, and what was signed after
it is not there, so that anything new might contradict it.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn
from urllib.parse import urlsplit

from bot.config import Settings
from bot.domain.errors import UserError
from bot.ports.chat import (
    ChatInbox,
    IncomingMessage,
    PendingReply,
    ReplyEvent,
    Surface,
)
from bot.ports.views import EarningsLine, HistoryTurn, TwinCard
from bot.settlement.published import PublishedEpochs
from bot.wiring.keys import ServiceKeys
from bot.wiring.own_log import open_log
from bot.wiring.stores import open_stores
from bot.wiring.web import base_url_of

KEYS = "keys"
CLOSED = (
    "This service answers nobody now: its operator has to put its data in order first. Proofs of "
    "earlier replies can be read as before."
)


def _refuse() -> NoReturn:
    raise UserError(CLOSED)


class ClosedInbox(ChatInbox):
    """Refuses whatever would have to be written down."""

    def answer(self, message: IncomingMessage) -> AsyncIterator[ReplyEvent]:
        """Refuse."""
        del message
        _refuse()

    def regenerate(
        self, receipt_id: str, platform: str, fan: str, event_id: str
    ) -> AsyncIterator[ReplyEvent]:
        """Refuse."""
        del receipt_id, platform, fan, event_id
        _refuse()

    async def stop(self, surface: Surface, message_id: str, fan: str, event_id: str) -> bool:
        """Say that nothing is under way."""
        del surface, message_id, fan, event_id
        return False

    async def withdraw(self, surface: Surface, message_id: str) -> list[str]:
        """Refuse."""
        del surface, message_id
        _refuse()

    async def link_of(self, receipt_id: str, platform: str, fan: str) -> str:
        """Refuse."""
        del receipt_id, platform, fan
        _refuse()

    async def report(self, receipt_id: str, platform: str, fan: str, reason: str) -> None:
        """Refuse."""
        del receipt_id, platform, fan, reason
        _refuse()

    async def export(self, platform: str, fan: str) -> bytes:
        """Refuse."""
        del platform, fan
        _refuse()

    async def forget(self, platform: str, fan: str) -> int:
        """Refuse."""
        del platform, fan
        _refuse()

    async def delivered(self, receipt_id: str) -> None:
        """Refuse."""
        del receipt_id
        _refuse()

    async def undelivered(self, receipt_id: str) -> None:
        """Refuse."""
        del receipt_id
        _refuse()

    async def pending(self, platform: str, bot: str) -> list[PendingReply]:
        """Return nothing."""
        del platform, bot
        return []

    async def twins(self) -> list[TwinCard]:
        """Return nobody: no twin answers."""
        return []

    async def history(self, twin: str, surface: Surface, fan: str) -> list[HistoryTurn]:
        """Refuse."""
        del twin, surface, fan
        _refuse()

    async def earnings(self) -> list[EarningsLine]:
        """Return nothing."""
        return []


@asynccontextmanager
async def open_reading(settings: Settings) -> AsyncIterator[str]:
    """Serve the log and the proofs that are there while the block runs; the base address.

    Raises:
        ConfigurationError: the data folder or the port can't be used.
    """
    from adapters.files.data_folder import DataFolder
    from adapters.host.system import SystemClock
    from adapters.web.server import WebServer

    folder, service = settings.service.data_dir, settings.service
    async with AsyncExitStack() as stack:
        claimed = DataFolder.claim(folder)
        stack.callback(claimed.release)
        stores = await stack.enter_async_context(open_stores(folder, read_only=True))
        async with stores.replies.reading() as tx:
            seals = await tx.seals()
        keys = ServiceKeys.load(folder / KEYS, fresh=False).with_log(folder / KEYS, seals)
        opened = await stack.enter_async_context(
            open_log(
                settings.log,
                folder,
                log=keys.log_verifier,
                kept=stores.cosignatures,
                clock=SystemClock(),
                asking=False,
            )
        )
        server = WebServer(
            inbox=ClosedInbox(),
            proofs=opened.proofs(stores.replies, keys.log_signer, signs=False),
            log=opened.public,
            settlement=PublishedEpochs(store=stores.epochs, earnings=stores.earnings),
            host=service.host,
            port=service.port,
            allowed_hosts=[urlsplit(base_url_of(settings)).hostname or service.host],
            note=CLOSED,
        )
        await server.start()
        stack.push_async_callback(server.stop)
        yield base_url_of(settings)
