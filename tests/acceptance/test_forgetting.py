"""The running program honours a tombstone at its start, before it answers anybody."""

import json
from pathlib import Path

import pytest

from bot.cli.demo import FAN
from bot.ports.fans import Person
from bot.twins.forgotten import Forgotten
from tests.acceptance.program import copy_model, free_port, program, write_config

pytestmark = pytest.mark.slow

SECRET, LATER = "my secret garden is by the river", "where do you live?"


def _holds(folder: Path, text: str) -> list[str]:
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    ]


def test_start_after_a_tombstone_forgets_before_anything_is_answered(tmp_path: Path) -> None:
    config = write_config(tmp_path, copy_model(tmp_path))
    data = tmp_path / "data"
    options = ("--config", config, "--data", data, "--twin", "mira", "--port", free_port())
    with program(tmp_path / "home") as twinproof:
        first = twinproof.run("demo", *options, "--say", SECRET, "--json")
        assert first.code == 0, first.err
        assert _holds(data, SECRET) == ["twinproof.db"]
        key = bytes.fromhex((data / "keys" / "erasures.key").read_text())
        digest = Forgotten(key).digest_of(Person("terminal", FAN))
        line = {"at": "2100-01-01T00:00:00+00:00", "digest": digest.hex()}
        (data / "erasures.jsonl").write_text(json.dumps(line) + "\n")

        second = twinproof.run("demo", *options, "--say", LATER, "--json")

        assert second.code == 0, second.err
        assert json.loads(second.out)["audit"] == {"passed": True, "wrong": []}
        assert _holds(data, SECRET) == []
        assert _holds(data, LATER) == ["twinproof.db"]
        assert len(list((data / "proofs").iterdir())) == 1
        audit = twinproof.run("audit", "--data", data)
        assert "everything agrees" in audit.out
