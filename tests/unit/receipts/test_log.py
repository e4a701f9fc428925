"""Heads of the log: signed over what is durable, each larger than the last."""

import asyncio

import pytest

from bot.crypto import merkle
from bot.crypto.signed_note import Checkpoint, open_note
from bot.domain.errors import InvariantError
from bot.receipts.log import append_leaf
from tests.fakes.store import MemoryStore
from tests.stage import LOG, memory_stage

SIGNER = memory_stage().signer


async def _append(store: MemoryStore, *leaves: bytes) -> None:
    async with store.transaction() as tx:
        for leaf in leaves:
            await append_leaf(tx, leaf)


async def test_head_is_signed_over_every_leaf() -> None:
    store = MemoryStore()
    await _append(store, b"a", b"b", b"c")

    head = await SIGNER.publish(store)

    assert head is not None
    root = merkle.root_of([merkle.leaf_hash(leaf) for leaf in (b"a", b"b", b"c")])
    assert (head.size, head.root) == (3, root)
    assert Checkpoint.parse(open_note(head.note, LOG).text) == Checkpoint(LOG.name, 3, root)


async def test_empty_log_has_no_head() -> None:
    assert await SIGNER.publish(MemoryStore()) is None


async def test_unchanged_log_keeps_its_head() -> None:
    store = MemoryStore()
    await _append(store, b"a")
    first = await SIGNER.publish(store)

    heads = await asyncio.gather(*(SIGNER.publish(store) for _ in range(3)))

    assert heads == [first] * 3
    assert len(store.tables.checkpoints) == 1


async def test_later_head_is_consistent_with_every_earlier_one() -> None:
    store = MemoryStore()
    for n in range(1, 9):
        await _append(store, *(bytes([n, k]) for k in range(n)))
        await SIGNER.publish(store)

    heads, nodes = store.tables.checkpoints, store.tables.nodes
    for old in heads:
        for new in heads[heads.index(old) :]:
            proof = merkle.consistency_from_nodes(old.size, new.size, nodes)
            merkle.verify_consistency(
                old=old.size, new=new.size, proof=proof, old_root=old.root, new_root=new.root
            )


async def test_log_shorter_than_its_head_is_never_signed() -> None:
    store = MemoryStore()
    await _append(store, b"a", b"b")
    await SIGNER.publish(store)
    store.tables.leaves.pop()

    with pytest.raises(InvariantError, match="head of 2"):
        await SIGNER.publish(store)
