"""A log that was lost and is continued: its monitors go over to the new one, or call it a fork."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.sqlite.monitor_state import SqliteMonitorState
from bot.crypto.dsse import Envelope, encode_envelope, envelope_to_json, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.errors import ConfigurationError
from bot.domain.leaf import SealLeaf
from bot.domain.statements import SEAL_TYPE, Outcome, SealStatement
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.transparency.growth import parse_head
from bot.transparency.lineage import check_seals, parse_seals
from bot.transparency.monitor import Monitor
from bot.transparency.published import PublishedLog
from bot.transparency.report import MonitorReport
from scripts.vector_log import fixed_key
from tests.fakes.transparency import NearLog
from tests.log_rig import NOBODY, LogRig, log_rig
from tests.stage import LOG, LOG_KEY

NEW_KEY = fixed_key("log 2")
NEW = VerifierKey("stage.example/log-2", public_key_of(NEW_KEY))


def _seal(head: Checkpoint, kept: int, *, key: bytes = LOG_KEY, **changes: object) -> Envelope:
    statement = SealStatement(LOG, head.size, head.root, kept, NEW)
    statement = replace(statement, **changes)  # type: ignore[arg-type]
    return sign_envelope(SEAL_TYPE, statement.encode(), key)


async def _kept(rig: LogRig) -> int:
    async with rig.stage.store.reading() as tx:
        return await tx.log_size()


async def _continue(rig: LogRig, seal: Envelope) -> NearLog:
    """Let another log go on with what is in the database."""
    kept = await _kept(rig)
    async with rig.stage.store.transaction() as tx:
        index = await append_leaf(tx, SealLeaf(seal.digest).encode())
        await tx.add_seal(index, encode_envelope(seal))
    await CheckpointSigner(NEW.name, NEW_KEY).publish(rig.stage.store)
    return NearLog(PublishedLog(reader=rig.reader, log=NEW, policy=NOBODY, kept=kept))


@dataclass(slots=True)
class Lost:
    """A log and an old copy of it, and a monitor that has seen all of the log.

    Attributes:
        head: the log's newest one.
    """

    copy: LogRig
    head: Checkpoint
    state: SqliteMonitorState

    async def look(self, remote: NearLog, log: VerifierKey = LOG) -> MonitorReport:
        """Look at what is served now."""
        return await Monitor(log=log, remote=remote, state=self.state, policy=NOBODY).look()


async def _reply(rig: LogRig, number: str) -> None:
    reply = await rig.stage.say(number=number)
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)


@asynccontextmanager
async def _lost(folder: Path) -> AsyncIterator[Lost]:
    async with log_rig(folder / "log") as rig:
        await rig.stage.open()
        await _reply(rig, "first")
        await rig.sign()
        await rig.database.truncate_wal()
        shutil.copytree(folder / "log", folder / "copy")
        await _reply(rig, "second")
        head = parse_head((await rig.sign()).note, LOG)
        state = await SqliteMonitorState.open(folder / "monitor.db")
        report = await Monitor(
            log=LOG, remote=NearLog(rig.public), state=state, policy=NOBODY
        ).look()
        assert report.is_well
    async with log_rig(folder / "copy") as copy:
        yield Lost(copy, head, state)
    await state.close()


@pytest.fixture
async def lost(tmp_path: Path) -> AsyncIterator[Lost]:
    async with _lost(tmp_path) as opened:
        yield opened


async def test_a_monitor_of_the_old_log_goes_over_to_the_new_one(lost: Lost) -> None:
    remote = await _continue(lost.copy, _seal(lost.head, await _kept(lost.copy)))

    first = await lost.look(remote)
    again = await lost.look(remote)
    asked_for_the_new_one = await lost.look(remote, NEW)

    assert [one.kind for one in first.findings] == ["sealed"]
    assert "2 leaves that it had shown are not part of it" in first.findings[0].sentence
    for report in (first, again, asked_for_the_new_one):
        assert report.is_well
        assert report.origin == NEW.name
        assert report.read == report.size == 4
        assert report.counts["seals"] == 1
    assert again.fresh == ()


async def test_the_new_log_goes_on_and_its_rules_are_the_same(lost: Lost) -> None:
    remote = await _continue(lost.copy, _seal(lost.head, await _kept(lost.copy)))
    await lost.look(remote)
    await lost.copy.stage.open()  # a manifest of the old log holds on
    await _reply(lost.copy, "second")  # again: the first one is in the lost part
    await CheckpointSigner(NEW.name, NEW_KEY).publish(lost.copy.stage.store)

    report = await lost.look(remote)

    assert report.faults == ()
    assert report.counts["replies"] == 2


async def test_a_monitor_that_begins_with_the_new_log_needs_no_older_head(
    lost: Lost, tmp_path: Path
) -> None:
    remote = await _continue(lost.copy, _seal(lost.head, await _kept(lost.copy)))
    for name, log in (("a", LOG), ("b", NEW)):
        lost.state, before = await SqliteMonitorState.open(tmp_path / f"{name}.db"), lost.state
        report = await lost.look(remote, log)
        await lost.state.close()
        lost.state = before

        assert (report.findings, report.is_well, report.read) == ((), True, 4)


@pytest.mark.parametrize("size", [3, 4])
async def test_a_seal_below_a_head_that_is_known_is_a_fork(lost: Lost, size: int) -> None:
    head = Checkpoint(LOG.name, size, bytes(32))
    remote = await _continue(lost.copy, _seal(head, 3))

    report = await lost.look(remote)

    (found,) = report.faults
    assert found.kind == "fork"
    assert "its seal says that it had no other head" in found.sentence
    assert LOG.name in found.evidence
    assert "twinproof" in found.evidence
    assert report.read == lost.head.size  # it stays with what it saw


async def test_a_successor_that_kept_other_leaves_is_a_fork(lost: Lost, tmp_path: Path) -> None:
    async with log_rig(tmp_path / "other") as other:
        await other.append([b"other %d" % number for number in range(3)])
        remote = await _continue(other, _seal(lost.head, 3))

        report = await lost.look(remote)

    (found,) = report.faults
    assert found.kind == "fork"
    assert "does not show that it holds the first 3 of them" in found.sentence


async def test_a_second_seal_of_one_log_is_a_fork(lost: Lost) -> None:
    remote = await _continue(lost.copy, _seal(lost.head, await _kept(lost.copy)))
    await lost.look(remote)
    other = _seal(replace(lost.head, size=99), 3)
    remote.lies["seals"] = b"[%b]" % encode_envelope(other)

    report = await lost.look(remote)

    (found,) = report.faults
    assert found.kind == "fork"
    assert "a log is sealed once" in found.sentence


@pytest.mark.parametrize("wrong", ["signer", "successor", "nonsense", "none"])
async def test_a_new_log_without_a_true_seal_is_not_followed(lost: Lost, wrong: str) -> None:
    stranger = VerifierKey("else.example/log", public_key_of(fixed_key("else")))
    seals = {
        "signer": _seal(lost.head, 3, key=fixed_key("a stranger")),
        "successor": _seal(lost.head, 3, successor=stranger),
    }
    remote = await _continue(lost.copy, _seal(lost.head, 3))
    remote.lies["seals"] = (
        b"[%b]" % encode_envelope(seals[wrong]) if wrong in seals else b"nonsense"
    )
    if wrong == "none":
        remote.lies["seals"] = None

    report = await lost.look(remote)

    assert not report.is_well
    assert {one.kind for one in report.faults} <= {"bad-seal", "bad-checkpoint"}
    assert report.origin == LOG.name


async def test_a_leaf_in_the_place_of_the_seal_is_found(lost: Lost) -> None:
    kept = await _kept(lost.copy)
    seal = _seal(lost.head, kept)
    await lost.copy.append([SealLeaf(sha256(b"another")).encode()])
    await CheckpointSigner(NEW.name, NEW_KEY).publish(lost.copy.stage.store)
    remote = NearLog(PublishedLog(reader=lost.copy.reader, log=NEW, policy=NOBODY, kept=kept))
    remote.lies["seals"] = b"[%b]" % encode_envelope(seal)

    report = await lost.look(remote)

    assert "bad-seal" in {one.kind for one in report.faults}


async def test_the_memory_of_a_log_and_its_successors_is_no_others(lost: Lost) -> None:
    remote = await _continue(lost.copy, _seal(lost.head, await _kept(lost.copy)))
    await lost.look(remote)

    with pytest.raises(ConfigurationError, match="another log"):
        await lost.look(remote, VerifierKey("else.example/log", public_key_of(fixed_key("else"))))


def test_chains_of_seals_are_checked() -> None:
    third = VerifierKey("stage.example/log-3", public_key_of(fixed_key("log 3")))
    head = Checkpoint(LOG.name, 9, bytes(32))
    one = _seal(head, 3)
    two = _seal(head, 5, key=NEW_KEY, log=NEW, successor=third)
    data = json.dumps([envelope_to_json(one), envelope_to_json(two)], separators=(",", ":"))

    assert [seal.statement.kept for seal in check_seals([one, two])] == [3, 5]
    assert len(parse_seals(data.encode())) == 2
    for wrong in (
        [two, one],
        [one, one],
        [one, _seal(head, 3, key=NEW_KEY, log=NEW, successor=third)],
        [one, _seal(head, 5, key=NEW_KEY, log=NEW, successor=LOG)],
        [one, _seal(head, 5, log=NEW, successor=third)],
    ):
        with pytest.raises(MismatchError):
            check_seals(wrong)
    with pytest.raises(FormatError):
        check_seals([one] * 9)
