"""Many links given to one `twinproof replay`."""

import json
import shutil
from pathlib import Path

import pytest

from bot.cli.commands import FALSE, WRONG
from tests.acceptance.conftest import CommandLine, Demo

pytestmark = pytest.mark.slow


def test_all_replies_are_replayed_in_one_engine_and_summed_up(
    command: CommandLine, first: Demo, model: Path
) -> None:
    finished = command("replay", *first.links, "--data", first.folder, "--model", model)

    assert finished.code == 0, finished.err
    count = len(first.links)
    assert f"{count} of {count} replies are the same, bit for bit." in finished.out
    assert sum(line.endswith(" exact") for line in finished.out.splitlines()) == count
    assert "self-consistent only" in finished.out
    assert finished.err.count("Loading the model") == 1
    assert "#k=" not in finished.out


def test_json_holds_every_reply(command: CommandLine, first: Demo, model: Path) -> None:
    finished = command("replay", *first.links, "--data", first.folder, "--model", model, "--json")

    found = json.loads(finished.out)
    assert finished.code == 0, finished.err
    assert [reply["replay"]["verdict"] for reply in found["replies"]] == ["exact"] * len(
        first.links
    )
    assert found["together"] is None


def test_one_false_proof_among_true_ones_is_named_and_the_others_are_replayed(
    command: CommandLine, first: Demo, model: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "changed.json"
    shutil.copy(first.copies[1], changed)
    changed.write_bytes(changed.read_bytes().replace(b"nindex ", b"nindex 1", 1))
    key = first.links[1].partition("#")[2]

    finished = command(
        *("replay", first.links[0], f"{changed}#{key}", "--data", first.folder, "--model", model),
        "--json",
    )

    true, false = json.loads(finished.out)["replies"]
    assert finished.code == FALSE
    assert str(changed) in finished.err
    assert true["replay"]["exact"] is True
    assert (false["false"], false["link"]) == (True, str(changed))


def test_link_without_its_key_fails_the_command_after_the_others(
    command: CommandLine, first: Demo, model: Path
) -> None:
    bare = first.links[1].partition("#")[0]

    finished = command("replay", first.links[0], bare, "--data", first.folder, "--model", model)

    assert finished.code == WRONG
    assert "1 of 2 replies" in finished.out
    assert "#k=" in finished.err
    assert "Traceback" not in finished.err
