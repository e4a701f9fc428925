"""The contract's own rules, executed on the embedded EVM; the publisher never breaks them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import vyper

from bot.domain.settlement import NO_PAYOUT, ClaimLeaf
from bot.settlement.claims import ClaimTree
from tests.fakes.settlement_rig import (
    RELAYER_KEY,
    SETTLER_KEY,
    TREASURY_KEY,
    Opener,
    Rig,
    StoppedClock,
    address_of,
    payout_of,
    twin_id,
)

BLOCKING_ERC20 = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
blocked: public(HashMap[address, bool])
tax: public(uint256)

@deploy
def __init__(treasury: address):
    self.balanceOf[treasury] = 10**12

@external
def block(account: address, is_blocked: bool):
    self.blocked[account] = is_blocked

@external
def set_tax(units: uint256):
    self.tax = units

@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.blocked[receiver], "blocked"
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True

@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount - self.tax
    return True
"""
DELAY_S = 3_600


@pytest.fixture
async def open_rig() -> AsyncIterator[Opener]:
    async with Rig.opener() as opener:
        yield opener


@pytest.fixture
async def rig(tmp_path: Path, open_rig: Opener) -> Rig:
    return await open_rig(tmp_path)


def leaf_of(number: int, units: int, *, payout: bytes | None = None) -> ClaimLeaf:
    return ClaimLeaf(
        twin_id(number), payout_of(number) if payout is None else payout, units, bytes(32)
    )


async def commit(
    rig: Rig,
    epoch: int,
    *leaves: ClaimLeaf,
    total: int | None = None,
    log: tuple[int, bytes] | None = None,
    contract: Any = None,  # noqa: ANN401 - web3's contract object
    key: bytes = SETTLER_KEY,
) -> bool:
    """Send a commit without a rehearsal; return whether it succeeded."""
    size, root = log or (epoch, bytes([epoch]) * 32)
    fee_total = sum(leaf.cumulative_units for leaf in leaves) if total is None else total
    call = (contract or rig.settlement).functions.commit(
        epoch, ClaimTree(leaves).root, fee_total, root, size, b"d" * 32
    )
    return bool((await rig.transact(call, key))["status"])


async def claim(rig: Rig, *leaves: ClaimLeaf, contract: Any = None) -> bool:  # noqa: ANN401
    chunk = ClaimTree(leaves).chunk(1, 0)
    arguments = [
        (leaf.twin, rig.web3.to_checksum_address(leaf.payout), leaf.cumulative_units, leaf.audit)
        for leaf in chunk.leaves
    ]
    target = contract or rig.settlement
    call = target.functions.claim_chunk(arguments, list(chunk.proof))
    return bool((await rig.transact(call, RELAYER_KEY))["status"])


async def test_epochs_count_up_by_one(rig: Rig) -> None:
    assert not await commit(rig, 2, leaf_of(0, 5))
    assert await commit(rig, 1, leaf_of(0, 5))
    assert not await commit(rig, 1, leaf_of(0, 6))
    assert not await commit(rig, 3, leaf_of(0, 6))
    assert await commit(rig, 2, leaf_of(0, 6))


async def test_totals_and_log_never_shrink_and_the_log_never_forks(rig: Rig) -> None:
    assert await commit(rig, 1, leaf_of(0, 5), log=(9, b"a" * 32))

    assert not await commit(rig, 2, leaf_of(0, 4), log=(9, b"a" * 32))
    assert not await commit(rig, 2, leaf_of(0, 5), log=(8, b"a" * 32))
    assert not await commit(rig, 2, leaf_of(0, 5), log=(9, b"b" * 32))
    assert await commit(rig, 2, leaf_of(0, 5), log=(9, b"a" * 32))


@pytest.mark.parametrize("key", [RELAYER_KEY, TREASURY_KEY])
async def test_only_the_settler_commits(rig: Rig, key: bytes) -> None:
    assert not await commit(rig, 1, leaf_of(0, 5), key=key)


async def test_a_root_above_the_treasurys_allowance_is_refused(rig: Rig) -> None:
    assert not await commit(rig, 1, leaf_of(0, 10_000 * 10**6 + 1))
    assert await commit(rig, 1, leaf_of(0, 10_000 * 10**6))


async def test_replayed_and_stale_claims_pay_nothing_and_do_not_revert(rig: Rig) -> None:
    await commit(rig, 1, leaf_of(0, 50))

    assert await claim(rig, leaf_of(0, 50))
    assert await claim(rig, leaf_of(0, 50))

    assert await rig.chain.balance(payout_of(0)) == 50
    # A root whose leaf is lower than what was paid already.
    await commit(rig, 2, leaf_of(0, 40), total=50)
    assert await claim(rig, leaf_of(0, 40))
    assert await rig.chain.balance(payout_of(0)) == 50


async def test_a_claim_of_an_older_root_is_refused(rig: Rig) -> None:
    await commit(rig, 1, leaf_of(0, 50))
    await commit(rig, 2, leaf_of(0, 60))

    assert not await claim(rig, leaf_of(0, 50))


async def test_leaves_that_add_up_to_more_than_the_total_are_not_all_paid(rig: Rig) -> None:
    leaves = (leaf_of(0, 30), leaf_of(1, 30))
    await commit(rig, 1, *leaves, total=40)

    assert await claim(rig, *leaves)

    assert await rig.chain.claimed([twin_id(0), twin_id(1)]) == (30, 0)


async def test_a_leaf_without_an_address_pays_nobody(rig: Rig) -> None:
    leaves = (leaf_of(0, 30), leaf_of(1, 30, payout=NO_PAYOUT))
    await commit(rig, 1, *leaves)

    assert await claim(rig, *leaves)

    assert await rig.chain.claimed([twin_id(0), twin_id(1)]) == (30, 0)


async def _with_blocking_token(rig: Rig) -> tuple[Any, Any]:
    compiled = vyper.compile_code(BLOCKING_ERC20, output_formats=["abi", "bytecode"])
    treasury = rig.web3.to_checksum_address(address_of(TREASURY_KEY))
    settler = rig.web3.to_checksum_address(address_of(SETTLER_KEY))
    factory = rig.web3.eth.contract(abi=compiled["abi"], bytecode=compiled["bytecode"])
    made = await rig.transact(factory.constructor(treasury), TREASURY_KEY)
    token = rig.web3.eth.contract(address=made["contractAddress"], abi=compiled["abi"])
    from adapters.evm.artefacts import load_artefact  # noqa: PLC0415

    artefact = load_artefact("settlement")
    factory = rig.web3.eth.contract(abi=artefact.abi, bytecode=artefact.bytecode)
    no_registry = rig.web3.to_checksum_address(bytes(20))
    made = await rig.transact(
        factory.constructor(token.address, treasury, treasury, settler, treasury, 0, no_registry),
        TREASURY_KEY,
    )
    return token, rig.web3.eth.contract(address=made["contractAddress"], abi=artefact.abi)


async def test_a_blocked_address_does_not_stop_the_others_and_is_paid_later(rig: Rig) -> None:
    token, contract = await _with_blocking_token(rig)
    blocked = rig.web3.to_checksum_address(payout_of(1))
    leaves = (leaf_of(0, 30), leaf_of(1, 40), leaf_of(2, 50))
    await commit(rig, 1, *leaves, contract=contract)
    await rig.transact(token.functions.block(blocked, True), TREASURY_KEY)  # noqa: FBT003

    assert await claim(rig, *leaves, contract=contract)
    paid = await contract.functions.claimed_of([leaf.twin for leaf in leaves]).call()
    await rig.transact(token.functions.block(blocked, False), TREASURY_KEY)  # noqa: FBT003
    assert await claim(rig, *leaves, contract=contract)

    assert paid == [30, 0, 50]
    assert await token.functions.balanceOf(blocked).call() == 40
    assert await contract.functions.claimed_total().call() == 120


async def test_a_token_that_delivers_less_than_asked_is_underfunded(rig: Rig) -> None:
    token, contract = await _with_blocking_token(rig)
    await rig.transact(token.functions.set_tax(1), TREASURY_KEY)

    assert not await commit(rig, 1, leaf_of(0, 30), contract=contract)


async def test_a_root_waits_for_its_delay(tmp_path: Path, open_rig: Opener) -> None:
    clock = StoppedClock()
    rig = await open_rig(tmp_path, clock=clock, delay_s=DELAY_S)
    await commit(rig, 1, leaf_of(0, 30))

    assert not await claim(rig, leaf_of(0, 30))
    assert not await commit(rig, 2, leaf_of(0, 40))
    clock.advance(DELAY_S + 60)
    assert await claim(rig, leaf_of(0, 30))
    assert await commit(rig, 2, leaf_of(0, 40))
    # The root before it stays claimable meanwhile.
    assert await claim(rig, leaf_of(0, 30))
    clock.advance(DELAY_S + 60)
    assert await claim(rig, leaf_of(0, 40))

    assert await rig.chain.balance(payout_of(0)) == 40


async def test_a_vetoed_root_never_works_and_its_settler_is_gone(
    tmp_path: Path, open_rig: Opener
) -> None:
    clock = StoppedClock()
    rig = await open_rig(tmp_path, clock=clock, delay_s=DELAY_S)
    await commit(rig, 1, leaf_of(0, 30), log=(5, b"a" * 32))
    clock.advance(DELAY_S + 60)
    await commit(rig, 2, leaf_of(9, 9_000), log=(6, b"e" * 32))

    veto = rig.settlement.functions.veto()
    assert not (await rig.transact(veto, SETTLER_KEY))["status"]
    assert (await rig.transact(veto, TREASURY_KEY))["status"]
    clock.advance(2 * DELAY_S)

    assert not await claim(rig, leaf_of(9, 9_000))
    assert await claim(rig, leaf_of(0, 30))
    assert not await commit(rig, 3, leaf_of(0, 40), log=(7, b"b" * 32))
    owner_call = rig.settlement.functions.set_settler(
        rig.web3.to_checksum_address(address_of(SETTLER_KEY))
    )
    assert (await rig.transact(owner_call, TREASURY_KEY))["status"]
    assert await commit(rig, 3, leaf_of(0, 40), log=(6, b"b" * 32))


async def test_a_veto_comes_too_late_after_the_delay(tmp_path: Path, open_rig: Opener) -> None:
    clock = StoppedClock()
    rig = await open_rig(tmp_path, clock=clock, delay_s=DELAY_S)
    await commit(rig, 1, leaf_of(0, 30))
    clock.advance(DELAY_S + 60)

    assert not (await rig.transact(rig.settlement.functions.veto(), TREASURY_KEY))["status"]
