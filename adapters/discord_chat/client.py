"""The SDK's client: one application for all twins, over as many shards as Discord asks for."""

from collections.abc import Callable
from typing import Any

import discord
import structlog
import yarl
from discord import app_commands

from adapters.discord_chat.buttons import AgainButton, ProofButton, ReplyButton, StopButton
from adapters.discord_chat.commands import add_commands
from adapters.discord_chat.credit.buttons import BUTTONS as MONEY_BUTTONS
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.house import Doors, House
from adapters.discord_chat.personal import ForgetButton, Personal
from adapters.discord_chat.privately import tell_failure
from adapters.discord_chat.replies import Replies
from adapters.discord_chat.shards import make_resuming
from adapters.discord_chat.windows import submitted_window

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
        """Log what kind of error it was, and say so where that is still possible."""
        _log.error("discord.failed", asked=str(interaction.id), error=type(error).__name__)
        if interaction.type is discord.InteractionType.application_command:
            await tell_failure(interaction, error)


class TwinClient(discord.AutoShardedClient):
    """Hands the SDK's events to those who serve them.

    Attributes:
        house: who serves them; None until the application's id is known.
        replies: serves the buttons under a reply.
        personal: serves the button that confirms a deletion.
        counter: serves the buttons about money; None where fans have none.
    """

    replies: Replies
    personal: Personal
    counter: Counter | None

    def __init__(
        self,
        *,
        doors: Doors,
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
        self._doors = doors
        self._gateway = gateway
        self._reads_messages = message_content
        self._on_connected = on_connected
        self._tree = Tree(self)
        self.house: House | None = None

    async def setup_hook(self) -> None:
        """Build what serves the events and tell Discord the commands."""
        house = House.build(self, self._doors, reads_messages=self._reads_messages)
        self.replies, self.personal = house.servants.replies, house.servants.personal
        self.counter = house.servants.counter
        await house.cards.all()
        self.add_dynamic_items(ProofButton, ReplyButton, StopButton, AgainButton, ForgetButton)
        if self.counter is not None:
            self.add_dynamic_items(*MONEY_BUTTONS)
        add_commands(self._tree, house.servants)
        await self._tree.sync()
        self.house = house

    async def launch_shard(
        self, gateway: yarl.URL, shard_id: int, *, initial: bool = False
    ) -> None:
        """Connect a shard to the gateway that is configured, else to the one that was named."""
        await super().launch_shard(self._gateway or gateway, shard_id, initial=initial)
        make_resuming(self.get_shard(shard_id))

    async def on_ready(self) -> None:
        """Say that every shard is connected."""
        self._on_connected()
        self._ask_for_purchases()

    async def on_resumed(self) -> None:
        """Say that a connection is back."""
        self._on_connected()
        self._ask_for_purchases()

    def _ask_for_purchases(self) -> None:
        if self.house is not None and self.house.purchases is not None:
            self.house.purchases.connected()

    async def on_entitlement_create(self, entitlement: discord.Entitlement) -> None:
        """Give a person what they bought."""
        if self.house is not None and self.house.purchases is not None:
            self.house.purchases.follow(entitlement)

    async def on_entitlement_update(self, entitlement: discord.Entitlement) -> None:
        """Follow what became of a purchase."""
        await self.on_entitlement_create(entitlement)

    async def on_entitlement_delete(self, entitlement: discord.Entitlement) -> None:
        """Take back what was refunded."""
        if self.house is not None and self.house.purchases is not None:
            self.house.purchases.follow(entitlement, is_deleted=True)

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that is meant for a twin."""
        if self.house is not None:
            await self.house.servants.fans.on_message(message)

    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Take back what a person has deleted."""
        if self.house is not None:
            await self.house.withdrawing.message_gone(str(event.message_id), event.channel_id)

    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Take back what a moderator has deleted."""
        if self.house is not None:
            for message in sorted(event.message_ids):
                await self.house.withdrawing.message_gone(str(message), event.channel_id)

    async def on_raw_thread_delete(self, event: discord.RawThreadDeleteEvent) -> None:
        """Take back what was said in a thread."""
        if self.house is not None:
            thread = str(event.thread_id)
            await self.house.withdrawing.room_gone(str(event.parent_id), thread)

    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Take back what was said in a channel and its threads."""
        if self.house is not None:
            await self.house.withdrawing.room_gone(str(channel.id), None)

    async def on_interaction(self, interaction: Interaction) -> None:
        """Answer a submitted window; commands and buttons have their own way."""
        window = submitted_window(interaction)
        if window is None or self.house is None:
            return
        servants = self.house.servants
        match window.kind:
            case "say":
                text = window.values.get("text", "")
                await servants.fans.talk(interaction, window.about, text)
            case "report":
                reason = window.values.get("reason", "")
                await servants.replies.reported(interaction, window.about, reason)
            case "edit" if servants.studio is not None:
                await servants.studio.edited(interaction, window.about, window.values)
            case "limit" | "ask" | "dispute" if servants.counter is not None:
                await servants.counter.submitted(interaction, window)

    async def on_error(self, event_method: str, /, *_args: object, **_kwargs: object) -> None:
        """Log that an event could not be served, and nothing of what was in it."""
        _log.error("discord.event_failed", event_name=event_method)
