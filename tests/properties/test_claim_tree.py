"""Claim roots and proofs: algebra of the tree, and agreement with the contract on an EVM."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.exceptions import ContractLogicError

from bot.crypto.hashing import keccak256
from bot.domain.settlement import ClaimChunk, ClaimLeaf, Commitment
from bot.domain.transactions import SignedTransaction, Signer
from bot.settlement.claims import (
    CHUNK_LEAVES,
    ClaimTree,
    audit_hash,
    fold_chunk,
    fold_proof,
    hash_leaf,
)
from tests.fakes.settlement_rig import Rig

leaves = st.builds(
    ClaimLeaf,
    twin=st.binary(min_size=32, max_size=32),
    payout=st.binary(min_size=20, max_size=20).filter(any),
    cumulative_units=st.integers(1, 1_000_000),
    audit=st.binary(min_size=32, max_size=32),
)


def some_leaves(count: int) -> list[ClaimLeaf]:
    return [
        ClaimLeaf(
            twin=keccak256(b"twin %d" % i),
            payout=keccak256(b"payout %d" % i)[:20],
            cumulative_units=i + 1,
            audit=audit_hash(i, keccak256(b"log %d" % i)),
        )
        for i in range(count)
    ]


def test_keccak_is_ethereums() -> None:
    # keccak256("") as in the Yellow Paper, appendix B.
    assert keccak256(b"").hex() == (
        "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )


@given(st.lists(leaves, min_size=1, max_size=200))
def test_every_leaf_and_every_chunk_leads_to_the_root(items: list[ClaimLeaf]) -> None:
    tree = ClaimTree(items)

    for index, leaf in enumerate(items):
        assert fold_proof(hash_leaf(leaf), tree.proof(index)) == tree.root
    chunks = [tree.chunk(1, i) for i in range(-(-len(items) // CHUNK_LEAVES))]
    assert all(fold_chunk(chunk) == tree.root for chunk in chunks)
    assert [leaf for chunk in chunks for leaf in chunk.leaves] == items


@given(st.lists(leaves, min_size=1, max_size=150), st.data())
def test_no_changed_leaf_leads_to_the_root(items: list[ClaimLeaf], data: st.DataObject) -> None:
    tree = ClaimTree(items)
    index = data.draw(st.integers(0, len(items) - 1))
    leaf = items[index]
    changed = data.draw(
        st.sampled_from(
            [
                replace(leaf, cumulative_units=leaf.cumulative_units + 1),
                replace(leaf, twin=keccak256(leaf.twin)),
                replace(leaf, payout=keccak256(leaf.payout)[:20]),
                replace(leaf, audit=keccak256(leaf.audit)),
            ]
        )
    )

    assert fold_proof(hash_leaf(changed), tree.proof(index)) != tree.root


@pytest.mark.parametrize("index", [-1, 3])
def test_what_is_not_in_the_tree_has_no_proof(index: int) -> None:
    tree = ClaimTree(some_leaves(3))

    with pytest.raises(IndexError):
        tree.proof(index)
    with pytest.raises(IndexError):
        tree.chunk(1, index)


def _solidity(leaf: ClaimLeaf) -> tuple[Any, ...]:
    return (leaf.twin, "0x" + leaf.payout.hex(), leaf.cumulative_units, leaf.audit)


def _checksummed(rig: Rig, leaf: ClaimLeaf) -> tuple[Any, ...]:
    twin, payout, cumulative, audit = _solidity(leaf)
    return (twin, rig.web3.to_checksum_address(payout), cumulative, audit)


async def _agree_with_the_contract(items: list[ClaimLeaf]) -> None:
    """Commit the tree on an EVM and ask the contract about every chunk and some single claims."""
    with TemporaryDirectory() as folder:
        rig = await Rig.open(Path(folder))
        try:
            tree = ClaimTree(items)
            total = sum(leaf.cumulative_units for leaf in items)
            commitment = Commitment(1, tree.root, total, b"l" * 32, 1, b"d" * 32)
            signed = await rig.chain.sign_commit(commitment, nonce=0)
            assert isinstance(signed, SignedTransaction)
            await rig.chain.send(signed)
            for index in range(-(-len(items) // CHUNK_LEAVES)):
                await _check_chunk(rig, tree.chunk(1, index))
            for index in {0, len(items) // 2, len(items) - 1}:
                arguments = (*_checksummed(rig, items[index]), list(tree.proof(index)))
                paid = await rig.settlement.functions.claim(*arguments).call()
                assert paid == items[index].cumulative_units
        finally:
            await rig.close()


async def _check_chunk(rig: Rig, chunk: ClaimChunk) -> None:
    functions = rig.settlement.functions
    arguments = [_checksummed(rig, leaf) for leaf in chunk.leaves]
    paid = await functions.claim_chunk(arguments, list(chunk.proof)).call()
    assert paid == sum(leaf.cumulative_units for leaf in chunk.leaves)
    forged = (*arguments[-1][:2], arguments[-1][2] + 1, arguments[-1][3])
    with pytest.raises(ContractLogicError, match="proof"):
        await functions.claim_chunk([*arguments[:-1], forged], list(chunk.proof)).call()


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 127, 128, 129, 193])
def test_the_contract_accepts_what_the_tree_proves(count: int) -> None:
    asyncio.run(_agree_with_the_contract(some_leaves(count)))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(leaves, min_size=1, max_size=140, unique_by=lambda leaf: leaf.twin))
def test_the_contract_agrees_on_any_tree(items: list[ClaimLeaf]) -> None:
    asyncio.run(_agree_with_the_contract(items))


def test_a_relayed_chunk_pays_each_leaf_exactly(tmp_path: Path) -> None:
    async def run() -> None:
        rig = await Rig.open(tmp_path)
        try:
            items = some_leaves(70)
            tree = ClaimTree(items)
            total = sum(leaf.cumulative_units for leaf in items)
            commit = await rig.chain.sign_commit(
                Commitment(1, tree.root, total, b"l" * 32, 1, b"d" * 32), nonce=0
            )
            assert isinstance(commit, SignedTransaction)
            await rig.chain.send(commit)
            for index in (0, 1):
                nonce = await rig.chain.nonce(Signer.RELAYER)
                claims = await rig.chain.sign_claims(tree.chunk(1, index), nonce=nonce)
                assert isinstance(claims, SignedTransaction)
                await rig.chain.send(claims)
            for leaf in items:
                assert await rig.chain.balance(leaf.payout) == leaf.cumulative_units
            assert (await rig.chain.contract()).claimed_total == total
        finally:
            await rig.close()

    asyncio.run(run())
