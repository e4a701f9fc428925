"""An operator adds a model from a server; one twin speaks with it, another one with the starter."""

import hashlib
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.program import ROOT, Program, free_port, program
from tests.fakes import gguf_model
from tests.fakes.gguf_model import write_model

pytestmark = pytest.mark.slow


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Program]:
    with program(tmp_path / "home") as made:
        yield made


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Serve tmp_path/served on this machine."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_personas(home: Path, name: str) -> Path:
    """Make a configuration where the twin theo names a model of the store."""
    personas = home / "personas"
    personas.mkdir()
    for slug in ("theo", "mira"):
        shutil.copy(ROOT / "personas" / f"{slug}.toml", personas)
    theo = personas / "theo.toml"
    theo.write_text(f'model = "{name}"\n' + theo.read_text(encoding="utf-8"), encoding="utf-8")
    config = home / "config.toml"
    config.write_text('[personas]\nfolder = "personas"\n', encoding="utf-8")
    return config


def _say(here: Program, twin: str) -> dict[str, Any]:
    finished = here.run("demo", "--port", free_port(), "--twin", twin, "--say", "hi", "--json")
    assert finished.code == 0, finished.err
    reply: dict[str, Any] = json.loads(finished.out)["replies"][0]
    return reply


def test_a_model_from_a_server_answers_for_one_twin_and_the_starter_for_another(
    here: Program, address: str, tmp_path: Path
) -> None:
    served = tmp_path / "served" / "random-chat.gguf"
    write_model(served)
    digest = _digest(served)

    added = here.run("model", "add", f"{address}/random-chat.gguf", "--sha256", digest)
    assert added.code == 0, added.err
    assert digest in added.out
    _write_personas(here.home, "random-chat")
    theo, mira = _say(here, "theo"), _say(here, "mira")
    listed = json.loads(here.run("model", "list", "--json").out)
    verified = here.run("model", "verify")
    by_store = here.run("replay", theo["link"])
    by_starter = here.run("replay", mira["link"])
    removed = here.run("model", "remove", "random-chat")

    for reply in (theo, mira):
        assert reply["levels"] == ["L0", "L1-unwitnessed", "L3-exact"]
    assert [one["sha256"] for one in listed] == [digest]
    assert verified.code == 0
    assert listed[0]["tensors"]["root"] in verified.out
    assert (by_store.code, by_starter.code) == (0, 0), by_store.err + by_starter.err
    assert removed.code == 2
    assert "the twin theo" in removed.complaint
    assert (here.home / "models" / "random-chat.gguf").exists()


def test_a_twin_whose_model_is_away_rests_and_the_others_go_on(
    here: Program, tmp_path: Path
) -> None:
    model = tmp_path / "away.gguf"
    write_model(model)
    assert here.run("model", "add", model, "--yes", "--untried").code == 0
    config = _write_personas(here.home, "away")
    _say(here, "theo")

    removed = here.run("model", "remove", "away", "--force")
    asked = here.run("demo", "--port", free_port(), "--twin", "theo", "--say", "hi", "--json")
    mira = _say(here, "mira")
    checked = here.run("doctor", "--config", config, "--data", here.home / "data" / "demo")

    assert removed.code == 0
    assert asked.code == 2
    assert "its model away is not here" in asked.complaint
    assert mira["text"]
    assert checked.code == 1
    assert "The twin theo rests: its model away is not here" in checked.out


def test_a_hostile_template_is_refused_and_leaves_nothing(
    here: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "hostile.gguf"
    recursion = "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}"
    monkeypatch.setattr(gguf_model, "CHATML", recursion + gguf_model.CHATML)
    write_model(model)

    refused = here.run("model", "add", model, "--yes")

    assert refused.code == 2
    assert "chat template" in refused.complaint
    assert list(here.home.iterdir()) == []
