"""A short soak; `python -m bench.soak` runs the long one."""

import asyncio
from pathlib import Path

import pytest

from bench.soak import soak


@pytest.mark.slow
def test_replies_with_churn_are_exact_and_leave_nothing_behind(tmp_path: Path) -> None:
    seen = asyncio.run(soak(200, tmp_path))

    assert seen.requests >= 200
    assert seen.finished + seen.cancelled == seen.requests
    assert seen.cancelled > 0
    assert seen.halted > 0
    assert seen.exact == seen.replayed > 0
    assert seen.growth < 0.1
    assert max(seen.files) - min(seen.files) <= 2
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 33 * 2**20
