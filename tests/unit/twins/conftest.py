"""The stage over both stores; every test ends with an audit that must pass."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.sqlite.audit import SqliteAuditReader
from adapters.sqlite.database import Database
from adapters.sqlite.earnings import SqliteEarnings
from adapters.sqlite.epochs import SCHEMA as EPOCHS_SCHEMA
from adapters.sqlite.epochs import SqliteEpochStore
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from tests.stage import Stage, memory_stage


@pytest.fixture(params=["memory", "sqlite"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    if request.param == "memory":
        opened = memory_stage()
        yield opened
        assert (await opened.audit()).wrong == []
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, EPOCHS_SCHEMA)
    database = await Database.open(tmp_path / "twinproof.db", schema=schema)
    opened = Stage(
        store=SqliteStore(database),
        reader=SqliteAuditReader(database),
        epochs=SqliteEpochStore(database),
        earnings=SqliteEarnings(database),
    )
    yield opened
    findings = await opened.audit()
    await database.close()
    assert findings.wrong == []
