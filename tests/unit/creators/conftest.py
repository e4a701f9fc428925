"""A creators' house over fakes; every test ends with an audit that must pass."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.creators.house import House, memory_house


@pytest.fixture
async def house() -> AsyncIterator[House]:
    opened = await memory_house().open()
    yield opened
    assert (await opened.stage.audit()).wrong == []
