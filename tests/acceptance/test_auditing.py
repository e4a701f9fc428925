"""An auditor's whole way: replies of a running service, sampled, replayed, signed, logged, seen."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from bot.cli.commands import FALSE, LATER, WRONG
from bot.crypto.dsse import parse_envelope
from bot.crypto.signed_note import Checkpoint, parse_vkey, sign_note
from bot.domain.statements import VerdictStatement
from tests.acceptance.conftest import SAID, CommandLine, Demo
from tests.acceptance.program import Program, free_port, wait_until

pytestmark = pytest.mark.slow


@dataclass(frozen=True, slots=True)
class House:
    """A service that takes this auditor's verdicts, and what the auditor has.

    Attributes:
        log: its address.
        links: the links of the first run's replies, at this service.
        home: the auditor's folder with `auditor.key`, `links.txt` and `policy.json`.
    """

    log: str
    links: list[str]
    home: Path
    folder: Path


@pytest.fixture(scope="module")
def house(
    shared: Program, config: Path, first: Demo, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    home = tmp_path_factory.mktemp("auditor")
    made = shared.run("audit-key", home / "auditor.key")
    assert made.code == 0, made.err
    auditor, port, folder = made.out.strip(), free_port(), shared.home / "audited"
    shutil.copytree(first.folder, folder)
    process = shared.popen(
        *("demo", "--config", config, "--data", folder, "--port", port),
        stdin=subprocess.PIPE,
        environment={"TWINPROOF_LOG__AUDITORS": json.dumps([auditor])},
    )
    try:
        wait_until(lambda: _serves(port), "the service")
        links = [link.replace(f":{first.port}/", f":{port}/") for link in first.links]
        (home / "links.txt").write_text("\n".join(links) + "\n", encoding="utf-8")
        keys = json.loads((folder / "trust.json").read_text(encoding="utf-8"))
        policy = {
            "v": "twinproof-policy/1",
            "creators": keys["creators"],
            "logs": keys["logs"],
            "witnesses": [],
            "needed": 0,
            "auditors": [auditor],
            "anchors": [],
            "revoked": [],
        }
        (home / "policy.json").write_text(json.dumps(policy), encoding="utf-8")
        yield House(f"http://127.0.0.1:{port}/log", links, home, folder)
    finally:
        left = shared.finish(process, b"/quit\n")
    assert left.code == 0, left.err


def _serves(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/log/checkpoint", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _sample(house: House, out: str, model: Path, *extra: object) -> list[object]:
    return [
        *("audit-sample", house.home / "links.txt", "--log", house.log, "--share", "1"),
        *("--key", house.home / "auditor.key", "--policy", house.home / "policy.json"),
        *("--data", house.home, "--model", model, "-o", house.home / out),
        *extra,
    ]


def test_from_links_to_l4(command: CommandLine, house: House, model: Path) -> None:
    sampled = command(*_sample(house, "verdicts.jsonl", model))
    lines = (house.home / "verdicts.jsonl").read_bytes().splitlines()
    said = [VerdictStatement.parse(parse_envelope(line).payload) for line in lines]
    sent = command("audit-send", house.home / "verdicts.jsonl", "--log", house.log)
    again = command("audit-send", house.home / "verdicts.jsonl", "--log", house.log)

    assert sampled.code == 0, sampled.err
    assert f"draws {len(SAID)} of {len(SAID)} verified replies" in sampled.out
    assert sampled.err.count("Loading the model") == 1
    assert [one.verdict.word for one in said] == ["exact"] * len(SAID)
    for text in (*SAID, "#k="):
        assert text not in sampled.out + sampled.err
        assert text.encode() not in b"".join(parse_envelope(line).payload for line in lines)
    assert (sent.code, again.code) == (0, 0), sent.err
    assert sent.out.count("taken, leaf") == len(SAID)
    assert again.out.count("stood there before") == len(SAID)

    policy = ("--policy", house.home / "policy.json", "--data", house.home)
    shown: list[str] = []

    def seen() -> bool:
        verified = command("verify", house.links[0], *policy)
        shown[:] = [verified.out]
        return verified.code == 0 and "Auditors (L4)" in verified.out

    wait_until(seen, "a head over the verdicts", 20)
    assert "the same reply, bit for bit" in shown[0]
    found = command("audit", "--data", house.folder)
    assert found.code == 0, found.out
    assert f"{len(SAID)} verdicts of auditors" in found.out


def test_one_reply_that_is_false_is_found_and_the_others_are_signed(
    command: CommandLine, house: House, first: Demo, model: Path
) -> None:
    changed = house.home / "changed.json"
    shutil.copy(first.copies[1], changed)
    changed.write_bytes(changed.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    links = house.home / "some.txt"
    key = house.links[1].partition("#")[2]
    links.write_text(f"{house.links[0]}\n{changed}#{key}\n", encoding="utf-8")
    words = _sample(house, "some.jsonl", model, "--json")
    words[1] = links

    finished = command(*words)

    found = json.loads(finished.out)
    assert finished.code == FALSE
    assert [one["false"] for one in found["refused"]] == [True]
    assert [one["verdict"] for one in found["verdicts"]] == ["exact"]
    assert len((house.home / "some.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_a_head_that_is_not_newer_is_refused_and_nothing_is_replayed(
    command: CommandLine, house: House, model: Path
) -> None:
    """The service's own key signs a head that ends with its first leaf."""
    policy = json.loads((house.home / "policy.json").read_text(encoding="utf-8"))
    log = parse_vkey(policy["logs"][0])
    key = bytes.fromhex((house.folder / "keys" / "log.key").read_text(encoding="ascii"))
    early = house.home / "early"
    head = Checkpoint(log.name, 1, bytes(32)).encode()
    early.write_text(sign_note(head, log.name, key), encoding="utf-8")
    words = _sample(house, "early.jsonl", model)
    words[3] = early

    finished = command(*words)

    assert finished.code == LATER
    assert "wait for a later head" in finished.err
    assert "Loading the model" not in finished.err
    assert not (house.home / "early.jsonl").exists()


def test_a_strangers_verdicts_are_not_taken(
    command: CommandLine, house: House, model: Path
) -> None:
    stranger = house.home / "stranger.key"
    assert command("audit-key", stranger).code == 0
    words = _sample(house, "stranger.jsonl", model)
    words[words.index("--key") + 1] = stranger
    assert command(*words).code == 0

    finished = command("audit-send", house.home / "stranger.jsonl", "--log", house.log)

    assert finished.code == WRONG
    assert "takes no verdicts of this key" in finished.err


def test_chosen_fields_of_a_reply_can_be_shown(
    command: CommandLine, house: House, tmp_path: Path
) -> None:
    shown = tmp_path / "shown.json"

    written = command(
        *("disclose", house.links[0], "--field", "message", "-o", shown, "--data", house.home)
    )
    verified = command("verify", shown, "--policy", house.home / "policy.json")

    assert (written.code, verified.code) == (0, 0), written.err
    assert f"message: {SAID[0]}" in verified.out
    assert house.links[0].partition("#k=")[2] not in shown.read_text(encoding="utf-8")
