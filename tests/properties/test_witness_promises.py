"""Whatever is offered, in whatever order, and however writes fail: one history is signed."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bot.crypto import merkle
from bot.crypto.add_checkpoint import encode_submission
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import Checkpoint, VerifierKey, sign_note
from bot.domain.errors import StoreBusyError
from bot.transparency.witness import Witness
from scripts.vector_log import fixed_key
from tests.fakes.clock import SetClock
from tests.fakes.store import ProcessKilled, WriteFault
from tests.fakes.transparency import MemoryWitnessState

LOG_SEED = fixed_key("log")
LOG = VerifierKey("example.com/log", public_key_of(LOG_SEED))
MOST = 8
ROOTS = [merkle.leaf_hash(b"%d" % number) for number in range(MOST)]
TREES = [
    ROOTS[:shared] + [merkle.leaf_hash(b"%d %d" % (shared, n)) for n in range(MOST - shared)]
    for shared in (0, 3, MOST)
]
OFFERS = st.tuples(
    st.sampled_from(TREES),
    st.integers(0, MOST),  # the size offered
    st.sampled_from([None, None, None, 0, 3, MOST]),  # the old size; None for what the witness has
    st.sampled_from([None, None, *WriteFault]),
)


@given(st.lists(OFFERS, min_size=8, max_size=24))
def test_all_that_was_ever_signed_is_one_history(
    offers: list[tuple[list[bytes], int, int | None, WriteFault | None]],
) -> None:
    signed = asyncio.run(_offer_all(offers))

    sizes = [size for _, size in signed]
    assert sizes == sorted(sizes)
    assert any(
        all(tree[:size] == other[:size] for other, size in signed) for tree, _ in signed[-1:]
    ) == bool(signed)


async def _offer_all(
    offers: list[tuple[list[bytes], int, int | None, WriteFault | None]],
) -> list[tuple[list[bytes], int]]:
    """Offer heads to one witness, and to its next life after each crash; return the signed ones."""
    state, signed = MemoryWitnessState(), []
    witness = _life(state)
    for tree, size, old, fault in offers:
        known = await state.latest(LOG.name)
        claimed = (known.size if known else 0) if old is None else old
        proof = merkle.consistency_proof(tree[:size], claimed) if 0 < claimed < size else []
        note = sign_note(
            Checkpoint(LOG.name, size, merkle.root_of(tree[:size])).encode(), LOG.name, LOG_SEED
        )
        state.faults = {} if fault is None else {state.writes + 1: fault}
        try:
            answer = await witness.add_checkpoint(encode_submission(claimed, proof, note))
        except StoreBusyError:
            continue
        except ProcessKilled:
            witness = _life(state)
            continue
        if answer.status == 200:
            signed.append((tree, size))
    return signed


def _life(state: MemoryWitnessState) -> Witness:
    return Witness(
        name="w.example/1",
        private_key=fixed_key("witness"),
        logs={LOG.name: LOG},
        state=state,
        clock=SetClock(),
    )
