"""A signing desk in memory behind a real page in a real browser."""

from collections.abc import AsyncIterator

import pytest

from tests.acceptance.signing.browser import Visit, open_visit
from tests.fakes.signing import MemorySigningDesk


@pytest.fixture
async def visit() -> AsyncIterator[Visit]:
    desk = MemorySigningDesk()
    async with open_visit(desk, clock=desk.clock, desk=desk) as opened:
        yield opened
