"""A log of this process, and witnesses of it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.log_rig import LogRig, log_rig


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[LogRig]:
    async with log_rig(tmp_path / "log") as opened:
        yield opened
