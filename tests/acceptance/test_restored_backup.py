"""An old copy of the database is put back: nothing is signed until its operator continues the log.

With a witness as a process of its own, which must never be shown two heads of one log.
"""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import pytest

from bot.config import Settings, load_settings
from bot.crypto import merkle
from bot.crypto.signed_note import VerifierKey, parse_vkey
from bot.domain.errors import RestoredBackupError
from bot.ports.checks import Finding, State
from bot.receipts.log import append_leaf, prove_inclusion
from bot.transparency.cosigning import Standing
from bot.transparency.growth import parse_head
from bot.transparency.lineage import parse_seals
from bot.wiring.epoch_checks import look_at_epochs
from bot.wiring.keys import ServiceKeys
from bot.wiring.own_log import OpenLog, open_checked_log
from bot.wiring.reads_only import CLOSED, open_reading
from bot.wiring.stores import DATABASE, Stores, open_chain_snapshot, open_stores
from tests.acceptance.program import Finished, Program, free_port, wait_until, write_config
from tests.fakes.chain import MemoryChain
from tests.witness_program import ROOT, WitnessProgram, run_program

KEPT, LOST = 5, 3


@dataclass(slots=True)
class Running:
    """The log's part of a service that has started."""

    stores: Stores
    keys: ServiceKeys
    log: OpenLog

    async def grow(self, *leaves: bytes) -> str:
        """Append leaves, sign a head, have it cosigned; return it as it is shown."""
        async with self.stores.replies.transaction() as tx:
            for leaf in leaves:
                await append_leaf(tx, leaf)
        signed = await self.keys.log_signer.publish(self.stores.replies)
        assert signed is not None
        async with asyncio.timeout(60):
            while True:
                note = await self.log.public.checkpoint() or ""
                if note.startswith(signed.note) and note != signed.note:
                    return note
                await asyncio.sleep(0.1)


@dataclass(slots=True)
class Place:
    """A data folder, its configuration, and a witness."""

    folder: Path
    config: Path
    settings: Settings
    witness: WitnessProgram

    @asynccontextmanager
    async def start(self) -> AsyncIterator[Running]:
        """Start what signs the log, as the service does."""
        keys = ServiceKeys.load(self.folder / "keys", fresh=not (self.folder / DATABASE).exists())
        async with (
            open_stores(self.folder) as stores,
            open_checked_log(self.settings.log, self.folder, keys, stores, MemoryChain()) as (
                present,
                log,
            ),
        ):
            yield Running(stores, present, log)

    async def size(self) -> tuple[int, int]:
        """Return how many leaves there are, and the size of the newest signed head."""
        async with open_stores(self.folder) as stores, stores.replies.reading() as tx:
            head = await tx.latest_checkpoint()
            return await tx.log_size(), 0 if head is None else head.size

    async def go_on(self, *options: str) -> CompletedProcess[str]:
        """Run `twinproof log continue`."""
        return await asyncio.to_thread(
            run_program, "log", "continue", "--config", str(self.config), "--json", *options
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    folder = tmp_path / "data"
    folder.mkdir()
    keys = ServiceKeys.load(folder / "keys", fresh=True)
    witness = WitnessProgram.make(tmp_path / "w", "one.example/w", keys.log_verifier.encode())
    witness.start()
    config = tmp_path / "config.toml"
    config.write_text(
        f'[service]\ndata_dir = "{folder}"\nport = {free_port()}\n'
        f'[log]\nquorum = 1\n[[log.witnesses]]\nurl = "{witness.url}"\nkey = "{witness.vkey}"\n'
    )
    yield Place(folder, config, load_settings(config), witness)
    witness.kill()


async def _lose(place: Place) -> VerifierKey:
    """Let the log grow, put back an old copy, and return the log's key."""
    copy = place.folder.parent / "copy.db"
    async with place.start() as running:
        await running.grow(*[b"leaf %d" % number for number in range(KEPT)])
    await asyncio.to_thread(shutil.copy, place.folder / DATABASE, copy)
    async with place.start() as running:
        await running.grow(*[b"lost %d" % number for number in range(LOST)])
        log = running.keys.log_verifier
    for left in place.folder.glob(f"{DATABASE}*"):
        left.unlink()
    await asyncio.to_thread(shutil.copy, copy, place.folder / DATABASE)
    return log


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_restored_copy_signs_nothing_and_goes_on_in_another_log(  # noqa: PLR0915
    place: Place,
) -> None:
    log = await _lose(place)

    with pytest.raises(RestoredBackupError) as refused:
        async with place.start():
            pass
    after_start = await place.size()
    async with open_reading(place.settings) as base, aiohttp.ClientSession() as session:
        async with session.get(f"{base}/log/checkpoint") as answer:
            shown = parse_head(await answer.text(), log)
        async with session.get(f"{base}/log/tile/entries/000.p/{KEPT}") as answer:
            tile = answer.status
    planned = await place.go_on("--dry-run")
    after_plan = await place.size()
    done = await place.go_on("--yes", "--origin", "new.example/log")
    successor = parse_vkey(json.loads(done.stdout)["successor"])
    again = await place.go_on("--yes")

    place.witness.kill()
    place.witness.log = successor.encode()  # its operator was told of the new log
    await asyncio.to_thread(
        place.witness.start, int(place.witness.url.rsplit(":", 1)[1].strip("/"))
    )
    async with place.start() as running:
        note = await running.grow(b"new")
        head = parse_head(note, successor)
        async with running.stores.replies.reading() as tx:
            proof = await prove_inclusion(tx, index=2, size=head.size)
        seals = parse_seals(await running.log.public.seals())
        standing = running.log.cosigning.reports["one.example/w"].standing
    status = await asyncio.to_thread(
        run_program, "witness", "status", "--data", str(place.witness.folder), "--json"
    )

    assert "it knows 8 leaves, this log has 5" in str(refused.value)
    assert "twinproof log continue" in str(refused.value)
    assert after_start == after_plan == (KEPT, KEPT)
    assert (shown.size, tile) == (KEPT, 200)
    assert planned.returncode == done.returncode == 0, planned.stderr + done.stderr
    plan = json.loads(planned.stdout)
    assert (plan["size"], plan["kept"], plan["lost"]) == (KEPT + LOST, KEPT, LOST)
    assert plan["successor"] is None
    assert successor.name == "new.example/log"
    assert again.returncode == 2
    assert "needs no successor" in again.stderr
    assert head.size == KEPT + 2
    merkle.verify_inclusion(
        index=2,
        size=head.size,
        leaf=merkle.leaf_hash(b"leaf 2"),
        proof=proof,
        root=head.root,
    )
    assert [(one.statement.log, one.statement.kept) for one in seals] == [(log, KEPT)]
    assert standing is Standing.COSIGNED
    seen = json.loads(status.stdout)
    assert seen["conflicts"] == []
    assert {name: one["size"] for name, one in seen["heads"].items()} == {
        log.name: KEPT + LOST,
        successor.name: KEPT + 2,
    }


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_key_that_a_killed_try_has_left_is_used_by_the_next(place: Place) -> None:
    await _lose(place)
    made = place.folder / "keys" / "log-2.key"
    made.write_text("5a" * 32 + "\n")  # killed before the seal was written
    made.chmod(0o600)

    with pytest.raises(RestoredBackupError):
        async with place.start():
            pass
    done = await place.go_on("--yes")

    assert done.returncode == 0, done.stderr
    assert made.read_text() == "5a" * 32 + "\n"
    async with place.start() as running:
        assert running.keys.log == bytes.fromhex("5a" * 32)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_witness_that_is_away_stops_nothing(place: Place) -> None:
    place.witness.kill()

    async with place.start() as running:
        (report,) = running.log.cosigning.reports.values()

    assert report.standing is Standing.AWAY
    assert "answers nobody" in CLOSED


@dataclass(slots=True)
class Operator:
    """A service on its defaults with one witness, and what its fans keep."""

    here: Program
    config: Path
    data: Path
    port: int
    witness: WitnessProgram

    @classmethod
    def open(cls, here: Program, model: Path) -> "Operator":
        """Make keys and a witness, and write the configuration of both."""
        data, port = here.home / "data", free_port()
        data.mkdir()
        log = ServiceKeys.load(data / "keys", fresh=True).log_verifier
        witness = WitnessProgram.make(here.home / "w", "one.example/w", log.encode())
        witness.start()
        token = here.home / "bot.token"
        token.write_text("7001:" + "A" * 35)
        token.chmod(0o600)
        config = write_config(
            here.home,
            model,
            f'[service]\ndata_dir = "{data}"\nport = {port}\n'
            f'[telegram]\nbots = [{{ token_file = "{token}", twin = "mira" }}]\n'
            f'[log]\nquorum = 1\n[[log.witnesses]]\nurl = "{witness.url}"\n'
            f'key = "{witness.vkey}"\n',
        )
        return cls(here, config, data, port, witness)

    def say(self, *texts: str) -> dict[str, Any]:
        """Run the demo, say something, and return what it printed."""
        words = [word for text in texts for word in ("--say", text)]
        done = self.here.run(
            "demo", "--config", self.config, "--data", self.data, "--port", self.port,
            "--twin", "mira", *words, "--json",
        )  # fmt: skip
        assert done.code == 0, done.err
        result: dict[str, Any] = json.loads(done.out)
        assert result["audit"] == {"passed": True, "wrong": []}
        return result

    def keep(self, reply: dict[str, Any], name: str) -> str:
        """Keep a reply's bundle as its fan does; return it with its key."""
        kept = self.here.home / f"{name}.json"
        shutil.copy(reply["bundle"], kept)
        return f"{kept}#{reply['link'].partition('#')[2]}"

    def lose(self, backup: Path) -> None:
        """Put an old copy of the database back; the chain stays as it is."""
        for left in self.data.glob(f"{DATABASE}*"):
            left.unlink()
        shutil.copy(backup, self.data / DATABASE)

    def continue_log(self) -> dict[str, Any]:
        """Seal the log, and tell the witness of the new one."""
        done = self.here.run("log", "continue", "--config", self.config, "--yes", "--json")
        assert done.code == 0, done.err
        said: dict[str, Any] = json.loads(done.out)
        self.witness.kill()
        self.witness.log = said["successor"]
        self.witness.start(int(self.witness.url.rsplit(":", 1)[1].strip("/")))
        return said

    async def look_at_epochs(self) -> list[Finding]:
        """Do what the check-up does about settlement."""
        async with open_chain_snapshot(self.data) as chain:
            assert chain is not None
            return await look_at_epochs((await chain.contract()).commitment, self.data)

    def audit(self, *bundles: str) -> Finished:
        """Audit, with bundles that fans have kept."""
        options = [word for one in bundles for word in ("--bundle", one.partition("#")[0])]
        return self.here.run("audit", "--data", self.data, "--json", *options)

    def verify(self, bundle: str, policy: Path) -> tuple[Finished, Finished]:
        """Verify with the program, and with the file that stands alone."""
        program = self.here.run("verify", bundle, "--trust", policy, "--json")
        alone = subprocess.run(
            [sys.executable, ROOT / "docs/verify_receipt.py", bundle, "--policy", policy, "--json"],
            capture_output=True,
            text=True,
            check=False,
        )
        return program, Finished(alone.returncode, alone.stdout, alone.stderr)


def _get(address: str, body: dict[str, str] | None = None) -> tuple[int, bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = Request(address, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - ours
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def _answers(port: int) -> bool:
    try:
        return _get(f"http://127.0.0.1:{port}/healthz")[0] == 200
    except OSError:
        return False


def _serve_reads(operator: Operator, receipt_id: str) -> tuple[bytes, str, Finished]:
    """Serve an old copy: return an old bundle, the refusal of a message, and how it ended."""
    process = operator.here.popen("serve", "--config", operator.config)
    wait_until(lambda: _answers(operator.port), "the reads")
    base = f"http://127.0.0.1:{operator.port}"
    bundle = _get(f"{base}/r/{receipt_id}.json")
    said = {"twin": "mira", "fan": "f" * 16, "id": "i" * 16, "text": "hi"}
    status, refusal = _get(f"{base}/api/talk", said)
    process.send_signal(signal.SIGTERM)
    assert (bundle[0], status) == (200, 422)
    return bundle[1], refusal.decode(), operator.here.finish(process)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_proofs_from_before_and_after_a_loss_hold_and_the_audit_passes(
    twinproof: Program, model: Path
) -> None:
    operator = Operator.open(twinproof, model)
    try:
        first = operator.say("hi")["replies"][0]
        old = operator.keep(first, "old")
        before = operator.here.home / "before.json"
        shutil.copy(operator.data / "trust.json", before)
        backup = operator.here.home / "backup.db"
        shutil.copy(operator.data / DATABASE, backup)
        more = operator.say("Where do you live?", "What is your favourite food?", "Why?")
        lost = operator.keep(more["replies"][1], "lost")

        operator.lose(backup)
        receipt_id = first["link"].partition("#")[0].rpartition("/")[2]
        served, refusal, ended = _serve_reads(operator, receipt_id)
        sealed = operator.continue_log()
        deferred = operator.say("And now?")
        new = operator.keep(deferred["replies"][0], "new")
        (waits,) = asyncio.run(operator.look_at_epochs())
        audited = operator.audit(old, lost, new)
        grown = operator.say("Once more?")
        found = operator.audit(old, lost, new)
        policies = {old: before, lost: before, new: operator.data / "trust.json"}
        verified = {one: operator.verify(one, policy) for one, policy in policies.items()}
    finally:
        operator.witness.kill()

    assert ended.code == 2
    assert "twinproof log continue" in " ".join(ended.err.split())
    assert CLOSED in refusal
    assert json.loads(served)["v"] == "twinproof-bundle/2"
    assert sealed["lost"] == 6  # three replies and their outcomes
    assert waits.state is State.WARNING
    assert "fees are committed again when it has more" in waits.sentence
    assert deferred["settlement"]["epoch"] == 1  # of the backup: nothing new could be committed
    assert grown["settlement"]["epoch"] == more["settlement"]["epoch"] + 1
    for run in (audited, found):
        assert (run.code, json.loads(run.out)["wrong"]) == (0, [])
    assert json.loads(found.out)["checked"]["epochs of a lost book"] == 1
    for program, alone in verified.values():
        assert program.code == 0, program.out + program.err
        assert alone.code == 0, alone.out + alone.err
