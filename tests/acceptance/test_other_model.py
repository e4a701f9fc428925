"""An operator puts another model in the starter's place: by path and hash, in the configuration."""

import hashlib
import json
from pathlib import Path

import pytest

from tests.acceptance.program import free_port, program
from tests.fakes.gguf_model import write_model

pytestmark = pytest.mark.slow


def test_another_gguf_answers_under_a_new_manifest_and_replays_exactly(
    tmp_path: Path,
) -> None:
    model = tmp_path / "other.gguf"
    write_model(model)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    config = tmp_path / "other.toml"
    config.write_text(f'[model]\npath = "{model}"\nsha256 = "{digest}"\nname = "Other"\n')
    ask = ("demo", "--port", free_port(), "--twin", "theo", "--say", "hi", "--json")

    with program(tmp_path / "home") as here:
        finished = here.run(*ask, "--config", config)
        assert finished.code == 0, finished.err
        reply = json.loads(finished.out)["replies"][0]
        verified = here.run("verify", reply["link"], "--json")
        replayed = here.run("replay", reply["link"], "--model", model)
        by_starter = here.run("replay", reply["link"])

    assert reply["levels"] == ["L0", "L1-unwitnessed", "L3-exact"]
    assert json.loads(verified.out)["twin"] == "Theo Keller"
    assert replayed.code == 0
    assert by_starter.code == 2
    assert digest in by_starter.complaint
