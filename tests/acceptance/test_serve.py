"""`twinproof serve` with both platforms: each answers its fans, with or without the other."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.acceptance.discord.server import Platform, until
from tests.acceptance.discord.specs import MISSING
from tests.acceptance.discord.world import Channel, Person
from tests.acceptance.program import Finished, Program, free_port, program
from tests.acceptance.telegram.conftest import ADA
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.spec import SPEC, BotApiSpec
from tests.acceptance.telegram.world import BotSide

pytestmark = pytest.mark.slow
WITHIN_S = 120.0
QUESTION = "hi, who are you?"
DISCORD_FILE, TELEGRAM_FILE = "discord.token", "mira.token"
REFUSED = {
    DISCORD_FILE: "MTExMTExMTExMTExMTExMTEx.Other.wrong-token",
    TELEGRAM_FILE: "7009:" + "A" * 35,
}


@dataclass(slots=True)
class House:
    """An operator's folder, both platforms, and a fan on each."""

    home: Path
    here: Program
    discord: Platform
    telegram: BotApiServer
    bot: BotSide
    room: Channel = field(init=False)
    ana: Person = field(init=False)

    def __post_init__(self) -> None:
        world = self.discord.world
        self.ana = world.person("ana")
        self.room = world.room(world.guild(world.person("olga")))
        self.telegram.world.add_fan(ADA, "Ada")

    def configure(self) -> None:
        self.secret(DISCORD_FILE, self.discord.world.token)
        self.secret(TELEGRAM_FILE, self.bot.token)
        (self.home / "config.toml").write_text(
            f'[service]\nport = {free_port()}\nbase_url = "https://twins.example.org"\n'
            f'[discord]\ntoken_file = "{DISCORD_FILE}"\nmessage_content = false\n'
            f'api_base = "{self.discord.api_base}"\n'
            f'gateway_url = "{self.discord.gateway.url}"\n'
            f'[telegram]\nbots = [{{ token_file = "{TELEGRAM_FILE}", twin = "mira" }}]\n'
            f'api_base = "{self.telegram.api_base}"\n'
        )

    def secret(self, name: str, text: str) -> None:
        path = self.home / name
        path.write_text(f"{text}\n")
        path.chmod(0o600)

    async def answered(self, *files: str) -> Finished:
        """Run the program until the platforms of these tokens have answered; stop and audit."""
        process = self.here.popen("serve")
        if TELEGRAM_FILE in files:
            self.telegram.world.say(self.bot, ADA, QUESTION)
            chat = self.telegram.world.private(self.bot, ADA)
            await until(
                lambda: any("/r/" in str(m) for m in chat.from_bot()),
                within_s=WITHIN_S,
            )
        if DISCORD_FILE in files:
            sessions = self.discord.gateway.sessions
            await until(lambda: any(s.valid and s.socket for s in sessions), within_s=WITHIN_S)
            people = self.discord.people
            await people.command(self.ana, self.room, "talk", twin="mira", text=QUESTION)
            await until(
                lambda: any("[proof]" in m["content"] for m in people.seen(self.room)),
                within_s=WITHIN_S,
            )
        process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(self.here.finish, process)
        assert finished.code == 0, finished.err
        audit = await asyncio.to_thread(self.here.run, "audit", "--data", "data", "--json")
        found = json.loads(audit.out)
        assert (audit.code, found["wrong"]) == (0, [])
        assert found["checked"]["receipts"] == found["checked"]["outcomes"] == len(files)
        return finished

    async def refused(self) -> str:
        """Run the program, which must refuse before it writes anything; return its sentence."""
        before = sorted(self.home.iterdir())
        finished = await asyncio.to_thread(self.here.run, "serve")
        assert (finished.code, finished.out) == (2, "")
        assert sorted(self.home.iterdir()) == before
        return " ".join(finished.err.split())


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    if MISSING or not SPEC.is_file():
        pytest.skip(MISSING or f"the Bot API's description is not at {SPEC}")
    discord, telegram = Platform(), BotApiServer(BotApiSpec.load())
    await discord.start()
    await telegram.start()
    with program(tmp_path) as here:
        house = House(tmp_path, here, discord, telegram, telegram.world.add_bot(7001, "mirabot"))
        house.configure()
        yield house
    await telegram.stop()
    await discord.stop()
    assert discord.complaints() == []
    assert telegram.violations == []


async def test_fans_of_both_platforms_are_answered(house: House) -> None:
    finished = await house.answered(DISCORD_FILE, TELEGRAM_FILE)

    assert "Twinproof serves Discord, Telegram." in finished.err
    assert "is off" not in finished.err


@pytest.mark.parametrize(
    ("refused", "other"), [(DISCORD_FILE, TELEGRAM_FILE), (TELEGRAM_FILE, DISCORD_FILE)]
)
async def test_a_refused_token_does_not_stop_the_other_platform(
    house: House, refused: str, other: str
) -> None:
    house.secret(refused, REFUSED[refused])

    finished = await house.answered(other)

    # Telegram's bots are tried again one by one, Discord's one application is given up.
    told = " ".join(finished.err.split())
    assert ("Discord is off: Discord refuses the bot's token" in told) is (
        refused == DISCORD_FILE
    ), told
    assert "Telegram is off" not in told
    assert REFUSED[refused] not in finished.err


@pytest.mark.parametrize(
    ("missing", "name", "other"),
    [(DISCORD_FILE, "Discord", TELEGRAM_FILE), (TELEGRAM_FILE, "Telegram", DISCORD_FILE)],
)
async def test_a_missing_token_file_does_not_stop_the_other_platform(
    house: House, missing: str, name: str, other: str
) -> None:
    (house.home / missing).unlink()

    finished = await house.answered(other)

    told = " ".join(finished.err.split())
    assert f"twinproof: {name} is off: The {name} token {missing} can't be read:" in told
    assert f"Twinproof serves {'Telegram' if name == 'Discord' else 'Discord'}." in told


async def test_without_a_usable_token_nothing_is_written(house: House) -> None:
    (house.home / DISCORD_FILE).unlink()
    (house.home / TELEGRAM_FILE).chmod(0o644)
    closed = await house.refused()
    house.secret(TELEGRAM_FILE, "no-token")
    misshapen = await house.refused()
    (house.home / "config.toml").write_text(f"[service]\nport = {free_port()}\n")
    nothing = await house.refused()

    assert f"The Discord token {DISCORD_FILE} can't be read" in closed
    assert f"chmod 600 {TELEGRAM_FILE}" in closed
    assert "it must look like 123456:ABC-DEF" in misshapen
    assert "No chat platform is configured" in nothing
