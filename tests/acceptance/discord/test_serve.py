"""`twinproof serve` on Discord: the whole program, killed without warning and started again."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.gateway import everything_but
from tests.acceptance.discord.limits import Order
from tests.acceptance.discord.people import private
from tests.acceptance.discord.server import until
from tests.acceptance.discord.world import MANAGE_WEBHOOKS, Json
from tests.acceptance.program import Program, free_port, program

pytestmark = pytest.mark.slow
WITHIN_S = 120.0
QUESTION = "hi, who are you?"
# When to kill: at a request's beginning or when it is done, and what its text must have.
MOMENTS = {
    "the first message stands, nobody has noted it": ("done", "POST", "AI twin"),
    "the whole reply is asked for": ("asked", "POST PATCH", "[proof]"),
    "the whole reply stands, nobody has heard of it": ("done", "POST PATCH", "[proof]"),
}


def configure(home: Path, rig: Rig) -> Path:
    secret = home / "discord.token"
    secret.write_text(f"{rig.world.token}\n")
    secret.chmod(0o600)
    config = home / "config.toml"
    config.write_text(
        f'[service]\ndata_dir = "{home / "data"}"\nport = {free_port()}\n'
        'base_url = "https://twins.example.org"\n'
        f'[discord]\ntoken_file = "{secret}"\nmessage_content = false\n'
        f'api_base = "{rig.platform.api_base}"\ngateway_url = "{rig.platform.gateway.url}"\n'
    )
    return config


class Service:
    """The program, served and killed on one folder."""

    def __init__(self, here: Program, config: Path, rig: Rig) -> None:
        self._here = here
        self._config = config
        self._rig = rig
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        sessions = self._rig.platform.gateway.sessions
        for session in sessions:
            session.valid = False
        self.process = self._here.popen("serve", "--config", self._config)
        await until(lambda: any(s.valid and s.socket for s in sessions), within_s=WITHIN_S)

    def kill(self) -> None:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)

    async def gone(self) -> None:
        assert self.process is not None
        await asyncio.to_thread(self.process.communicate)
        await asyncio.to_thread(self._here.wait_gone)

    async def stop_and_audit(self, home: Path) -> tuple[Json, str]:
        """End it as an operator does; return what the audit found, and the log."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        finished = await asyncio.to_thread(self._here.finish, self.process)
        assert finished.code == 0, finished.err
        audit = await asyncio.to_thread(self._here.run, "audit", "--data", home / "data", "--json")
        found: Json = json.loads(audit.out)
        assert (audit.code, found["wrong"]) == (0, [])
        return found, (home / "data" / "twinproof.log").read_text() + finished.err


def delivered(home: Path) -> int:
    """Return how many replies the book has as delivered."""
    with closing(sqlite3.connect(f"file:{home / 'data' / 'twinproof.db'}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT count(*) FROM replies WHERE outcome = 'delivered'").fetchone()
    return int(rows[0])


async def test_the_program_answers_a_fan_stops_cleanly_and_its_book_agrees(
    rig: Rig, tmp_path: Path
) -> None:
    with program(tmp_path) as here:
        service = Service(here, configure(tmp_path, rig), rig)
        await service.start()
        await rig.people.command(rig.ana, rig.room, "talk", twin="mira", text=QUESTION)
        await until(lambda: any("[proof]" in m["content"] for m in rig.seen()), within_s=WITHIN_S)
        found, log = await service.stop_and_audit(tmp_path)

    (reply,) = rig.seen()
    assert reply["author"]["username"].endswith("(AI twin)")
    assert "(<https://twins.example.org/r/" in reply["content"]
    assert (found["checked"]["receipts"], found["checked"]["outcomes"]) == (1, 1)
    assert rig.world.token not in log
    assert "who are you" not in log


@pytest.mark.parametrize("hooks", [True, False], ids=["webhook", "own name"])
@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_in_the_middle_one_reply_one_fee_one_receipt(
    rig: Rig, tmp_path: Path, moment: str, *, hooks: bool
) -> None:
    rig.guild.allowed = rig.guild.allowed if hooks else everything_but(MANAGE_WEBHOOKS)
    stage, verbs, part = MOMENTS[moment]  # a quick reply is posted once, a slower one changed
    killed: list[str] = []
    with program(tmp_path) as here:
        service = Service(here, configure(tmp_path, rig), rig)
        await service.start()
        # A server's own `mira` is picked: a mention then needs no other words.
        await rig.people.command(rig.guild.owner, rig.room, "twin pick", twin="mira")
        await until(lambda: rig.platform.requests("POST", "/callback"), within_s=WITHIN_S)

        def tap(now: str, method: str, path: str, body: Json) -> None:
            fits = now == stage and method in verbs.split() and part in str(body.get("content"))
            if fits and not killed:
                killed.append(path)
                service.kill()
                if stage == "asked":  # and it never got there
                    rig.platform.rest.limits.orders.append(Order(r".*", 1, status=502))

        rig.platform.rest.tap = tap
        await rig.people.say(rig.ana, rig.room, f"{rig.mention} {QUESTION}")
        await until(lambda: killed, within_s=WITHIN_S)
        await service.gone()
        await service.start()
        await until(lambda: delivered(tmp_path) == 1, within_s=WITHIN_S)
        found, _ = await service.stop_and_audit(tmp_path)

    (reply,) = rig.seen()
    assert reply["content"].count("[proof]") == 1
    assert "is writing" not in reply["content"]
    assert (found["checked"]["receipts"], found["checked"]["outcomes"]) == (1, 1)


async def shown(rig: Rig, text: str, *, but: str = "") -> str:
    """Wait for a reply that says something new; return its message's content."""

    def found() -> list[str]:
        contents = [message["content"] for message in rig.seen()]
        return [one for one in contents if text in one and one != but]

    await until(found, within_s=WITHIN_S)
    return found()[0]


async def test_a_fan_has_it_made_again_takes_it_back_and_is_forgotten(
    rig: Rig, tmp_path: Path
) -> None:
    with program(tmp_path) as here:
        service = Service(here, configure(tmp_path, rig), rig)
        await service.start()
        await rig.people.command(rig.guild.owner, rig.room, "twin pick", twin="mira")
        await until(lambda: rig.platform.requests("POST", "/callback"), within_s=WITHIN_S)
        question = await rig.people.say(rig.ana, rig.room, f"{rig.mention} {QUESTION}")
        first = await shown(rig, "[proof]")
        await until(lambda: delivered(tmp_path) == 1, within_s=WITHIN_S)

        await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Another reply")
        second = await shown(rig, "[proof]", but=first)
        await until(lambda: delivered(tmp_path) == 2, within_s=WITHIN_S)
        proof = await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Proof")
        await until(lambda: private(proof), within_s=WITHIN_S)
        exported = await rig.people.command(rig.ana, rig.room, "privacy export")
        await until(lambda: private(exported), within_s=WITHIN_S)
        report = await rig.people.menu(rig.bo, rig.room, "Report reply", rig.seen()[0]["id"])
        await until(lambda: report.answer, within_s=WITHIN_S)
        reported = await rig.people.submit(report, "It is not her.")
        await until(lambda: private(reported), within_s=WITHIN_S)
        await rig.people.delete(rig.room, question)
        await until(lambda: not rig.seen(), within_s=WITHIN_S)
        asked = await rig.people.command(rig.ana, rig.room, "privacy forget")
        await until(lambda: private(asked), within_s=WITHIN_S)
        forgotten = await rig.people.press_private(asked, "Delete for good")
        await until(lambda: private(forgotten), within_s=WITHIN_S)
        found, _ = await service.stop_and_audit(tmp_path)

    assert first.partition("](<")[2] != second.partition("](<")[2]
    assert "#k=" in private(proof)[0]
    file = exported.private[-1]["attachments"][0]
    assert QUESTION.encode() in rig.platform.files.data(file)
    assert private(reported)[0].startswith("Thank you.")
    assert "2 replies" in private(forgotten)[0]
    assert found["checked"]["receipts"] == 2
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("twinproof.db*"))
    assert QUESTION.encode() not in stored
    assert rig.ana.id.encode() not in stored


async def test_killed_while_it_is_made_again_it_is_made_once(rig: Rig, tmp_path: Path) -> None:
    killed: list[str] = []
    with program(tmp_path) as here:
        service = Service(here, configure(tmp_path, rig), rig)
        await service.start()
        await rig.people.command(rig.ana, rig.room, "talk", twin="mira", text=QUESTION)
        first = await shown(rig, "[proof]")
        await until(lambda: delivered(tmp_path) == 1, within_s=WITHIN_S)

        def tap(now: str, method: str, path: str, body: Json) -> None:
            if (now, method) == ("done", "PATCH") and is_new(body) and not killed:
                killed.append(path)
                service.kill()

        def is_new(body: Json) -> bool:  # not the old words without their buttons
            return "[proof]" in str(body.get("content")) and body.get("content") != first

        rig.platform.rest.tap = tap
        await rig.people.press(rig.ana, rig.room, rig.seen()[0]["id"], "Another reply")
        await until(lambda: killed, within_s=WITHIN_S)
        await service.gone()
        await service.start()
        await until(lambda: delivered(tmp_path) == 2, within_s=WITHIN_S)
        found, _ = await service.stop_and_audit(tmp_path)

    (reply,) = rig.seen()
    assert "[proof]" in reply["content"]
    assert reply["content"] != first
    assert (found["checked"]["receipts"], found["checked"]["outcomes"]) == (2, 2)
