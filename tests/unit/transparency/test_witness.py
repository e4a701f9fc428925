"""A witness: every answer of the protocol, and never two heads that are not consistent."""

import asyncio
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bot.crypto import merkle
from bot.crypto.add_checkpoint import encode_submission
from bot.crypto.cosignature import WitnessKey, read_cosignature
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note, sign_note
from bot.domain.errors import StoreBusyError
from bot.ports.transparency import WitnessAnswer
from bot.transparency.witness import Witness
from scripts.vector_log import fixed_key
from tests.fakes.clock import SetClock
from tests.fakes.store import ProcessKilled, WriteFault
from tests.fakes.transparency import MemoryWitnessState

LOG_SEED, SEED = fixed_key("log"), fixed_key("witness")
LOG = VerifierKey("example.com/log", public_key_of(LOG_SEED))
KEY = WitnessKey("w.example/1", public_key_of(SEED))
ONE = [merkle.leaf_hash(b"%d" % number) for number in range(40)]
OTHER = ONE[:10] + [merkle.leaf_hash(b"other %d" % number) for number in range(30)]


@dataclass(slots=True)
class Desk:
    """A witness and its memory; `again` is its next life."""

    state: MemoryWitnessState = field(default_factory=MemoryWitnessState)
    signed: list[Checkpoint] = field(default_factory=list)
    clock: SetClock = field(default_factory=SetClock)
    witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self.again()

    def again(self) -> None:
        """Start the process anew over the same memory."""
        self.witness = Witness(
            name=KEY.name,
            private_key=SEED,
            logs={LOG.name: LOG},
            state=self.state,
            clock=self.clock,
        )

    async def offer(
        self,
        size: int,
        *,
        old: int,
        tree: Sequence[bytes] = ONE,
        **changes: Any,  # noqa: ANN401
    ) -> WitnessAnswer:
        """Offer a head of a tree; what it signs is remembered."""
        head = Checkpoint(LOG.name, size, merkle.root_of(tree[:size]))
        proof = merkle.consistency_proof(tree[:size], old) if 0 < old < size else []
        note = sign_note(head.encode(), LOG.name, LOG_SEED)
        values: dict[str, Any] = {"old": old, "proof": proof, "note": note} | changes
        answer = await self.witness.add_checkpoint(encode_submission(**values))
        if answer.status == 200:
            note = str(values["note"])
            opened = open_note(note + answer.body.decode(), LOG)
            assert any(read_cosignature(opened.text, line, KEY) for line in opened.others)
            self.signed.append(Checkpoint.parse(opened.text))
        return answer


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_heads_that_extend_each_other_are_cosigned(desk: Desk) -> None:
    steps = [(0, 1), (1, 7), (7, 7), (7, 8), (8, 40)]

    answers = [await desk.offer(new, old=old) for old, new in steps]

    assert [answer.status for answer in answers] == [200] * 5
    assert (await desk.state.heads())[LOG.name].size == 40


async def test_a_cosignature_tells_the_present_time(desk: Desk) -> None:
    answer = await desk.offer(3, old=0)

    head = Checkpoint(LOG.name, 3, merkle.root_of(ONE[:3]))
    note = sign_note(head.encode(), LOG.name, LOG_SEED) + answer.body.decode()
    found = read_cosignature(head.encode(), open_note(note, LOG).others[0], KEY)
    assert found is not None
    assert found.time == int(desk.clock.now().timestamp())


@pytest.mark.parametrize("old", [0, 3, 9])
async def test_another_old_size_is_told_the_right_one(desk: Desk, old: int) -> None:
    await desk.offer(5, old=0)

    answer = await desk.offer(9, old=old)

    assert answer == WitnessAnswer(409, b"5\n")


async def test_a_second_head_of_one_size_is_refused_and_kept_as_evidence(desk: Desk) -> None:
    await desk.offer(20, old=0)

    answers = [await desk.offer(20, old=old, tree=OTHER) for old in (20, 0, 20)]

    assert answers == [WitnessAnswer(409, b"20\n")] * 3
    (evidence,) = await desk.state.conflicts()
    roots = {
        Checkpoint.parse(open_note(note, LOG).text).root
        for note in (evidence.kept, evidence.offered)
    }
    assert roots == {merkle.root_of(ONE[:20]), merkle.root_of(OTHER[:20])}


async def test_a_history_that_forks_is_refused(desk: Desk) -> None:
    await desk.offer(20, old=0)

    answer = await desk.offer(30, old=20, tree=OTHER)

    assert answer.status == 422
    assert (await desk.state.heads())[LOG.name].size == 20


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"proof": []}, 422),
        ({"proof": [bytes(32)]}, 422),
        ({"proof": [bytes(32)] * 63}, 422),
        ({"note": "not a note"}, 404),
        ({"note": "another.example/log\n1\nx\n"}, 404),
        ({"note": LOG.name + "\nnothing"}, 400),
    ],
)
async def test_other_requests_are_refused_as_the_protocol_says(
    desk: Desk, changes: dict[str, Any], status: int
) -> None:
    await desk.offer(5, old=0)

    answer = await desk.offer(8, old=5, tree=ONE, **changes)

    assert answer.status == status
    assert len(desk.signed) == 1


async def test_an_old_size_above_the_heads_is_refused(desk: Desk) -> None:
    assert (await desk.offer(8, old=9)).status == 400


async def test_a_head_that_the_log_has_not_signed_is_refused(desk: Desk) -> None:
    text = Checkpoint(LOG.name, 5, merkle.root_of(ONE[:5])).encode()
    stranger = sign_note(text, LOG.name, fixed_key("stranger"))
    changed = sign_note(text, LOG.name, LOG_SEED).replace("\n5\n", "\n6\n")

    answers = [await desk.offer(5, old=0, note=note) for note in (stranger, changed)]

    assert [answer.status for answer in answers] == [403, 403]
    assert await desk.state.heads() == {}


async def test_an_empty_log_is_cosigned_only_with_the_empty_root(desk: Desk) -> None:
    wrong = sign_note(Checkpoint(LOG.name, 0, bytes(32)).encode(), LOG.name, LOG_SEED)
    right = sign_note(Checkpoint(LOG.name, 0, merkle.EMPTY_ROOT).encode(), LOG.name, LOG_SEED)

    statuses = [(await desk.offer(1, old=0, note=note)).status for note in (wrong, right)]

    assert statuses == [422, 200]
    assert (await desk.offer(4, old=0)).status == 200


async def test_of_requests_at_once_each_head_extends_the_one_before(desk: Desk) -> None:
    await desk.offer(10, old=0)

    trees = [ONE, OTHER] * 5
    answers = await asyncio.gather(
        *(
            desk.offer(size, old=10, tree=tree)
            for size, tree in zip(range(20, 30), trees, strict=True)
        )
    )

    assert sorted({answer.status for answer in answers}) == [200, 409]
    assert len(desk.signed) == 2  # of those at once, one


@pytest.mark.parametrize("fault", list(WriteFault))
@pytest.mark.parametrize("first", [ONE, OTHER], ids=["one", "other"])
async def test_a_write_that_fails_in_any_way_never_leads_to_two_histories(
    desk: Desk, fault: WriteFault, first: Sequence[bytes]
) -> None:
    second = OTHER if first is ONE else ONE
    await desk.offer(10, old=0)
    desk.state.faults = {2: fault}

    with pytest.raises((StoreBusyError, ProcessKilled)):
        await desk.offer(20, old=10, tree=first)
    desk.again()
    for tree, size, old in itertools.product((second, first), (20, 30), (10, 20)):
        await desk.offer(size, old=old, tree=tree)

    assert any(head.size == 30 for head in desk.signed)
    for head in desk.signed:
        assert any(
            all(one.root == merkle.root_of(tree[: one.size]) for one in desk.signed)
            for tree in (ONE, OTHER)
        ), head


async def test_what_was_promised_before_a_crash_is_signed_when_asked_again(desk: Desk) -> None:
    desk.state.faults = {1: WriteFault.KILLED_AFTER}
    with pytest.raises(ProcessKilled):
        await desk.offer(6, old=0)
    desk.again()

    told, again = await desk.offer(6, old=0), await desk.offer(6, old=6)

    assert told == WitnessAnswer(409, b"6\n")
    assert again.status == 200


def test_it_introduces_itself(desk: Desk) -> None:
    said = desk.witness.introduction()

    assert KEY.encode() in said
    assert LOG.encode() in said
