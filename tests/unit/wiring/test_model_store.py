"""The operator's store: what is recorded of an address, and what `verify` says of a store."""

import asyncio
import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from bot.cli.commands import run
from bot.config import ModelSettings, Settings
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import MAX_ADDRESS
from bot.wiring.engine import no_progress
from bot.wiring.model_store import Added, Wanted, add_model, list_models
from tests.fakes.gguf_model import write_model

pytestmark = pytest.mark.slow


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    write_model(served / "m.gguf")
    handler = partial(_Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/m.gguf"
        server.shutdown()
        thread.join()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings whose store is `here/models`, the working directory's."""
    home = tmp_path / "here"
    home.mkdir()
    monkeypatch.chdir(home)
    return Settings(model=ModelSettings(store="models"))


async def _add(settings: Settings, source: str, name: str = "") -> Added:
    wanted = Wanted(source=source, name=name, is_tried=False)
    return await add_model(settings, wanted, accept=lambda _: True, progress=no_progress)


async def test_a_record_keeps_an_address_without_the_keys_in_it(
    settings: Settings, address: str
) -> None:
    added = await _add(settings, f"{address}?signature={'secret' * 500}#part")

    assert added.record.source == address
    assert list_models(settings).records == (added.record,)


async def test_a_record_keeps_no_more_of_an_address_than_it_may(
    settings: Settings, address: str
) -> None:
    long = address.replace("/m.gguf", "/./" + "./" * MAX_ADDRESS + "m.gguf")

    added = await _add(settings, long, name="m")

    assert added.record.source == long[:MAX_ADDRESS]
    assert list_models(settings).records == (added.record,)


@pytest.mark.parametrize("source", ["https://[", "https://a.example:99999/m.gguf"])
def test_what_is_no_address_is_refused_before_anything_is_made(
    settings: Settings, source: str
) -> None:
    with pytest.raises(ConfigurationError, match="This is no address"):
        asyncio.run(_add(settings, source))

    assert not Path(settings.model.store).exists()


def test_verify_of_an_empty_store_says_that_it_is_empty(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list_models(settings).records == ()

    assert run(["model", "verify"]) == 0

    told = capsys.readouterr().err
    assert "no model in the store yet" in told
    assert "Verified" not in told


@pytest.mark.parametrize("fault", ["a lost file", "a damaged record"])
def test_verify_reports_what_the_store_has_lost(
    settings: Settings, address: str, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    path = asyncio.run(_add(settings, address)).path
    if fault == "a lost file":
        path.unlink()
    else:
        path.with_suffix(".json").write_bytes(b"{}")

    code = run(["model", "verify"])

    told = capsys.readouterr().err
    assert code == 1
    assert ("has lost its file" if fault == "a lost file" else "can't be used") in told
    assert "Verified" not in told


def test_verify_of_a_whole_model_counts_it(
    settings: Settings, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = asyncio.run(_add(settings, address)).path

    code = run(["model", "verify"])

    shown = capsys.readouterr()
    assert code == 0
    assert "Verified: 1 of 1" in shown.err
    assert hashlib.sha256(path.read_bytes()).hexdigest() in shown.out
