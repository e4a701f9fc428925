"""A log, two witnesses and a monitor as processes; one witness dies, and a forked copy is found."""

import asyncio
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from adapters.host.system import SystemClock
from adapters.sqlite.monitor_state import SqliteMonitorState
from adapters.web.log_client import HttpWitness, open_session
from bot.crypto.cosignature import parse_witness_vkey
from bot.domain.leaf import VoidLeaf
from bot.domain.statements import Outcome, VoidReason
from bot.domain.witnesses import WitnessPolicy
from bot.ports.monitor import StoredFinding
from bot.transparency.cosigning import Cosigning, Standing, WitnessReport
from bot.transparency.growth import parse_head
from tests.log_rig import LogRig, log_rig
from tests.stage import LOG
from tests.witness_program import ROOT, WitnessProgram, environment, run_program

PATIENCE_S = 60


@asynccontextmanager
async def _asking(rig: LogRig, *witnesses: WitnessProgram) -> AsyncIterator[Cosigning]:
    """Ask witnesses beside everything else, as the service does."""
    async with open_session() as session:
        peers = [HttpWitness(session, w.url, parse_witness_vkey(w.vkey)) for w in witnesses]
        asking = Cosigning(
            reader=rig.reader,
            log=LOG,
            witnesses=peers,
            kept=rig.cosignatures,
            clock=SystemClock(),
        )
        running = asyncio.create_task(asking.run())
        yield asking
        running.cancel()
        await asyncio.wait([running])


async def _cosigned(rig: LogRig, size: int, number: int) -> None:
    """Wait until so many witnesses have cosigned the head of a size."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            (row,) = await rig.reader.newest(1)
            if row.head.size == size and len(row.cosignatures) >= number:
                return
            await asyncio.sleep(0.1)


async def _say(rig: LogRig, number: str) -> int:
    """Answer a message, have it delivered, and sign a head; return its size."""
    reply = await rig.stage.say(number=number)
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    return (await rig.sign()).size


async def _monitor(rig: LogRig, state: Path, quorum: int, *keys: str) -> tuple[int, dict[str, Any]]:
    options = [word for key in keys for word in ("--witness", key)]
    done = await asyncio.to_thread(
        run_program,
        *("monitor", rig.url, "--key", LOG.encode(), "--state", str(state), "--once", "--json"),
        *(*options, "--quorum", str(quorum)),
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


async def _witness(stack: AsyncExitStack, folder: Path, name: str) -> WitnessProgram:
    made = await asyncio.to_thread(WitnessProgram.make, folder, name, LOG.encode())
    stack.callback(made.kill)
    await asyncio.to_thread(made.start)
    return made


async def _refusal(rig: LogRig, witness: WitnessProgram) -> WitnessReport:
    """Offer a log's newest head to a witness, and return how that ended."""
    async with _asking(rig, witness) as asking, asyncio.timeout(PATIENCE_S):
        while True:
            (report,) = asking.reports.values()
            if report.standing is not Standing.UNKNOWN:
                return report
            await asyncio.sleep(0.1)


async def _findings(path: Path) -> list[StoredFinding]:
    state = await SqliteMonitorState.open(path)
    async with state.transaction() as tx:
        found = await tx.findings()
    await state.close()
    return found


def _notes(evidence: str) -> list[str]:
    """Split a finding's evidence into the signed notes that it is made of."""
    second = evidence.index(f"\n\n{LOG.name}\n") + 1
    return [evidence[:second], evidence[second + 1 :]]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_witness_dies_the_log_goes_on_and_a_fork_is_found(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one, two = await asyncio.gather(
            _witness(stack, tmp_path / "one", "one.example/w"),
            _witness(stack, tmp_path / "two", "two.example/w"),
        )
        keys = (one.vkey, two.vkey)
        policy = WitnessPolicy.parse(keys, 1)
        rig = await stack.enter_async_context(log_rig(tmp_path / "log", policy=policy))
        await rig.stage.open()
        asking = await stack.enter_async_context(_asking(rig, one, two))
        state = tmp_path / "monitor.db"

        await _cosigned(rig, await _say(rig, "first"), 2)
        well = await _monitor(rig, state, 2, *keys)
        await asyncio.to_thread(shutil.copytree, tmp_path / "log", tmp_path / "copy")

        await asyncio.to_thread(two.kill)
        await _cosigned(rig, await _say(rig, "second"), 1)
        too_few = await _monitor(rig, state, 2, *keys)

        forked = await stack.enter_async_context(log_rig(tmp_path / "copy"))
        await forked.stage.open()
        await _say(forked, "other")
        size = await _say(forked, "others")
        refused = await _refusal(forked, one)
        shown = await asyncio.to_thread(
            run_program,
            *("monitor", forked.url, "--key", LOG.encode(), "--state", str(state), "--once"),
        )

    assert (well[0], well[1]["ok"], well[1]["findings"]) == (0, True, [])
    assert len(well[1]["witnesses"]["cosigned"]) == 2
    assert (too_few[0], too_few[1]["witnesses"]["missing"]) == (1, ["two.example/w"])
    assert asking.reports["two.example/w"].standing is Standing.AWAY
    assert refused.standing is Standing.CONTRADICTS
    assert "not shown to extend ours" in refused.sentence
    assert shown.returncode == 1
    assert "The log has two histories: with the same key it signed a head of 5" in shown.stdout
    assert f"and one of {size} leaves" in shown.stdout
    (found,) = await _findings(state)
    heads = [parse_head(note, LOG) for note in _notes(found.evidence)]
    assert (found.kind, [head.size for head in heads]) == ("fork", [5, size])


@pytest.mark.slow
async def test_a_monitor_follows_a_log_until_it_is_asked_to_stop(tmp_path: Path) -> None:
    async with log_rig(tmp_path / "log") as rig:
        await rig.stage.open()
        await rig.sign()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "monitor", rig.url, "--key", LOG.encode(), "--json"),
            *("--state", str(tmp_path / "m.db"), "--every", "1"),
            cwd=ROOT,
            env=environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            first = json.loads(await process.stdout.readline())
            size = await _say(rig, "first")
            seen = first
            while seen["size"] < size:
                seen = json.loads(await process.stdout.readline())
            void = VoidLeaf(bytes(32), bytes(16), 7, VoidReason.FAILED).encode()
            await rig.append([void])
            await rig.sign()
            while seen["ok"]:
                seen = json.loads(await process.stdout.readline())
            process.terminate()
            await process.communicate()

    assert (first["size"], first["counts"]) == (1, {"manifests": 1})
    assert [one["kind"] for one in seen["findings"]] == ["attempt-gap", "not-published"]
    assert process.returncode == 1
