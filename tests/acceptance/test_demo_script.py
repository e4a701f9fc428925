"""`demo --json` as a script sees it, and what a stranger does with the links it printed."""

import base64
import json
import random
import re
import shutil
import sqlite3
import string
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.cli.commands import FALSE, LATER, WRONG
from tests.acceptance.conftest import SAID, SAID_LATER, CommandLine, Demo
from tests.acceptance.program import SHARE, Finished, Program, copy_model, fee_of, free_port

pytestmark = pytest.mark.slow

LINK = re.compile(r"http://127\.0\.0\.1:(\d+)/r/([\w-]{22})#k=([\w-]{43})", re.ASCII)
KEY_LETTERS = string.ascii_letters + string.digits + "-_"
FEE = fee_of("mira")


def _receipt(bundle: Path) -> dict[str, Any]:
    envelope = json.loads(bundle.read_text())["receipt"]
    body: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return body


def _keys(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in (folder / "keys").rglob("*.key")}


def _book(folder: Path, account: str) -> dict[str, Decimal]:
    """Return the book's balances of one kind of account, by twin name, in tokens."""
    with sqlite3.connect(f"file:{folder / 'twinproof.db'}?mode=ro", uri=True) as book:
        bodies = [json.loads(row[0]) for row in book.execute("SELECT body FROM manifests")]
        balances = dict(book.execute("SELECT account, nano FROM balances"))
    book.close()
    return {
        body["name"]: Decimal(balances.get(f"{account}:{body['twin']}", 0)).scaleb(-9)
        for body in bodies
    }


def _assert_refused(finished: Finished, code: int | None = None) -> None:
    """One sentence on standard error, nothing of a program's inside, an exit code that says so."""
    assert finished.code == code if code is not None else finished.code not in {0, None}
    assert "Traceback" not in finished.err
    lines = [line for line in finished.err.splitlines() if not line.endswith(" ...")]
    assert len(lines) == 1, finished.err
    assert lines[0].startswith("twinproof: ")
    assert lines[0].endswith((".", ")"))


def test_standard_output_is_one_json_object_and_nothing_else(first: Demo) -> None:
    value, end = json.JSONDecoder().raw_decode(first.finished.out)

    assert first.finished.code == 0, first.finished.err
    assert isinstance(value, dict)
    assert first.finished.out[end:] == "\n"


def test_each_reply_has_text_link_levels_and_fee(first: Demo) -> None:
    replies = first.result["replies"]

    assert len(replies) == len(SAID)
    assert first.result["label"] == "AI twin"
    assert first.result["fan"] == "terminal:script"
    assert "refused" not in first.result
    for reply in replies:
        link = LINK.fullmatch(reply["link"])
        assert link is not None
        assert int(link[1]) == first.port
        assert len(base64.urlsafe_b64decode(link[3] + "=")) == 32
        assert reply["text"].strip()
        assert reply["levels"] == ["L0", "L1-unwitnessed", "L3-exact"]
        assert Decimal(reply["fee"]) == FEE
        assert Path(reply["bundle"]).name == f"{link[2]}.json"


def test_fees_are_on_the_chain_and_in_the_book(first: Demo) -> None:
    settlement = first.result["settlement"]

    assert re.fullmatch("0x[0-9a-f]{64}", settlement["transaction"])
    by_twin = {line["twin"]: line for line in settlement["creators"]}
    settled, pending = _book(first.folder, "settled"), _book(first.folder, "creator")
    assert by_twin.keys() == settled.keys() == {"Mira Solano", "Theo Keller", "Ayla Demir"}
    for name, line in by_twin.items():
        earned = FEE * SHARE * len(SAID) if name == "Mira Solano" else Decimal(0)
        amounts = {Decimal(line[kind]) for kind in ("earned", "committed", "balance")}
        assert amounts == {earned} == {settled[name]}
        assert pending[name] == 0
        assert re.fullmatch("0x[0-9a-fA-F]{40}", line["payout"])
    assert first.result["audit"] == {"passed": True, "wrong": []}


def test_a_second_run_goes_on_where_the_first_one_ended(first: Demo, second: Demo) -> None:
    assert second.finished.code == 0, second.finished.err
    sequence = [_receipt(bundle)["seq"] for bundle in first.copies + second.copies]
    assert sequence == [1, 2, 3]
    assert _keys(second.folder) == _keys(first.folder)
    assert (second.folder / "trust.json").read_text() == (first.folder / "trust.json").read_text()
    before, after = (
        {line["twin"]: Decimal(line["balance"]) for line in run.result["settlement"]["creators"]}
        for run in (first, second)
    )
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {"Mira Solano": FEE * SHARE, "Theo Keller": 0, "Ayla Demir": 0}
    assert second.result["settlement"]["epoch"] == first.result["settlement"]["epoch"] + 1
    assert second.result["recovered"] == 0


def test_the_audit_command_finds_the_same(command: CommandLine, second: Demo) -> None:
    finished = command("audit", "--data", second.folder, "--json")

    findings = json.loads(finished.out)
    assert (finished.code, findings["wrong"]) == (0, [])
    assert findings["checked"]["receipts"] == findings["checked"]["outcomes"] == 3


def test_a_link_verifies_when_its_host_has_gone(
    twinproof: Program, command: CommandLine, first: Demo
) -> None:
    link = first.links[0]

    person = twinproof.run("verify", link, "--data", first.folder)
    script = command("verify", link, "--data", first.folder, "--json")

    assert (person.code, script.code) == (0, 0), person.err + script.err
    assert "self-consistent only" in person.out
    assert "its host does not answer" in person.out
    found = json.loads(script.out)
    assert (found["levels"], found["trust"]) == (["L0", "L1-unwitnessed"], "self-consistent")
    assert (found["message"], found["reply"]) == (SAID[0], first.result["replies"][0]["text"])


def test_a_trust_policy_lifts_the_verdict(command: CommandLine, first: Demo) -> None:
    policy = first.folder / "trust.json"

    finished = command(
        "verify", first.links[1], "--data", first.folder, "--trust", policy, "--json"
    )

    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["trust"] == "policy"


def test_a_strangers_trust_policy_refuses(
    command: CommandLine, first: Demo, tmp_path: Path
) -> None:
    policy = json.loads((first.folder / "trust.json").read_text())
    for part, other in (("creators", ["0x" + "1" * 40]), ("logs", [])):
        path = tmp_path / f"{part}.json"
        path.write_text(json.dumps({**policy, part: other}))

        finished = command(
            "verify", first.links[0], "--data", first.folder, "--trust", path, "--json"
        )

        _assert_refused(finished, FALSE)
        assert finished.out == ""


def test_a_link_verifies_and_replays_while_it_is_served(
    command: CommandLine, twinproof: Program, serving: Demo, model: Path
) -> None:
    link = _at(serving.links[0], serving.port)

    checked = command("verify", link, "--data", "nowhere", "--json")
    replayed = twinproof.run("replay", link, "--model", model, "--data", "nowhere", "--json")

    assert (checked.code, replayed.code) == (0, 0), checked.err + replayed.err
    assert json.loads(checked.out)["source"].startswith(f"http://127.0.0.1:{serving.port}/r/")
    outcome = json.loads(replayed.out)["replay"]
    assert outcome["exact"] is True
    assert outcome["same"] == outcome["tokens"] > 0


def test_a_replay_needs_the_bundle_and_the_weights_only(
    twinproof: Program, first: Demo, model: Path
) -> None:
    kept = twinproof.home / "my proof.json"
    shutil.copy(first.copies[1], kept)
    key = LINK.fullmatch(first.links[1])
    assert key is not None

    finished = twinproof.run("replay", f"{kept.name}#k={key[3]}", "--model", model)

    assert finished.code == 0, finished.err
    assert "L3-exact, replayed by you" in finished.err
    assert "DIFFERENT" not in finished.out
    # No database, no keys, no folder came of it: it had nothing else to read, and wrote nothing.
    assert [path.name for path in twinproof.home.iterdir()] == [kept.name]


def test_a_replay_after_the_demo_has_left(command: CommandLine, first: Demo, model: Path) -> None:
    finished = command("replay", first.links[0], "--data", first.folder, "--model", model, "--json")

    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["replay"]["exact"] is True


def test_a_replay_with_other_weights_is_refused(
    command: CommandLine, first: Demo, model: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(model.read_bytes() + b"\0")

    finished = command("replay", first.links[0], "--data", first.folder, "--model", other, "--json")

    _assert_refused(finished, WRONG)
    assert "SHA-256" in finished.err
    assert finished.out == ""


def _at(link: str, port: int) -> str:
    return re.sub(r":\d+/", f":{port}/", link, count=1)


def _other(letter: str, steps: int = 1) -> str:
    return KEY_LETTERS[(KEY_LETTERS.index(letter) + steps) % len(KEY_LETTERS)]


@pytest.mark.parametrize("place", [0, 21, 41])
def test_a_link_with_another_key_is_false(command: CommandLine, first: Demo, place: int) -> None:
    base, key = first.links[0].split("#k=")
    changed = key[:place] + _other(key[place]) + key[place + 1 :]

    finished = command("verify", f"{base}#k={changed}", "--data", first.folder)

    _assert_refused(finished, FALSE)
    assert "FALSE" in finished.err
    assert finished.out == ""


def test_no_other_last_letter_of_a_key_passes(command: CommandLine, first: Demo) -> None:
    """The last of 43 letters carries four bits: of 64 letters one may pass."""
    base, key = first.links[0].split("#k=")

    codes = {
        letter: command("verify", f"{base}#k={key[:-1]}{letter}", "--data", first.folder).code
        for letter in KEY_LETTERS
    }

    assert [letter for letter, code in codes.items() if code == 0] == [key[-1]]


@pytest.mark.parametrize("cut", [1, 2, 3, 42, 43])
def test_a_truncated_key_is_refused(command: CommandLine, first: Demo, cut: int) -> None:
    finished = command("verify", first.links[0][:-cut], "--data", first.folder)

    _assert_refused(finished, WRONG)
    assert "copy the whole link" in finished.err


def test_a_link_to_no_reply_is_refused(command: CommandLine, first: Demo, serving: Demo) -> None:
    served = _at(serving.links[0], serving.port)
    found = LINK.fullmatch(served)
    assert found is not None
    changed = served.replace(found[2], found[2][:5] + _other(found[2][5]) + found[2][6:])
    unreachable = _at(changed, free_port())

    _assert_refused(command("verify", changed, "--data", first.folder), WRONG)
    _assert_refused(command("verify", served.replace("/r/", "/x/r/")), WRONG)
    _assert_refused(command("verify", unreachable, "--data", first.folder), LATER)


@pytest.mark.parametrize("source", ["served", "saved"])
def test_another_receipts_id_under_this_key_is_false(
    command: CommandLine, first: Demo, serving: Demo, source: str
) -> None:
    one, other = (LINK.fullmatch(link) for link in first.links)
    assert one is not None
    assert other is not None
    link = first.links[0].replace(one[2], other[2])

    finished = command(
        "verify", _at(link, serving.port) if source == "served" else link, "--data", first.folder
    )

    _assert_refused(finished, FALSE)


def test_a_saved_copy_under_another_name_is_false(
    command: CommandLine, first: Demo, tmp_path: Path
) -> None:
    """The id in a link is the receipt's: a copy laid under another id is noticed without a key."""
    shutil.copytree(first.folder / "proofs", tmp_path / "proofs")
    one, other = (tmp_path / "proofs" / path.name for path in first.copies)
    shutil.copy(other, one)

    finished = command("verify", first.links[0].split("#")[0], "--data", tmp_path)

    _assert_refused(finished, FALSE)
    assert "step 1" in finished.err


def test_without_the_key_a_link_verifies_closed_and_is_not_replayed(
    command: CommandLine, first: Demo, model: Path
) -> None:
    link = first.links[0].split("#")[0]

    checked = command("verify", link, "--data", first.folder, "--json")
    replayed = command("replay", link, "--data", first.folder, "--model", model, "--json")

    found = json.loads(checked.out)
    assert (checked.code, found["message"], found["reply"]) == (0, None, None)
    assert SAID[1] not in checked.out
    _assert_refused(replayed, WRONG)
    assert "key" in replayed.err


def test_a_bundle_with_one_byte_changed_is_false(
    command: CommandLine, first: Demo, tmp_path: Path
) -> None:
    whole = first.copies[0].read_bytes()
    key = first.links[0].split("#k=")[1]
    chosen = random.sample(range(len(whole)), 40)  # pytest-randomly prints and sets the seed
    passed = []
    for place in (0, len(whole) - 1, *chosen):
        changed = bytearray(whole)
        changed[place] ^= 1
        path = tmp_path / "changed.json"
        path.write_bytes(changed)

        finished = command("verify", f"{path}#k={key}", "--json")

        if finished.code != FALSE or finished.out or "Traceback" in finished.err:
            passed.append((place, finished))

    assert passed == []


def test_a_bundle_with_a_byte_more_or_less_is_false(
    command: CommandLine, first: Demo, tmp_path: Path
) -> None:
    whole, path = first.copies[0].read_bytes(), tmp_path / "changed.json"
    for changed in (whole + b"\n", b" " + whole, whole[:-1], b""):
        path.write_bytes(changed)

        _assert_refused(command("verify", path), FALSE)


def test_the_default_model_and_no_configuration_at_all(twinproof: Program) -> None:
    """What a newcomer's script runs; the starter model may change until then, never in between."""
    copy_model(twinproof.home.parent)

    finished = twinproof.run("demo", "--port", free_port(), "--twin", "theo", "--say", SAID_LATER)

    assert finished.code == 0, finished.err
    assert "[AI twin]" in finished.out
    assert "L3-exact" in finished.out
    assert "audit passed" in finished.out
    assert (twinproof.home / "data" / "demo" / "trust.json").exists()


def test_a_fixed_answer_is_verified_and_there_is_nothing_to_replay(twinproof: Program) -> None:
    copy_model(twinproof.home.parent)

    finished = twinproof.run("demo", "--port", free_port(), "--say", "I want to die")

    assert finished.code == 0, finished.err
    assert "Please talk to a person now." in finished.out
    assert "  fee 0 tUSD  proof http" in finished.out
    assert "reply 1: L0, L1-unwitnessed\n" in finished.out
    assert "audit passed" in finished.out


def test_a_reply_that_was_made_is_shown_when_a_later_message_is_refused(
    twinproof: Program, config: Path
) -> None:
    words = ("demo", "--config", config, "--twin", "mira", "--say", "hi", "--say", "x" * 1001)

    said = twinproof.run(*words, "--data", "words", "--port", free_port())
    script = twinproof.run(*words, "--data", "script", "--port", free_port(), "--json")

    for refused in (said, script):
        assert refused.code == WRONG, refused.err
        assert "at most 1000" in refused.complaint
    assert said.out.startswith("[AI twin] ")
    assert LINK.search(said.out)
    result = json.loads(script.out)
    assert [Decimal(reply["fee"]) for reply in result["replies"]] == [FEE]
    assert LINK.fullmatch(result["replies"][0]["link"])
    assert "at most 1000" in result["refused"]
