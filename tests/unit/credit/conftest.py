"""Fans' money over the store in memory, and over SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from tests.credit_rig import CreditRig, open_rig
from tests.stage import Stage, memory_stage


@pytest.fixture(params=["memory", "sqlite"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    if request.param == "memory":
        yield memory_stage()
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    yield Stage(store=SqliteStore(database), reader=SqliteAuditReader(database))
    await database.close()


@pytest.fixture
async def rig(stage: Stage) -> CreditRig:
    return await open_rig(stage)
