"""The Discord surface's life: log in, stay connected, show what a crash left open, stop."""

import asyncio
import logging
from contextlib import suppress

import discord
import discord.gateway
import discord.http
import structlog
import yarl

from adapters.discord_chat.client import TwinClient
from adapters.discord_chat.house import Doors
from adapters.discord_chat.mapping import IntentRefusedError, discord_errors
from bot.domain.errors import BotError, TransientError
from bot.ports.chat import ChatInbox
from bot.ports.creators import CreatorDesk
from bot.ports.credit import FanCredit
from bot.ports.discord_state import DiscordState
from bot.ports.proofs import ProofSource
from bot.ports.surfaces import ChatSurface

CONNECT_WITHIN_S = 60.0
SWEEP_EVERY_S = 30.0
DRAIN_S = 20.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 300.0
_log = structlog.get_logger("discord")


class DiscordChat(ChatSurface):
    """One application on Discord for all twins.

    Attributes:
        reads_messages: whether Discord shows it what is written in channels.
        failure: why it ended by itself; None while it runs.
    """

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        proofs: ProofSource,
        store: DiscordState,
        token: str,
        api_base: str | None,
        gateway_url: str | None,
        public_base_url: str,
        message_content: bool = True,
        creators: CreatorDesk | None = None,
        credit: FanCredit | None = None,
    ) -> None:
        """Prepare a surface.

        Args:
            inbox: the core's door.
            proofs: says whether a receipt is in the log.
            store: what must survive a restart.
            token: the bot's token; never logged.
            api_base: address of the HTTP API, `https://…/api/v10`; None for Discord's own. It
                holds for every client in this process.
            gateway_url: address of the gateway, `wss://…`; None for the one that the API names.
            public_base_url: what proof links begin with.
            message_content: whether to ask for the message-content intent; where Discord refuses
                it, the surface runs without.
            creators: the core's door for creators; None: there are no commands for them.
            credit: the core's door for fans' money; None: nothing is sold, and nobody asks for it.
        """
        self._doors = Doors(inbox, proofs, store, creators, public_base_url, credit)
        self._token = token
        self._api_base = api_base
        self._gateway = None if gateway_url is None else yarl.URL(gateway_url)
        self.reads_messages = message_content
        self.failure: BotError | None = None
        self._client: TwinClient | None = None
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._sweep = asyncio.Event()
        self._stopped = asyncio.Event()

    async def start(self) -> None:
        """Connect, then stay connected in a task of its own until `stop`.

        Raises:
            ConfigurationError: Discord refuses the token or the application.
            TransientError: Discord can't be reached; starting again may help.
        """
        self._stopped.clear()
        await self._start()

    async def _start(self) -> None:
        self._point_at_server()
        self._connected.clear()
        self._task = asyncio.create_task(self._serve())
        connected = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait(
                {self._task, connected},
                timeout=CONNECT_WITHIN_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            connected.cancel()
        if self._stopped.is_set():
            return
        ended = self._task.done()
        if self._connected.is_set() and not ended:
            return
        await self._disconnect()
        if ended and self.failure is not None:
            raise self.failure
        raise TransientError("Discord can't be reached.", retry_after_s=FIRST_PAUSE_S)

    async def run(self) -> None:
        """Stay connected until `stop`: for a task group that is to live on without Discord.

        What may pass is tried again, with growing pauses.

        Raises:
            ConfigurationError: Discord refuses the token or the application.
        """
        pause = FIRST_PAUSE_S
        self._stopped.clear()
        while not self._stopped.is_set():
            try:
                await self._start()
                pause = FIRST_PAUSE_S
                if self._task is not None:
                    await asyncio.wait([self._task])
                if self.failure is not None:
                    raise self.failure
            except TransientError as error:
                _log.warning("discord.unreachable", error=type(error).__name__, pause_s=pause)
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._stopped.wait()
                pause = min(2 * pause, LONGEST_PAUSE_S)

    async def stop(self) -> None:
        """Take no more messages, finish those that are being answered, disconnect."""
        self._stopped.set()
        await self._disconnect()

    async def _disconnect(self) -> None:
        task, self._task = self._task, None
        if self._client is not None and self._client.house is not None:
            await self._client.house.claims.drain(within_s=DRAIN_S)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _point_at_server(self) -> None:
        # The library would write every event into its debug log, words and all.
        logging.getLogger("discord").setLevel(logging.WARNING)
        # It would warn that voice does not work; there is none.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        if self._api_base is not None:
            discord.http.Route.BASE = self._api_base.rstrip("/")
        if self._gateway is not None:
            discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = self._gateway

    async def _serve(self) -> None:
        """Run clients one after the other: the second one without the intent that was refused."""
        self.failure = None
        try:
            try:
                await self._serve_once()
            except IntentRefusedError:
                if not self.reads_messages:
                    raise
                _log.warning("discord.without_message_content")
                self.reads_messages = False
                await self._serve_once()
        except BotError as error:
            _log.error("discord.ended", error=type(error).__name__, reason=str(error))
            self.failure = error
        except Exception as error:  # noqa: BLE001  the supervisor: the service lives on
            _log.error("discord.ended", error=type(error).__name__)
            self.failure = TransientError(
                "The Discord surface failed.", retry_after_s=FIRST_PAUSE_S
            )

    async def _serve_once(self) -> None:
        client = TwinClient(
            doors=self._doors,
            gateway=self._gateway,
            message_content=self.reads_messages,
            on_connected=self._on_connected,
        )
        self._client = client
        sweeper = asyncio.create_task(self._keep_sweeping(client))
        try:
            with discord_errors():
                await client.login(self._token)
                await client.connect()
            raise TransientError("The connection to Discord ended.")
        finally:
            sweeper.cancel()
            await asyncio.wait([sweeper])
            if client.house is not None and client.house.purchases is not None:
                await client.house.purchases.close()
            with suppress(BotError), discord_errors():
                await client.close()

    def _on_connected(self) -> None:
        self._connected.set()
        self._sweep.set()

    async def _keep_sweeping(self, client: TwinClient) -> None:
        """Show the core's outbox: after each connection, and while something is left in it."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_EVERY_S):
                    await self._sweep.wait()
            house = client.house
            if house is None or not (self._sweep.is_set() or house.answering.unfinished):
                continue
            self._sweep.clear()
            try:
                await house.answering.recover(house.servants.fans.spot_of)
            except BotError as error:
                _log.warning("discord.not_recovered", error=type(error).__name__)
