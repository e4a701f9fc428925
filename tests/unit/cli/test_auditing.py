"""An auditor's commands without an engine: key, links, head, sample, what is printed and signed."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.commands import run
from bot.cli.replaying import Row
from bot.cli.sample_words import Audit, audit_as_json, is_fixed, print_audit
from bot.cli.sampling import check_share, read_links
from bot.crypto.cosignature import WitnessKey
from bot.crypto.ed25519 import check_public_key, public_key_of
from bot.crypto.signed_note import Checkpoint, sign_note
from bot.domain.errors import (
    ConfigurationError,
    TransientError,
    UserError,
    VerificationError,
)
from bot.domain.statements import AuditVerdict, Sample
from bot.domain.witnesses import WitnessPolicy
from bot.ports.inference import ReplayedToken, ReplayOutcome
from bot.receipts.log import tree_root
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import assess
from bot.wiring.auditing import OpenHead, check_under, open_head, open_key
from bot.wiring.offline import Replayed
from scripts.vector_log import fixed_key
from tests.auditing_rig import AuditedRig, audited_rig
from tests.stage import LOG, LOG_KEY
from tests.unit.cli.test_replaying import FAR, SAME
from tests.unit.generation.test_verdict import CALIBRATION

VECTORS = Path(__file__).parents[3] / "docs" / "spec" / "vectors"
SAMPLE = Sample("log.example", 9, b"r" * 32, "0.5")


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[AuditedRig]:
    async with audited_rig(tmp_path / "log") as opened:
        yield opened


def _vector(name: str) -> VerifiedReceipt:
    vector = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    key = base64.urlsafe_b64decode(vector["key"] + "=")
    return verify_bundle(vector["bundle"].encode(), key=key, policy=None)


# The key.


def test_key_is_its_owners_alone_and_its_public_half_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "auditor.key"

    assert run(["audit-key", str(file)]) == 0

    printed = bytes.fromhex(capsys.readouterr().out.strip())
    check_public_key(printed)
    assert public_key_of(open_key(file)) == printed
    assert file.stat().st_mode & 0o777 == 0o600


def test_key_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "auditor.key"
    assert run(["audit-key", str(file)]) == 0
    before = file.read_bytes()

    assert run(["audit-key", str(file)]) == 2

    assert "never replaced" in capsys.readouterr().err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "mode", "sentence"),
    [
        ("ab" * 32, 0o644, "can be read by others"),
        ("ab" * 31, 0o600, "holds no auditor's key"),
        ("AB" * 32, 0o600, "holds no auditor's key"),
        ("", 0o600, "must hold the auditor's key"),
    ],
)
def test_key_that_can_not_be_used_is_refused(
    tmp_path: Path, content: str, mode: int, sentence: str
) -> None:
    file = tmp_path / "auditor.key"
    file.write_text(content, encoding="ascii")
    file.chmod(mode)

    with pytest.raises(ConfigurationError, match=sentence):
        open_key(file)


# Share and links.


@pytest.mark.parametrize("share", ["0", "0.0", "1.01", "-1", "10%", "1/10", "", "1e-1", "nan"])
def test_share_that_is_none_is_refused(share: str) -> None:
    with pytest.raises(UserError, match="--share is a decimal"):
        check_share(share)


@pytest.mark.parametrize("share", ["1", "0.1", "0.000000001"])
def test_share_is_kept_as_it_was_written(share: str) -> None:
    assert check_share(share) == share


def test_each_link_counts_once_and_notes_between_them_do_not(tmp_path: Path) -> None:
    file = tmp_path / "links.txt"
    file.write_text("# Mira, May\n\none.json#k=a\r\n  two.json#k=b \none.json#k=a\n", "utf-8")

    assert read_links(file) == ["one.json#k=a", "two.json#k=b"]


@pytest.mark.parametrize(
    "content", [b"", b"# only a note\n", b"x\n" * 3 + b"\xff", b"a" * 5_000_000]
)
def test_file_without_links_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "links.txt"
    file.write_bytes(content)

    with pytest.raises(UserError, match="links"):
        read_links(file)


def test_what_is_wrong_is_said_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, links, out = tmp_path / "auditor.key", tmp_path / "links.txt", tmp_path / "v.jsonl"
    assert run(["audit-key", str(key)]) == 0
    links.write_text("missing.json#k=" + "A" * 43, encoding="utf-8")
    command = ["audit-sample", str(links), "--log", "head", "--key", str(key), "-o", str(out)]

    for extra, sentence in (
        (["--share", "2"], "--share is a decimal"),
        (["--share", "1"], "missing.json can't be read"),
        (["--share", "1", "-o", str(key)], "Name a new file"),
        (["--share", "1", "--key", str(tmp_path / "none")], "can't be read"),
    ):
        assert run([*command, *extra]) == 2
        assert sentence in capsys.readouterr().err
    assert not out.exists()


# The head.


async def _head(place: str, prefix: str | None = None) -> OpenHead:
    return await open_head(place, log=LOG, prefix=prefix, witnesses=None)


async def test_head_of_the_served_log_draws(rig: AuditedRig) -> None:
    verified = await rig.verified()
    await rig.log.append([b"and later still"])
    await rig.log.sign()

    head = await _head(f"{rig.base}/log")

    assert head.checkpoint.size == verified.checkpoint.size + 1
    await check_under(head, [verified])


async def test_head_from_a_file_is_joined_by_the_tiles_of_the_links_host(
    rig: AuditedRig, tmp_path: Path
) -> None:
    verified = await rig.verified()
    await rig.log.append([b"and later still"])
    file = tmp_path / "head"
    file.write_text((await rig.log.sign()).note, encoding="utf-8")

    await check_under(await _head(str(file), f"{rig.base}/log"), [verified])
    with pytest.raises(UserError, match="give the log's address"):
        await check_under(await _head(str(file)), [verified])


async def test_head_that_the_proofs_lead_to_needs_nobody(rig: AuditedRig, tmp_path: Path) -> None:
    verified = await rig.verified()
    file = tmp_path / "head"
    file.write_text(verified.logged.note, encoding="utf-8")

    await check_under(await _head(str(file)), [verified])


@pytest.mark.parametrize("after", [0, 1])
async def test_head_that_is_not_newer_than_every_reply_is_refused(
    rig: AuditedRig, tmp_path: Path, after: int
) -> None:
    size = rig.reply.log_index + after
    async with rig.log.stage.store.reading() as tx:
        root = await tree_root(tx, size)
    file = tmp_path / "head"
    file.write_text(sign_note(Checkpoint(LOG.name, size, root).encode(), LOG.name, LOG_KEY))

    with pytest.raises(TransientError, match="wait for a later head"):
        await check_under(await _head(str(file), f"{rig.base}/log"), [await rig.verified()])


async def test_log_with_two_histories_is_found_out(rig: AuditedRig, tmp_path: Path) -> None:
    verified = await rig.verified()
    forged = Checkpoint(LOG.name, verified.checkpoint.size, b"f" * 32)
    file = tmp_path / "head"
    file.write_text(sign_note(forged.encode(), LOG.name, LOG_KEY), encoding="utf-8")

    with pytest.raises(VerificationError, match="two histories") as caught:
        await check_under(await _head(str(file), f"{rig.base}/log"), [verified])

    assert caught.value.step == 8


@pytest.mark.parametrize("note", ["", "not a note", "stage.example/log\n3\nAAAA\n"])
async def test_file_without_a_head_of_this_log_is_refused(tmp_path: Path, note: str) -> None:
    file = tmp_path / "head"
    file.write_text(note, encoding="utf-8")

    with pytest.raises(UserError, match="no signed head of the log"):
        await _head(str(file))
    with pytest.raises(UserError, match="can't be read"):
        await _head(str(tmp_path / "missing"))


async def test_head_of_another_log_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "head"
    other = Checkpoint("other.example", 9, b"r" * 32)
    file.write_text(sign_note(other.encode(), "other.example", fixed_key("other")), "utf-8")

    with pytest.raises(UserError, match="no signed head of the log"):
        await _head(str(file))


async def test_head_must_have_the_cosignatures_that_the_policy_asks_for(rig: AuditedRig) -> None:
    await rig.log.sign()
    key = WitnessKey("w.example/1", public_key_of(fixed_key("w")))

    with pytest.raises(TransientError, match=r"0 of your witnesses .* asks for 1: wait"):
        await open_head(f"{rig.base}/log", log=LOG, prefix=None, witnesses=WitnessPolicy(1, (key,)))


async def test_log_without_an_answer_can_be_asked_later() -> None:
    with pytest.raises(TransientError, match="can't be read"):
        await open_head("http://127.0.0.1:9/log", log=LOG, prefix=None, witnesses=None)


# What comes of it.


def _replayed(verified: VerifiedReceipt, *tokens: ReplayedToken) -> Replayed:
    outcome = ReplayOutcome(
        tokens, tokenisation_same=True, finish_same=True, text_same=True, engine_exact=False
    )
    finding = assess(verified, outcome, library="another", calibration=CALIBRATION)
    return Replayed(outcome, finding, CALIBRATION, own_thresholds=True, library="another 1")


def _row(name: str, *tokens: ReplayedToken) -> Row:
    verified = _vector(name)
    return Row(name, verified=verified, found=_replayed(verified, *tokens) if tokens else None)


def _audit() -> Audit:
    exact, other = _row("good.json", SAME), _row("good-chain.json", FAR, FAR, FAR)
    fixed, left_out = _row("good-fixed.json"), _row("good-merged.json")
    unread = Row("https://x.example/r/abc", error=TransientError("the host does not answer"))
    return Audit(SAMPLE, [exact, other, fixed, left_out, unread], [exact, other, fixed])


def test_each_sampled_reply_gets_the_verdict_of_its_replay() -> None:
    statements = [one.statement(SAMPLE) for one in _audit().judged]

    verdicts = [one.verdict for one in statements]
    assert verdicts == [AuditVerdict.EXACT, AuditVerdict.INCONSISTENT, AuditVerdict.EXACT]
    assert {one.sample for one in statements} == {SAMPLE}
    assert statements[0].library == "another 1"


def test_a_fixed_answer_needs_no_engine() -> None:
    fixed = _row("good-fixed.json")

    assert is_fixed(fixed)
    (judged,) = Audit(SAMPLE, [fixed], [fixed]).judged
    assert (judged.library, judged.tokens) == (fixed.verified.manifest.library, 0)  # type: ignore[union-attr]


def test_nothing_that_was_said_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    audit = _audit()
    said = [
        text
        for row in audit.rows
        if row.verified is not None and row.verified.openings is not None
        for fields in [row.verified.openings.fields]
        for text in (fields.message, fields.text)
    ]

    print_audit(audit, None, Path("v.jsonl"))
    printed = capsys.readouterr().out
    described = json.dumps(audit_as_json(audit))

    assert said
    assert not [text for text in said if text in printed or text in described]
    assert "draws 3 of 4 verified replies, with a share of 0.5" in printed
    assert "the host does not answer" in " ".join(printed.split())
    assert json.loads(described)["refused"][0]["link"] == "https://x.example/r/abc"
