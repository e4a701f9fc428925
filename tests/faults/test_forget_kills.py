"""Forgetting is killed at every durable write, restored from a backup, and always happens.

What was asked for may be late by a restart, and is never half done, doubled or undone.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from adapters.files.erasures import TombstoneFile
from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.fans import SqliteFanRecords
from adapters.sqlite.replies import SqliteStore
from bot.domain.errors import AdmissionError
from bot.domain.ledger import SPONSOR
from bot.domain.money import NANO
from bot.ports.erasures import Tombstone
from bot.ports.fans import Person
from bot.wiring.stores import DATABASE
from tests.fakes.faults import EXPECTED, Fault, FaultPlan, FaultyDatabase, Killed
from tests.fans_rig import FansRig, sqlite_rig
from tests.stage import PRICE, Stage, message

SECRET = "my secret garden"  # noqa: S105 - words
ANA = Person("terminal", "ana-7731")
WRITES = (1, 2, 3)  # what is unsettled; the erasure; that its bytes are overwritten


@asynccontextmanager
async def _faulty(folder: Path, plan: FaultPlan) -> AsyncIterator[FansRig]:
    """The same database behind writes that fail as planned; `sqlite_rig` has made it."""
    database = FaultyDatabase(await Database.open(folder / DATABASE, schema=()), plan)
    stage = Stage(store=SqliteStore(database), reader=SqliteAuditReader(database))
    tombstones = TombstoneFile(folder / "erasures.jsonl")
    try:
        yield FansRig(stage, SqliteFanRecords(database), tombstones, folder)
    finally:
        await database.close()


async def _talk(folder: Path) -> None:
    """Leave a delivered, an undecided and somebody else's reply, and a saved bundle."""
    async with sqlite_rig(folder) as rig:
        await rig.stage.open()
        shown = await rig.ask(message(SECRET, number="first", fan=ANA.fan))
        bundle = await rig.stage.proofs.bundle(shown.receipt_id)
        assert bundle is not None
        rig.saved.save(shown.receipt_id, bundle)
        await rig.stage.say(SECRET, number="second", fan=ANA.fan)
        await rig.ask(message("ben's own", number="b", fan="ben"))


def _left(folder: Path) -> list[str]:
    """Return the files in which there is still anything of ana's."""
    needles = (SECRET.encode(), ANA.fan.encode())
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


async def _check_after_restart(folder: Path) -> None:
    async with sqlite_rig(folder) as rig:
        await rig.fans.replay()
        await rig.stage.open()
        records = await rig.stage.reader.read_all()
        assert [r.outcome for r in records.replies] == ["delivered", "withdrawn", "delivered"]
        assert [r.fan_text for r in records.replies] == ["", "", "ben's own"]
        assert await rig.stage.balance(SPONSOR) == 10 * NANO - 2 * PRICE
        assert (await rig.stage.audit()).wrong == []
        rig.stage.daily_messages = 2
        with pytest.raises(AdmissionError, match="2 messages"):
            await rig.ask(message("hello", number="third", fan=ANA.fan))
    assert _left(folder) == []
    assert list((folder / "proofs").iterdir()) == []


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("write", WRITES)
async def test_forgetting_that_fails_at_a_write_is_done_after_the_restart(
    tmp_path: Path, write: int, fault: Fault
) -> None:
    await _talk(tmp_path)
    plan = FaultPlan(at=write, fault=fault)
    async with _faulty(tmp_path, plan) as rig:
        with pytest.raises(EXPECTED):
            await rig.fans.forget(*_of(ANA))
        assert plan.fired

    await _check_after_restart(tmp_path)


async def test_forgetting_makes_exactly_these_writes(tmp_path: Path) -> None:
    await _talk(tmp_path)
    plan = FaultPlan()
    async with _faulty(tmp_path, plan) as rig:
        await rig.fans.forget(*_of(ANA))

    assert len(plan.writes) == len(WRITES)
    assert _left(tmp_path) == []
    await _check_after_restart(tmp_path)


@pytest.mark.parametrize("fault", [Fault.KILLED_BEFORE, Fault.KILLED_AFTER])
@pytest.mark.parametrize("write", WRITES)
async def test_replay_that_is_killed_too_is_done_by_the_next_one(
    tmp_path: Path, write: int, fault: Fault
) -> None:
    await _talk(tmp_path)
    async with _faulty(tmp_path, FaultPlan(at=1, fault=Fault.KILLED_BEFORE)) as rig:
        with pytest.raises(Killed):
            await rig.fans.forget(*_of(ANA))
    assert _left(tmp_path) != []
    async with _faulty(tmp_path, FaultPlan(at=write, fault=fault)) as rig:
        with pytest.raises(Killed):
            await rig.fans.replay()

    await _check_after_restart(tmp_path)


async def test_backup_that_is_restored_brings_nobody_back(tmp_path: Path) -> None:
    await _talk(tmp_path)
    backup = tmp_path.parent / f"{tmp_path.name}-backup.db"
    shutil.copyfile(tmp_path / DATABASE, backup)
    async with sqlite_rig(tmp_path) as rig:
        await rig.fans.forget(*_of(ANA))
    for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copyfile(backup, tmp_path / DATABASE)
    assert _left(tmp_path) == [DATABASE]

    await _check_after_restart(tmp_path)


async def test_tombstone_that_was_not_written_forgets_nothing(tmp_path: Path) -> None:
    await _talk(tmp_path)
    (tmp_path / "erasures.jsonl").mkdir()
    async with sqlite_rig(tmp_path) as rig:
        with suppress(*EXPECTED):
            await rig.fans.forget(*_of(ANA))
        assert await rig.records.knows(ANA)


async def test_tombstone_of_nobody_here_is_noted_once(tmp_path: Path) -> None:
    await _talk(tmp_path)
    async with sqlite_rig(tmp_path) as rig:
        await rig.tombstones.add(Tombstone(bytes(32), rig.stage.clock.now()))
        assert await rig.fans.replay() == 0
        assert len(await rig.records.erasures()) == 1
        assert await rig.fans.replay() == 0
        assert await rig.records.knows(ANA)


def _of(person: Person) -> tuple[str, str]:
    return person.platform, person.fan
