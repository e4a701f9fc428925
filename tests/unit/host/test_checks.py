"""Looks at the machine change nothing and see what is there."""

import socket
from pathlib import Path

import pytest
from aiohttp import web

from adapters.files.data_folder import DataFolder
from adapters.host import checks
from bot.ports.checks import OpenFile


def test_a_folder_that_is_not_there_is_judged_by_where_it_would_be_made(tmp_path: Path) -> None:
    facts = checks.look_at_data_folder(tmp_path / "new" / "data")

    assert (facts.exists, facts.is_writable, facts.is_held) == (False, True, False)
    assert facts.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert not checks.look_at_data_folder(tmp_path / "file" / "data").is_writable


def test_a_held_folder_is_seen_and_stays_held(tmp_path: Path) -> None:
    folder = DataFolder.claim(tmp_path)

    assert checks.look_at_data_folder(tmp_path).is_held
    assert checks.look_at_data_folder(tmp_path).is_held
    folder.release()
    assert not checks.look_at_data_folder(tmp_path).is_held
    DataFolder.claim(tmp_path).release()  # the look has given the lock back


def test_files_that_others_may_use_are_named_with_their_mode(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "creators").mkdir(parents=True)
    for path, mode in ((keys / "a.key", 0o600), (keys / "creators" / "b.key", 0o640)):
        path.touch()
        path.chmod(mode)
    keys.chmod(0o700)
    (keys / "creators").chmod(0o755)

    assert checks.find_open_files(keys) == [
        OpenFile(str(keys / "creators"), "755"),
        OpenFile(str(keys / "creators" / "b.key"), "640"),
    ]


def test_free_memory_is_read_or_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "meminfo"
    monkeypatch.setattr(checks, "MEMINFO", table)

    assert checks.free_memory_bytes() is None
    table.write_text("MemTotal: 10 kB\nMemAvailable:    2048 kB\n")
    assert checks.free_memory_bytes() == 2048 * 1024
    table.write_text("MemAvailable: much\n")
    assert checks.free_memory_bytes() is None


@pytest.mark.parametrize(
    ("answer", "is_well"),
    [('{"status": "ok"}', True), ('{"status": "no"}', False), ("[]", False), ("hello", False)],
)
async def test_a_server_is_ours_by_what_it_answers(answer: str, is_well: bool) -> None:  # noqa: FBT001
    async def health(_request: web.Request) -> web.Response:
        return web.Response(text=answer, content_type="application/json")

    app = web.Application()
    app.router.add_get("/healthz", health)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        assert await checks.answers_http(f"{base}/healthz") is is_well
        assert not await checks.answers_http(f"{base}/other")
    finally:
        await runner.cleanup()


async def test_nobody_there_is_no() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]

        assert not await checks.answers_http(f"http://127.0.0.1:{port}/healthz")
