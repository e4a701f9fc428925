"""A Bot API server, a surface with fakes behind it, and words for what fans do and see."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings, TelegramChat
from adapters.telegram_chat.pace import Pace
from bot.ports.views import TwinCard
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.spec import SPEC, BotApiSpec
from tests.acceptance.telegram.world import BotSide, ChatSide, Json
from tests.fakes.chat import NOVA, MemoryInbox, MemoryProofs
from tests.fakes.creators import MemoryCreatorDesk
from tests.fakes.credit import MemoryFanCredit
from tests.fakes.secrets import MemorySecrets
from tests.fakes.telegram_state import MemoryTelegramState

BASE = "https://twins.example.org"
RUMI = TwinCard(slug="rumi", name="Rumi", role="a gardener", price="0.001 TPT per reply")
ADA, BEN = 4001, 4002
QUICK = Pace(
    chat_s=0.01,
    group_per_minute=1000,
    sign_s=0.01,
    preview_s=0.02,
    backoff_s=0.02,
    backoff_max_s=0.1,
    poll_s=5,
    answer_s=2.0,
    token_retry_s=0.2,
    drain_s=0.2,
    dispute_s=0.05,
)
PATIENCE_S = 10.0


@dataclass(slots=True)
class Stage:
    """Everything that a test plays with: one lobby bot `@lobbybot`, two fans, two twins."""

    server: BotApiServer
    lobby: BotSide
    inbox: MemoryInbox
    proofs: MemoryProofs = field(default_factory=MemoryProofs)
    state: MemoryTelegramState = field(default_factory=MemoryTelegramState)
    creators: MemoryCreatorDesk = field(default_factory=MemoryCreatorDesk)
    credit: MemoryFanCredit = field(default_factory=MemoryFanCredit)
    secrets: MemorySecrets = field(default_factory=MemorySecrets)
    surfaces: list[TelegramChat] = field(default_factory=list)

    def build(self, *bots: TelegramBotSettings, **changes: object) -> TelegramChat:
        """Make a surface; without bots it has the lobby."""
        arguments: dict[str, Any] = {
            "inbox": self.inbox,
            "proofs": self.proofs,
            "state": self.state,
            "bots": bots or (TelegramBotSettings(self.lobby.token),),
            "api_base": self.server.api_base,
            "file_base": self.server.file_base,
            "public_base_url": BASE,
            "webhook": None,
            "creators": self.creators,
            "secrets": self.secrets,
            "credit": self.credit,
            "pace": QUICK,
        }
        surface = TelegramChat(**(arguments | changes))
        self.surfaces.append(surface)
        return surface

    async def start(self, *bots: TelegramBotSettings, **changes: object) -> TelegramChat:
        """Make a surface, start it and wait until its lobby or its first bot polls."""
        surface = self.build(*bots, **changes)
        before = self.server.count("getUpdates")
        await surface.start()
        await until(lambda: self.server.count("getUpdates") > before)
        return surface

    async def ask(self, text: str, *, bot: BotSide | None = None, fan: int = ADA) -> Json:
        """Let a fan write in private, and return the bot's next message there."""
        bot = bot or self.lobby
        chat = self.server.world.privates.get((bot.id, fan))
        before = len(chat.from_bot()) if chat else 0
        self.server.world.say(bot, fan, text)
        return await self.answer(bot=bot, fan=fan, after=before)

    async def answer(self, *, bot: BotSide | None = None, fan: int = ADA, after: int = 0) -> Json:
        """Return the message of a bot in a private chat that follows so many others."""
        chat = self.server.world.private(bot or self.lobby, fan)
        return await self.said_in(chat, after=after)

    async def said_in(self, chat: ChatSide, *, after: int = 0) -> Json:
        """Return the message of a bot in a chat that follows so many others."""
        await until(lambda: len(chat.from_bot()) > after)
        return chat.from_bot()[after]

    def heard(self, fan: int = ADA, bot: BotSide | None = None) -> list[str]:
        """Return the texts that a fan has got in private."""
        chat = self.server.world.private(bot or self.lobby, fan)
        return [message.get("text", "") for message in chat.from_bot()]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - of any kind, without an event
            await asyncio.sleep(0.005)


async def settle() -> None:
    """Give things that must not happen the time to happen."""
    await asyncio.sleep(0.25)


def buttons_of(message: Json) -> dict[str, Json]:
    """Return the buttons below a message by their labels."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return {button["text"]: button for row in rows for button in row}


@pytest.fixture(scope="session")
def spec() -> BotApiSpec:
    if not SPEC.is_file():
        pytest.skip(f"the Bot API's description is not at {SPEC}")
    return BotApiSpec.load()


@pytest.fixture
async def server(spec: BotApiSpec) -> AsyncIterator[BotApiServer]:
    server = BotApiServer(spec)
    await server.start()
    yield server
    await server.stop()
    assert server.violations == []


@pytest.fixture
async def stage(server: BotApiServer) -> AsyncIterator[Stage]:
    lobby = server.world.add_bot(7001, "lobbybot")
    server.world.add_fan(ADA, "Ada")
    server.world.add_fan(BEN, "Ben")
    stage = Stage(server, lobby, MemoryInbox(cards=[NOVA, RUMI], base=BASE))
    yield stage
    for surface in stage.surfaces:
        await surface.stop()
