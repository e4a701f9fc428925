"""A local Discord, a core in memory, and the real client between them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import discord
import pytest
import yarl

from adapters.discord_chat.chat import DiscordChat
from bot.ports.chat import ChatInbox, PendingReply
from bot.ports.views import TwinCard
from tests.acceptance.discord.core import Core
from tests.acceptance.discord.people import People
from tests.acceptance.discord.server import Platform, until
from tests.acceptance.discord.specs import MISSING
from tests.acceptance.discord.world import Channel, Guild, Json, Person, World
from tests.fakes.chat import NOVA, MemoryProofs
from tests.fakes.creators import MemoryCreatorDesk
from tests.fakes.credit import MemoryFanCredit
from tests.fakes.discord_state import MemoryDiscordState

BASE = "https://twins.example"
OTTO = TwinCard(slug="otto", name="Otto", role="a lighthouse keeper", price="0.001 TPT per reply")


@dataclass(slots=True)
class Rig:
    """Everything that a test needs: one server, one room, two fans, one twin.

    Attributes:
        core: answers in place of `inbox`, if there is one.
    """

    platform: Platform
    guild: Guild
    room: Channel
    ana: Person
    bo: Person
    inbox: Core = field(default_factory=lambda: Core(base=BASE))
    state: MemoryDiscordState = field(default_factory=MemoryDiscordState)
    proofs: MemoryProofs = field(default_factory=MemoryProofs)
    desk: MemoryCreatorDesk | None = field(default_factory=lambda: MemoryCreatorDesk(base=BASE))
    credit: MemoryFanCredit | None = None
    core: ChatInbox | None = None
    chats: list[DiscordChat] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.platform.world

    @property
    def people(self) -> People:
        return self.platform.people

    @property
    def mention(self) -> str:
        return f"<@{self.world.app.id}>"

    def chat(self, *, token: str | None = None, message_content: bool = True) -> DiscordChat:
        """Make a surface that is not started."""
        chat = DiscordChat(
            inbox=self.core or self.inbox,
            proofs=self.proofs,
            store=self.state,
            token=token or self.world.token,
            api_base=self.platform.api_base,
            gateway_url=self.platform.gateway.url,
            public_base_url=BASE,
            message_content=message_content,
            creators=self.desk,
            credit=self.credit,
        )
        self.chats.append(chat)
        return chat

    async def start(self, *, message_content: bool = True) -> DiscordChat:
        chat = self.chat(message_content=message_content)
        await chat.start()
        await self.platform.gateway.wait_connected()
        return chat

    def seen(self, channel: Channel | None = None) -> list[Json]:
        return self.people.seen(channel or self.room)

    async def answered(self, count: int = 1, *, within_s: float = 15) -> str:
        """Wait for so many recorded deliveries; return the last receipt."""
        await until(lambda: len(self.inbox.confirmed) >= count, within_s=within_s)
        return self.inbox.confirmed[-1]

    def leave_in_outbox(self) -> None:
        """Do what the core does with replies whose delivery was never told."""
        for message in self.inbox.asked:
            shown = self.inbox._shown[message.surface, message.message_id]
            if shown.receipt_id not in self.inbox.confirmed + self.inbox.lost:
                self.inbox.outbox.append(PendingReply(message, shown))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local platform names all its servers at once."""
    monkeypatch.setattr("adapters.discord_chat.client.GUILD_READY_S", 0.05)


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    if MISSING:
        pytest.skip(MISSING)
    base, gateway = discord.http.Route.BASE, discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY
    platform = Platform()
    await platform.start()
    yield platform
    await platform.stop()
    discord.http.Route.BASE = base
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway)
    assert platform.complaints() == []


@pytest.fixture
async def rig(platform: Platform) -> AsyncIterator[Rig]:
    world = platform.world
    ana, bo = world.person("ana"), world.person("bo")
    guild = world.guild(world.person("olga"))
    rig = Rig(platform, guild, world.room(guild), ana, bo)
    yield rig
    for chat in rig.chats:
        await chat.stop()


@pytest.fixture
def two_twins(rig: Rig) -> Rig:
    rig.inbox.cards = [NOVA, OTTO]
    return rig


Shown = Callable[[], list[Json]]
