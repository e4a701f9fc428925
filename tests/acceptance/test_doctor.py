"""`twinproof doctor` as an operator runs it, with the platforms' local servers at the other end."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from bot.wiring.platform_verdicts import PERMISSIONS
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.rest import PREFIX, Rest, answer
from tests.acceptance.discord.server import Platform
from tests.acceptance.discord.specs import MISSING
from tests.acceptance.discord.world import EVERYTHING, MANAGE_WEBHOOKS, SEND_MESSAGES, Json
from tests.acceptance.program import ROOT, Finished, Program, free_port, program
from tests.acceptance.telegram.methods import Methods
from tests.acceptance.telegram.more_methods import ApiError
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.spec import SPEC, BotApiSpec
from tests.fakes.gguf_model import write_model

pytestmark = pytest.mark.slow
PUBLIC = "https://twins.example.org"


class RestWithServers(Rest):
    """The platform's API with the list of servers, which only the check-up asks for."""

    flags = 1 << 19

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.get(PREFIX + "/users/@me/guilds", self.servers)]

    async def servers(self, _request: web.Request) -> web.Response:
        return answer([self._server(number) for number in self._world.guilds])

    async def application(self, request: web.Request) -> web.Response:
        told = json.loads((await super().application(request)).text or "")
        return answer(told | {"flags": self.flags, "flags_new": str(self.flags)})

    def _server(self, number: str) -> Json:
        allowed = self._world.guilds[number].allowed
        plain: Json = {"id": number, "name": "The harbour", "icon": None, "banner": None}
        return plain | {"owner": False, "permissions": str(allowed), "features": []}


@dataclass(slots=True)
class Clinic:
    """An operator's folder with a configuration, and both platforms."""

    home: Path
    here: Program
    discord: Platform
    rest: RestWithServers
    telegram: BotApiServer

    def configure(self, more: str = "", *, base_url: str = PUBLIC, telegram: str = "") -> None:
        """Write config.toml with the tokens of both platforms."""
        self.secret("discord.token", self.discord.world.token)
        bot = next(iter(self.telegram.world.bots.values()))
        self.secret("lobby.token", bot.token)
        (self.home / "config.toml").write_text(
            f'[service]\nport = {free_port()}\nbase_url = "{base_url}"\n'
            f'[discord]\ntoken_file = "discord.token"\napi_base = "{self.discord.api_base}"\n'
            f'[telegram]\nbots = [{{ token_file = "lobby.token" }}]\n'
            f'api_base = "{self.telegram.api_base}"\n{telegram}\n{more}'
        )

    def secret(self, name: str, text: str) -> Path:
        path = self.home / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    async def run(self, *arguments: str) -> Finished:
        return await asyncio.to_thread(self.here.run, "doctor", *arguments)

    async def findings(self) -> tuple[int, dict[str, dict[str, Any]]]:
        """Return the exit code and the worst finding of each check, by its name."""
        finished = await self.run("--json")
        self.show_no_token(finished)
        told = json.loads(finished.out)
        assert told["ok"] is (finished.code == 0)
        ranked = sorted(told["checks"], key=lambda one: one["state"] == "fault")
        return finished.code, {one["check"]: one for one in ranked}

    def show_no_token(self, finished: Finished) -> None:
        shown = finished.out + finished.err
        for token in (self.discord.world.token, *self.telegram.world.bots):
            assert token not in shown
            assert token.partition(":")[2] == "" or token.partition(":")[2] not in shown


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    if MISSING or not SPEC.is_file():
        pytest.skip(MISSING or f"the Bot API's description is not at {SPEC}")
    discord, telegram = Platform(), BotApiServer(BotApiSpec.load())
    rest = RestWithServers(discord.world, discord.gateway)
    discord.rest = rest
    discord.world.guild(discord.world.person("olga"))
    telegram.world.add_bot(7001, "lobbybot")
    await discord.start()
    await telegram.start()
    with program(tmp_path) as here:
        clinic = Clinic(tmp_path, here, discord, rest, telegram)
        clinic.configure()
        yield clinic
    await telegram.stop()
    await discord.stop()
    assert discord.complaints() == []
    assert telegram.violations == []


async def test_all_is_well_is_one_line_each_without_colours_and_nothing_is_written(
    clinic: Clinic,
) -> None:
    before = sorted(path.name for path in clinic.home.iterdir())

    finished = await clinic.run()

    assert finished.code == 0, finished.out + finished.err
    assert finished.err == ""
    assert "\x1b" not in finished.out
    *lines, verdict = finished.out.splitlines()
    assert verdict == "Faults: 0, warnings: 0."
    assert {line.split()[0] for line in lines} == {"ok"}
    for part in (
        "configuration: config.toml is valid.",
        "data folder: data will be made",
        "disk: ",
        "keys: ",
        "personas: 3 can be used",
        "Twinproof starter, architecture llama",
        "engine: llama-cpp-python",
        "is free.",
        f"proof links will look like {PUBLIC}/r/",
        "Discord: the token is valid: application twinproof",
        "message-content intent: it is on",
        "Discord's permissions: all that are needed are there in every server",
        "Telegram bot @lobbybot: the token is valid; polling, as configured; privacy mode",
        "managed bots: off",
        "clock: it agrees",
        "sponsorship: 1000 of 1000",
        "chain: it will be made",
    ):
        assert part in finished.out
    clinic.show_no_token(finished)
    assert sorted(path.name for path in clinic.home.iterdir()) == before


async def test_faults_of_many_kinds_stand_beside_each_other(clinic: Clinic) -> None:
    guild = next(iter(clinic.discord.world.guilds.values()))
    guild.allowed = everything_but(SEND_MESSAGES, MANAGE_WEBHOOKS)
    clinic.rest.flags = 0
    personas = clinic.home / "personas"
    personas.mkdir()
    (personas / "bad.toml").write_text("name = 1\n")
    small = clinic.home / "small.gguf"
    write_model(small)
    clinic.configure(
        f'[personas]\nfolder = "{personas}"\n[model]\npath = "{small}"\nsha256 = "{"0" * 64}"\n',
        base_url="",
    )
    (clinic.home / "lobby.token").chmod(0o644)

    code, found = await clinic.findings()

    assert code == 1
    assert found["personas"]["state"] == "fault"
    assert "not the one that the configuration names" in found["model"]["sentence"]
    assert found["engine"]["state"] == "skipped"
    assert found["public address"]["state"] == "warning"
    assert found["Discord's message-content intent"]["state"] == "warning"
    permissions = found["Discord's permissions"]
    assert permissions["state"] == "fault"
    assert "Send Messages, Manage Webhooks." in permissions["sentence"]
    assert f"guild_id={guild.id}" in permissions["remedy"]
    assert "chmod 600" in found["Telegram bot 1 (lobby.token)"]["sentence"]
    assert found["clock"]["state"] == "ok"  # from Discord alone
    assert found["chain"]["state"] == "ok"


async def test_refused_tokens_and_a_dead_platform_do_not_stop_the_rest(clinic: Clinic) -> None:
    clinic.secret("discord.token", "MTExMTExMTExMTExMTExMTEx.Other.wrong-token")
    await clinic.telegram.stop()

    code, found = await clinic.findings()

    assert code == 1
    assert found["Discord"]["sentence"] == "Discord refuses the token."
    assert "Reset" in found["Discord"]["remedy"]
    assert found["Telegram bot 1 (lobby.token)"]["sentence"] == "Telegram can't be reached."
    assert found["clock"]["state"] == "skipped"
    assert found["engine"]["state"] == "ok"


async def test_a_token_file_that_is_not_there_is_a_wrong_path_not_a_wrong_token(
    clinic: Clinic,
) -> None:
    (clinic.home / "discord.token").unlink()
    (clinic.home / "lobby.token").unlink()

    code, found = await clinic.findings()

    assert code == 1
    for check in ("Discord", "Telegram bot 1 (lobby.token)"):
        assert "can't be read" in found[check]["sentence"]
        assert "folder where the command runs" in found[check]["remedy"]
        assert "Reset" not in found[check]["remedy"]
        assert "@BotFather" not in found[check]["remedy"]


async def test_a_bot_for_a_twin_that_nobody_has_is_a_warning(clinic: Clinic) -> None:
    config = clinic.home / "config.toml"
    text = config.read_text()
    config.write_text(text.replace('"lobby.token" }', '"lobby.token", twin = "nobody" }'))
    code, found = await clinic.findings()
    config.write_text(text.replace('"lobby.token" }', '"lobby.token", twin = "mira" }'))
    good_code, good = await clinic.findings()

    check = "Telegram bot of lobby.token"
    assert (code, good_code) == (0, 0)
    assert found[check]["state"] == "warning"
    assert "'nobody'" in found[check]["sentence"]
    assert "twin" in found[check]["remedy"]
    assert check not in good
    assert "bots' twins" not in good


async def test_a_second_poller_and_privacy_mode_are_seen(clinic: Clinic) -> None:
    bot = next(iter(clinic.telegram.world.bots.values()))
    bot.user["can_read_all_group_messages"] = True
    bot.user["can_manage_bots"] = True

    async def poll_too() -> None:
        methods = Methods(clinic.telegram.world)
        while True:
            try:
                await methods.call(bot, "getUpdates", {"timeout": 30})
            except ApiError:
                await asyncio.sleep(0.5)

    other = asyncio.create_task(poll_too())
    code, found = await clinic.findings()
    other.cancel()

    assert code == 1
    assert "another program polls" in found["Telegram bot @lobbybot"]["sentence"]
    assert found["Telegram bot @lobbybot, privacy mode"]["state"] == "warning"
    assert "one tap" in found["Telegram bot @lobbybot, managed bots"]["sentence"]


async def test_webhook_is_compared_with_the_configuration(clinic: Clinic) -> None:
    bot = next(iter(clinic.telegram.world.bots.values()))
    bot.webhook = {"url": f"{PUBLIC}/telegram/7001"}
    clinic.secret("hook.secret", "s" * 32)
    clinic.configure(telegram='webhook_secret_file = "hook.secret"')

    code, found = await clinic.findings()
    clinic.secret("hook.secret", "short")
    clinic.configure(telegram='webhook_secret_file = "hook.secret"', base_url="http://a.example")
    code_bad, found_bad = await clinic.findings()

    assert code == 0
    assert "webhook as configured" in found["Telegram bot @lobbybot"]["sentence"]
    assert code_bad == 1
    assert "16 to 256" in found_bad["Telegram's webhook secret"]["sentence"]
    assert "https addresses only" in found_bad["public address"]["sentence"]


async def test_a_configuration_that_can_not_be_read_is_the_one_fault(clinic: Clinic) -> None:
    (clinic.home / "config.toml").write_text("[service]\nporty = 1\n")

    code, found = await clinic.findings()

    assert code == 1
    assert "there is no key service.porty" in found["configuration"]["sentence"]
    assert found["everything else"]["state"] == "skipped"


async def test_a_used_folder_is_looked_at_and_a_running_service_is_not_disturbed(
    clinic: Clinic,
) -> None:
    clinic.configure(more='[log]\nlevel = "info"\n')
    config = clinic.home / "config.toml"
    process = clinic.here.popen("serve")
    bot = next(iter(clinic.telegram.world.bots.values()))
    try:
        async with asyncio.timeout(90):
            while not bot.polls:
                assert process.poll() is None, "the service has ended"
                await asyncio.sleep(0.05)
        polls = bot.polls
        code, found = await clinic.findings()
        (clinic.home / "data" / "keys" / "log.key").chmod(0o644)
        text = config.read_text().replace('"lobby.token" }', '"lobby.token", twin = "mira" }')
        personas = clinic.home / "personas"
        personas.mkdir()
        shutil.copy(ROOT / "personas" / "theo.toml", personas)
        config.write_text(f'{text}[personas]\nfolder = "{personas}"\n')
        bad_code, bad = await clinic.findings()
        after = bot.polls
    finally:
        process.terminate()
        stopped = await asyncio.to_thread(clinic.here.finish, process)

    assert stopped.code == 0, stopped.err
    assert code == 0, found
    assert "running service" in found["data folder"]["sentence"]
    assert "held by this service" in found["port"]["sentence"]
    assert found["book"]["sentence"].startswith("it opens")
    assert "block" in found["chain"]["sentence"]
    assert found["sponsorship"]["state"] == "ok"
    assert bad_code == 1
    assert "mode 644" in bad["keys"]["sentence"]
    assert "Telegram bot of lobby.token" not in bad  # the book has published it
    assert "bots' twins" not in bad
    assert after == polls  # nobody else has polled, so no 409 either


async def test_a_taken_port_and_a_lost_key_are_faults(clinic: Clinic) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    os.environ.pop("TWINPROOF_SERVICE__PORT", None)
    config = (clinic.home / "config.toml").read_text().splitlines()
    config[1] = f"port = {port}"
    (clinic.home / "config.toml").write_text("\n".join(config))
    (clinic.home / "data").mkdir()
    (clinic.home / "data" / "twinproof.db").write_bytes(b"not a database")

    code, found = await clinic.findings()
    server.close()
    await server.wait_closed()

    assert code == 1
    assert str(port) in found["port"]["sentence"]
    assert found["port"]["state"] == "fault"
    assert "restore it from your backup" in found["keys"]["sentence"]
    assert found["book"]["state"] == "fault"


def test_the_needed_permissions_are_those_of_the_local_platform() -> None:
    assert sum(bit for bit, _ in PERMISSIONS.values()) == EVERYTHING
