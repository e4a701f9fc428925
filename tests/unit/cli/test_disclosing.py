"""`disclose`, and `verify` of what it wrote: what is shown, what stays closed, what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.commands import run
from bot.cli.shown import MEANINGS
from bot.crypto.encoding import encode_b64url
from bot.domain.field_values import FIELD_NAMES
from bot.domain.statements import AuditVerdict
from tests.auditing_rig import AUDITOR, OTHER, OTHER_KEY, AuditedRig, audited_rig, statement
from tests.stage import LOG

VECTOR = Path(__file__).parents[3] / "docs" / "spec" / "vectors" / "good.json"
GOOD = json.loads(VECTOR.read_text(encoding="utf-8"))
Output = pytest.CaptureFixture[str]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    file = tmp_path / "bundle.json"
    file.write_text(GOOD["bundle"], encoding="utf-8")
    return file


def _disclose(bundle: Path, *extra: str) -> int:
    out = bundle.with_name("shown.json")
    return run(["disclose", f"{bundle}#k={GOOD['key']}", "-o", str(out), *extra])


def test_meanings_name_every_field() -> None:
    assert tuple(MEANINGS) == (*FIELD_NAMES, "persona")


def test_chosen_fields_are_written_and_verify_without_the_key(bundle: Path, capsys: Output) -> None:
    assert _disclose(bundle, "--field", "reply", "--field", "message", "--persona") == 0
    told = capsys.readouterr()
    shown = bundle.with_name("shown.json")

    assert run(["verify", str(shown), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert list(found["disclosed"]["fields"]) == ["message", "reply"]
    assert found["disclosed"]["persona"]["name"]
    assert "L0" in found["levels"]
    assert told.err.count("OPENED") == 3
    assert told.err.count("closed") == 10
    assert str(shown) in told.out
    assert GOOD["key"] not in told.out + told.err + shown.read_text(encoding="utf-8")


def test_table_says_what_is_shown_and_what_is_not(bundle: Path, capsys: Output) -> None:
    assert _disclose(bundle, "--field", "reply", "--field", "counts") == 0
    capsys.readouterr()

    assert run(["verify", str(bundle.with_name("shown.json"))]) == 0

    printed = capsys.readouterr().out
    text = json.loads(bundle.with_name("shown.json").read_text())["fields"][0]["value"]["text"]
    assert f"reply: {text}" in printed
    assert "Closed: slot, conversation, turn, message, spans" in printed
    assert "beyond the parts that are shown" in printed
    assert "sealed part included" not in printed


def test_unknown_field_and_no_field_list_what_there_is(bundle: Path, capsys: Output) -> None:
    for extra in ((), ("--field", "Reply"), ("--field", "reply", "--field", "\x1b[2J")):
        assert _disclose(bundle, *extra) == 2
        told = capsys.readouterr().err
        assert all(name in told for name in FIELD_NAMES)
        assert "\x1b[2J" not in told
    assert not bundle.with_name("shown.json").exists()


def test_link_without_its_key_is_refused(bundle: Path, capsys: Output) -> None:
    assert run(["disclose", str(bundle), "--field", "reply"]) == 2
    assert "#k=" in capsys.readouterr().err


def test_wrong_key_opens_nothing(bundle: Path, capsys: Output) -> None:
    link = f"{bundle}#k={encode_b64url(bytes(32))}"

    assert run(["disclose", link, "--field", "reply", "-o", str(bundle.with_name("x"))]) == 1
    assert "step 5" in capsys.readouterr().err


def test_file_that_is_there_is_not_replaced(bundle: Path, capsys: Output) -> None:
    kept = bundle.with_name("shown.json")
    kept.write_text("mine", encoding="utf-8")

    assert _disclose(bundle, "--field", "reply") == 2
    assert "is there already" in capsys.readouterr().err
    assert kept.read_text(encoding="utf-8") == "mine"


def test_changed_disclosure_is_false(bundle: Path, capsys: Output) -> None:
    assert _disclose(bundle, "--field", "reply") == 0
    file = bundle.with_name("shown.json")
    value = json.loads(file.read_text(encoding="utf-8"))
    value["fields"][0]["value"]["text"] = "Something else."
    file.write_text(
        json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False), "utf-8"
    )

    assert run(["verify", str(file)]) == 1
    assert "step 5" in capsys.readouterr().err


def test_disclosure_has_no_key(bundle: Path, capsys: Output) -> None:
    assert _disclose(bundle, "--field", "reply") == 0

    assert run(["verify", f"{bundle.with_name('shown.json')}#k={GOOD['key']}"]) == 2
    assert "leave out #k=" in capsys.readouterr().err


# What auditors say of it (level L4).


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[AuditedRig]:
    async with audited_rig(tmp_path / "log") as opened:
        yield opened


def _policy(rig: AuditedRig, folder: Path, *auditors: bytes) -> str:
    file = folder / "policy.json"
    policy = {
        "v": "twinproof-policy/1",
        "creators": sorted(rig.policy.creators),
        "logs": [LOG.encode()],
        "witnesses": [],
        "needed": 0,
        "auditors": [key.hex() for key in auditors],
        "anchors": [],
        "revoked": [],
    }
    file.write_text(json.dumps(policy), encoding="utf-8")
    return str(file)


async def _verify(*arguments: str) -> int:
    return await asyncio.to_thread(run, ["verify", *arguments])


async def test_verify_says_who_has_replayed_the_reply(
    rig: AuditedRig, tmp_path: Path, capsys: Output
) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    kept = tmp_path / "verdicts.json"
    kept.write_bytes(await rig.served())
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(await rig.log.stage.proofs.bundle(rig.reply.receipt_id) or b"")
    policy = _policy(rig, tmp_path, AUDITOR)

    code = await _verify(str(bundle), "--policy", policy, "--verdicts", str(kept))
    shown = capsys.readouterr().out
    again = await _verify(str(bundle), "--policy", policy, "--verdicts", str(kept), "--json")
    found = json.loads(capsys.readouterr().out)

    assert (code, again) == (0, 0)
    assert f"Auditors (L4): Replayed by auditor {AUDITOR.hex()}" in shown
    assert found["levels"] == ["L0", "L1-unwitnessed", "L4"]
    assert found["auditors"]["verdicts"][0]["verdict"] == "exact"


async def test_an_auditor_who_contradicts_fails_the_command(
    rig: AuditedRig, tmp_path: Path, capsys: Output
) -> None:
    sample = await rig.sample()
    await rig.desk.submit(
        statement(rig.reply.receipt_hash, sample, AuditVerdict.INCONSISTENT, OTHER_KEY)
    )
    await rig.desk.submit(statement(rig.reply.receipt_hash, sample))
    kept, bundle = tmp_path / "verdicts.json", tmp_path / "bundle.json"
    kept.write_bytes(await rig.served())
    bundle.write_bytes(await rig.log.stage.proofs.bundle(rig.reply.receipt_id) or b"")

    policy = _policy(rig, tmp_path, AUDITOR, OTHER)
    assert await _verify(str(bundle), "--policy", policy, "--verdicts", str(kept)) == 1
    assert "NOT what the model gives" in capsys.readouterr().out

    policy = _policy(rig, tmp_path, AUDITOR)
    assert await _verify(str(bundle), "--policy", policy, "--verdicts", str(kept)) == 0


async def test_false_verdicts_fail_the_command_and_take_nothing_from_the_proof(
    rig: AuditedRig, tmp_path: Path, capsys: Output
) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    kept, bundle = tmp_path / "verdicts.json", tmp_path / "bundle.json"
    kept.write_bytes((await rig.served()).replace(b"index ", b"index 1"))
    bundle.write_bytes(await rig.log.stage.proofs.bundle(rig.reply.receipt_id) or b"")

    policy = _policy(rig, tmp_path, AUDITOR)
    assert await _verify(str(bundle), "--policy", policy, "--verdicts", str(kept)) == 1

    printed = capsys.readouterr().out
    assert "The verdicts that were served are false" in printed
    assert "Verified on this machine: L0, L1-unwitnessed" in printed


async def test_verdicts_matter_only_to_whom_a_policy_names_auditors(
    rig: AuditedRig, tmp_path: Path, capsys: Output
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(await rig.log.stage.proofs.bundle(rig.reply.receipt_id) or b"")

    assert await _verify(str(bundle), "--verdicts", str(bundle)) == 2
    assert "names auditors" in capsys.readouterr().err
    assert await _verify(str(bundle), "--policy", _policy(rig, tmp_path)) == 0
    assert "Auditors" not in capsys.readouterr().out
