"""A witness that is killed with SIGKILL at random moments, while a log shows it two histories."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import pytest

from bot.crypto import merkle
from bot.crypto.add_checkpoint import encode_submission, parse_size
from bot.crypto.cosignature import parse_witness_vkey, read_cosignature
from bot.crypto.ed25519 import public_key_of
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note, sign_note
from scripts.vector_log import fixed_key
from tests.witness_program import WitnessProgram

LOG_SEED = fixed_key("log")
LOG = VerifierKey("example.com/log", public_key_of(LOG_SEED))
SAME, SIZE = 10, 600
ONE = [merkle.leaf_hash(b"%d" % number) for number in range(SIZE)]
OTHER = ONE[:SAME] + [merkle.leaf_hash(b"other %d" % number) for number in range(SIZE - SAME)]
LIVES = 3


class _Liar:
    """Offers both histories as fast as it can, and keeps every cosignature that it gets."""

    def __init__(self, witness: WitnessProgram) -> None:
        self.witness = witness
        self.key = parse_witness_vkey(witness.vkey)
        self.signed: list[Checkpoint] = []
        self.known = 0
        self.chance = random.Random(11)  # noqa: S311 - a schedule, not a secret

    async def go_on(self) -> None:
        """Offer until the witness is gone."""
        async with aiohttp.ClientSession() as client:
            while True:
                tree = self.chance.choice((ONE, OTHER))
                size = min(SIZE, self.known + self.chance.randint(0, 2))
                try:
                    await self._offer(client, tree, max(size, 1))
                except (aiohttp.ClientError, ConnectionError):
                    return

    async def _offer(self, client: aiohttp.ClientSession, tree: Sequence[bytes], size: int) -> None:
        head = Checkpoint(LOG.name, size, merkle.root_of(tree[:size]))
        note = sign_note(head.encode(), LOG.name, LOG_SEED)
        old = self.known
        proof = merkle.consistency_proof(tree[:size], old) if 0 < old < size else []
        body = encode_submission(old, proof, note)
        async with client.post(f"{self.witness.url}add-checkpoint", data=body) as answer:
            said = await answer.read()
            if answer.status == 409:
                self.known = parse_size(said)
            if answer.status == 200:
                opened = open_note(note + said.decode(), LOG)
                assert any(read_cosignature(opened.text, one, self.key) for one in opened.others)
                self.signed.append(head)
                self.known = size


@pytest.mark.slow
async def test_killed_at_random_moments_it_signs_one_history_only(tmp_path: Path) -> None:
    witness = await asyncio.to_thread(
        WitnessProgram.make, tmp_path / "witness", "w.example/1", LOG.encode()
    )
    liar = _Liar(witness)
    sizes = []
    for _ in range(LIVES):
        await asyncio.to_thread(witness.start)
        lying = asyncio.create_task(liar.go_on())
        await asyncio.sleep(liar.chance.uniform(0.2, 0.8))
        await asyncio.to_thread(witness.kill)
        await lying
        sizes.append(max(head.size for head in liar.signed))

    histories = [
        tree
        for tree in (ONE, OTHER)
        if all(head.root == merkle.root_of(tree[: head.size]) for head in liar.signed)
    ]
    assert len(histories) == 1
    assert sizes == sorted(sizes)
    assert sizes[-1] > SAME + LIVES  # past the fork, in several lives
