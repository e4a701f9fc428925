"""The SDK's client: one application for all twins, over as many shards as Discord asks for."""

from collections.abc import Callable
from typing import Any

import discord
import structlog
import yarl
from discord import app_commands

from adapters.discord_chat.answering import Answering
from adapters.discord_chat.buttons import ProofButton, ReplyButton, modal_twin
from adapters.discord_chat.commands import add_commands
from adapters.discord_chat.desk import Desk
from adapters.discord_chat.fans import Fans
from adapters.discord_chat.identity import Identity
from adapters.discord_chat.verify import Verifier
from bot.ports.chat import ChatInbox
from bot.ports.discord_state import DiscordState
from bot.ports.proofs import ProofSource

# A longer wait is an error, not a sleep: the reply is shown later by the sweep.
MAX_RATE_LIMIT_S = 60.0
# How long to wait for the next server after connecting before all of them count as known.
GUILD_READY_S = 2.0
_log = structlog.get_logger("discord")
Interaction = discord.Interaction[Any]


def intents_of(*, message_content: bool) -> discord.Intents:
    """Return what the bot asks to be told: servers, messages, perhaps their words."""
    intents = discord.Intents.none()
    intents.guilds = True
    intents.messages = True
    intents.message_content = message_content
    return intents


class Tree(app_commands.CommandTree[Any]):
    """The commands; an error that gets here is ours."""

    async def on_error(
        self, interaction: Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Log what kind of error it was."""
        _log.error("discord.failed", asked=str(interaction.id), error=type(error).__name__)


class TwinClient(discord.AutoShardedClient):
    """Hands the SDK's events to those who serve them.

    Attributes:
        desk: serves commands and buttons; there is one once the application's id is known.
        answering: answers messages; None until then.
    """

    desk: Desk

    def __init__(
        self,
        *,
        inbox: ChatInbox,
        proofs: ProofSource,
        store: DiscordState,
        public_base_url: str,
        gateway: yarl.URL | None,
        message_content: bool,
        on_connected: Callable[[], None],
    ) -> None:
        super().__init__(
            intents=intents_of(message_content=message_content),
            allowed_mentions=discord.AllowedMentions.none(),
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            max_ratelimit_timeout=MAX_RATE_LIMIT_S,
            guild_ready_timeout=GUILD_READY_S,
        )
        self._inbox = inbox
        self._proofs = proofs
        self._store = store
        self._public_base_url = public_base_url
        self._gateway = gateway
        self._reads_messages = message_content
        self._on_connected = on_connected
        self._tree = Tree(self)
        self.answering: Answering | None = None

    async def setup_hook(self) -> None:
        """Build what serves the events and tell Discord the commands."""
        account = self.application_id or 0
        identity = Identity(account=account, state=self._store)
        answering = Answering(
            inbox=self._inbox, state=self._store, identity=identity, account=account
        )
        fans = Fans(
            client=self,
            inbox=self._inbox,
            state=self._store,
            answering=answering,
            account=account,
            reads_messages=self._reads_messages,
        )
        self.desk = Desk(
            fans=fans,
            state=self._store,
            verifier=Verifier(
                state=self._store,
                proofs=self._proofs,
                account=account,
                public_base_url=self._public_base_url,
            ),
            public_base_url=self._public_base_url,
            reads_messages=self._reads_messages,
        )
        await fans.twins()
        self.add_dynamic_items(ProofButton, ReplyButton)
        add_commands(self._tree, self.desk)
        await self._tree.sync()
        self.answering = answering

    async def launch_shard(
        self, gateway: yarl.URL, shard_id: int, *, initial: bool = False
    ) -> None:
        """Connect a shard to the gateway that is configured, else to the one that was named."""
        await super().launch_shard(self._gateway or gateway, shard_id, initial=initial)

    async def on_ready(self) -> None:
        """Say that every shard is connected."""
        self._on_connected()

    async def on_resumed(self) -> None:
        """Say that a connection is back."""
        self._on_connected()

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that is meant for a twin."""
        await self.desk.fans.on_message(message)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Answer a submitted window; commands and buttons have their own way."""
        submitted = modal_twin(interaction)
        if submitted is not None:
            await self.desk.fans.talk(interaction, *submitted)

    async def on_error(self, event_method: str, /, *_args: object, **_kwargs: object) -> None:
        """Log that an event could not be served, and nothing of what was in it."""
        _log.error("discord.event_failed", event_name=event_method)
