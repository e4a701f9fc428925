"""Asking witnesses: whatever one of them does, the log goes on, and only true words are kept."""

import asyncio
from datetime import timedelta

import pytest

from bot.crypto.cosignature import WitnessKey, cosign
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import Checkpoint, open_note
from bot.domain.witnesses import WitnessPolicy
from bot.ports.transparency import WitnessAnswer
from bot.transparency.cosigning import Cosigning, Standing
from bot.transparency.witness import Witness
from scripts.vector_log import fixed_key
from tests.fakes.clock import SetClock
from tests.fakes.transparency import MemoryWitnessState, NearWitness
from tests.log_rig import LogRig
from tests.stage import LOG

LEAVES = [b"leaf %d" % number for number in range(300)]


def _witness(name: str = "a", *, state: MemoryWitnessState | None = None) -> NearWitness:
    seed = fixed_key(name)
    desk = Witness(
        name=f"{name}.example/w",
        private_key=seed,
        logs={LOG.name: LOG},
        state=state or MemoryWitnessState(),
        clock=SetClock(),
    )
    return NearWitness(WitnessKey(f"{name}.example/w", public_key_of(seed)), desk)


async def _cosigned(rig: LogRig, *keys: WitnessKey) -> int:
    (row,) = await rig.reader.newest(1)
    note = row.head.note + "".join(one.line for one in row.cosignatures)
    return len(WitnessPolicy(0, keys).count(open_note(note, LOG)).cosignatures)


async def test_each_new_head_gets_a_cosignature_that_stays(rig: LogRig) -> None:
    witness = _witness()
    asking = rig.asking(witness)
    for step in (LEAVES[:1], LEAVES[1:100], LEAVES[100:]):
        await rig.append(step)
        await rig.sign()

        assert await asking.offer(witness)
        assert await _cosigned(rig, witness.key) == 1

    assert len(witness.asked) == 3
    assert await asking.offer(witness)  # nothing new: it is not asked
    assert len(witness.asked) == 3
    kept = await rig.cosignatures.latest(witness.key.public_key)
    assert kept is not None
    assert kept.size == 300


async def test_a_log_without_a_head_asks_nobody(rig: LogRig) -> None:
    witness = _witness()

    assert await rig.asking(witness).offer(witness)
    assert witness.asked == []


async def test_a_witness_that_knows_more_than_we_remember_is_asked_from_there(rig: LogRig) -> None:
    witness = _witness()
    await rig.append(LEAVES[:10])
    await rig.sign()
    await rig.asking(witness).offer(witness)
    await rig.append(LEAVES[10:30])
    await rig.sign()
    async with rig.database.transaction() as connection:
        await connection.execute("DELETE FROM cosignatures")

    assert await rig.asking(witness).offer(witness)
    assert [body.split(b"\n")[0] for body in witness.asked[-2:]] == [b"old 0", b"old 10"]


async def test_a_witness_of_another_history_is_reported_and_not_counted(rig: LogRig) -> None:
    other = MemoryWitnessState()
    witness = _witness(state=other)
    await rig.append([b"one", b"two"])
    await rig.sign()
    await rig.asking(witness).offer(witness)
    seen = other.kept[LOG.name]
    other.kept[LOG.name] = type(seen)(seen.size, bytes(32), seen.note)
    async with rig.database.transaction() as connection:
        await connection.execute("DELETE FROM cosignatures")
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    assert asking.reports[witness.key.name].standing is Standing.CONTRADICTS
    assert await _cosigned(rig, witness.key) == 0


async def test_a_witness_that_has_seen_more_leaves_is_reported(rig: LogRig) -> None:
    witness = _witness()
    witness.answer = lambda _body: WitnessAnswer(409, b"900\n")
    await rig.append(LEAVES[:5])
    await rig.sign()
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    report = asking.reports[witness.key.name]
    assert report.standing is Standing.AHEAD
    assert "it knows 900 leaves, this log has 5" in report.sentence


def _word(text: str, *, seed: bytes = fixed_key("a"), time: int | None = None) -> bytes:
    moment = int(SetClock().now().timestamp()) if time is None else time
    return cosign(text, "a.example/w", seed, moment).line.encode()


HEAD = Checkpoint(LOG.name, 1, bytes(32)).encode()


@pytest.mark.parametrize(
    "answer",
    [
        WitnessAnswer(200, b""),
        WitnessAnswer(200, b"\xff\xff"),
        WitnessAnswer(200, b"thanks\n"),
        WitnessAnswer(200, _word(HEAD)),
        WitnessAnswer(200, _word(HEAD, seed=fixed_key("b"))),
        WitnessAnswer(409, b"nonsense"),
        WitnessAnswer(409, b""),
    ],
)
async def test_a_lying_witness_is_found_out_and_nothing_is_kept(
    rig: LogRig, answer: WitnessAnswer
) -> None:
    witness = _witness()
    witness.answer = lambda _body: answer
    await rig.append(LEAVES[:5])
    await rig.sign()
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    assert asking.reports[witness.key.name].standing is Standing.LIES
    assert await rig.cosignatures.latest(witness.key.public_key) is None


async def test_a_cosignature_from_another_time_is_a_lie(rig: LogRig) -> None:
    witness = _witness()
    await rig.append(LEAVES[:5])
    head = await rig.sign()
    text = head.note.split("\n\n")[0] + "\n"
    witness.answer = lambda _body: WitnessAnswer(200, _word(text, time=2**40))
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    assert "ten minutes" in asking.reports[witness.key.name].sentence


async def test_a_witness_that_names_another_size_each_time_is_not_asked_for_ever(
    rig: LogRig,
) -> None:
    witness = _witness()
    sizes = iter(range(1, 100))
    witness.answer = lambda _body: WitnessAnswer(409, b"%d\n" % next(sizes))
    await rig.append(LEAVES)
    await rig.sign()
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    assert len(witness.asked) == 3


@pytest.mark.parametrize("status", [400, 403, 404, 422, 500, 302])
async def test_a_refusal_is_kept_in_words(rig: LogRig, status: int) -> None:
    witness = _witness()
    witness.answer = lambda _body: WitnessAnswer(status, b"no\n")
    await rig.append(LEAVES[:5])
    await rig.sign()
    asking = rig.asking(witness)

    assert not await asking.offer(witness)
    assert asking.reports[witness.key.name].sentence == f"{status}: no"


async def test_a_dead_and_a_stuck_witness_hold_up_no_other(
    rig: LogRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.transparency.cosigning.LOOK_EVERY_S", 0.01)
    good, dead, stuck = _witness("a"), _witness("b"), _witness("c")
    dead.desk = None
    waiting = asyncio.Event()

    class Stuck(NearWitness):
        async def ask(self, submission: bytes) -> WitnessAnswer:
            self.asked.append(submission)
            await waiting.wait()
            raise AssertionError

    stuck = Stuck(stuck.key, None)
    asking = rig.asking(good, dead, stuck)
    running = asyncio.create_task(asking.run())
    for count in range(1, 4):
        await rig.append([b"%d" % count])
        await rig.sign()
        async with asyncio.timeout(20):
            while asking.reports[good.key.name].size < count:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)

    running.cancel()
    await asyncio.wait([running])
    assert len(stuck.asked) == 1
    assert asking.reports[dead.key.name].standing is Standing.AWAY
    assert len(dead.asked) < 10  # it is asked less and less often


async def test_old_cosignatures_are_let_go(rig: LogRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.sqlite.cosignatures.KEPT", 3)
    witness = _witness()
    asking: Cosigning = rig.asking(witness)
    for number in range(6):
        await rig.append([b"%d" % number])
        await rig.sign()
        assert await asking.offer(witness)

    async with rig.database.reading() as connection:
        rows = await connection.execute_fetchall("SELECT size FROM cosignatures ORDER BY size")
    assert [row[0] for row in rows] == [4, 5, 6]


async def test_a_later_word_on_the_same_head_takes_the_place_of_the_earlier(rig: LogRig) -> None:
    clock = SetClock()
    seed = fixed_key("a")
    times: list[int] = []
    for _ in range(2):
        desk = Witness(
            name="a.example/w",
            private_key=seed,
            logs={LOG.name: LOG},
            state=MemoryWitnessState(),
            clock=clock,
        )
        witness = NearWitness(WitnessKey("a.example/w", public_key_of(seed)), desk)
        await rig.append([b"x"] if not times else [])
        await rig.sign()
        async with rig.database.transaction() as connection:
            await connection.execute("UPDATE cosignatures SET size = 0")
        assert await rig.asking(witness, clock=clock).offer(witness)
        kept = await rig.cosignatures.latest(witness.key.public_key)
        assert kept is not None
        times.append(kept.time)
        clock.advance(timedelta(seconds=5))

    assert times[1] - times[0] == 5
