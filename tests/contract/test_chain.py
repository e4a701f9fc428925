"""What every settlement chain must do, over the fake and over the embedded chain."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.domain.errors import ChainUnavailableError
from bot.domain.settlement import ClaimChunk, Commitment, Epoch
from bot.domain.transactions import Refusal, SignedTransaction, Signer
from bot.ports.chain import Broadcast, SettlementChain
from bot.settlement.claims import ClaimTree, claim_order, to_leaf
from tests.fakes.chain import MemoryChain
from tests.fakes.settlement_rig import TREASURY_KEY, Rig, earnings_of, payout_of, twin_id

DELAY_S = 3_600
Slow = tuple[SettlementChain, Callable[[], Awaitable[None]]]


@pytest.fixture(params=["memory", "embedded"])
async def chain(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SettlementChain]:
    if request.param == "memory":
        yield MemoryChain()
        return
    rig = await Rig.open(tmp_path)
    yield rig.chain
    await rig.close()


def epoch_of(number: int, *, twins: int = 3, nano: int = 5_000_000, log_size: int = 9) -> Epoch:
    earnings = claim_order([earnings_of(i, nano) for i in range(twins)])
    commitment = Commitment(
        epoch=number,
        fee_root=ClaimTree([to_leaf(item) for item in earnings]).root,
        fee_total=sum(item.cumulative_units for item in earnings),
        log_root=log_size.to_bytes(32, "big"),
        log_size=log_size,
        data_hash=b"d" * 32,
    )
    return Epoch(commitment, earnings, cutoff=0)


async def publish(chain: SettlementChain, epoch: Epoch) -> SignedTransaction:
    signed = await chain.sign_commit(epoch.commitment, nonce=await chain.nonce(Signer.SETTLER))
    assert isinstance(signed, SignedTransaction)
    assert await chain.send(signed) is Broadcast.ACCEPTED
    return signed


async def relay(chain: SettlementChain, chunk: ClaimChunk) -> SignedTransaction | Refusal:
    signed = await chain.sign_claims(chunk, nonce=await chain.nonce(Signer.RELAYER))
    if isinstance(signed, SignedTransaction):
        await chain.send(signed)
    return signed


@pytest.fixture(params=["memory", "embedded"])
async def slow(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Slow]:
    """A contract with a time for vetoes, and its guardian's veto."""
    if request.param == "memory":
        memory = MemoryChain(delay_s=DELAY_S)

        async def veto() -> None:
            memory.veto()

        yield memory, veto
        return
    rig = await Rig.open(tmp_path, delay_s=DELAY_S)

    async def veto_by_transaction() -> None:
        receipt = await rig.transact(rig.settlement.functions.veto(), TREASURY_KEY)
        assert receipt["status"] == 1

    yield rig.chain, veto_by_transaction
    await rig.close()


async def test_a_veto_uses_up_the_number_and_leaves_the_contents_before(slow: Slow) -> None:
    chain, veto = slow
    fresh = await chain.contract()
    await publish(chain, epoch_of(1))
    before = await chain.contract()
    await veto()
    after = await chain.contract()

    assert await chain.veto_delay_s() == DELAY_S
    assert [one.was_vetoed for one in (fresh, before, after)] == [False, False, True]
    assert after.commitment == Commitment(1, bytes(32), 0, bytes(32), 0, bytes(32))
    assert not after.may_be_vetoed


async def test_a_contract_without_a_delay_is_never_vetoed(chain: SettlementChain) -> None:
    await publish(chain, epoch_of(1))

    assert await chain.veto_delay_s() == 0
    assert not (await chain.contract()).was_vetoed


async def test_a_contract_at_a_depth_says_what_it_said_there(chain: SettlementChain) -> None:
    await publish(chain, epoch_of(1))
    await publish(chain, epoch_of(2, nano=7_000_000))
    await relay(chain, ClaimTree.of_epoch(epoch_of(2, nano=7_000_000)).chunk(2, 0))
    twins = [twin_id(0)]

    epochs = [(await chain.contract(finality=depth)).commitment.epoch for depth in (1, 2, 3)]
    paid = [await chain.claimed(twins, finality=depth) for depth in (1, 2)]

    assert epochs == [2, 2, 1]
    assert paid == [(7_000,), (0,)]


async def test_a_contract_that_is_not_final_itself_is_waited_for(tmp_path: Path) -> None:
    rig = await Rig.open(tmp_path)
    try:
        with pytest.raises(ChainUnavailableError, match="the contract itself is not final yet"):
            await rig.chain.contract(finality=99)
    finally:
        await rig.close()


async def test_a_fresh_contract_has_committed_and_paid_nothing(chain: SettlementChain) -> None:
    state = await chain.contract()

    assert state.commitment == Commitment(0, bytes(32), 0, bytes(32), 0, bytes(32))
    assert state.claimed_total == 0
    assert await chain.nonce(Signer.SETTLER) == 0
    assert await chain.nonce(Signer.RELAYER) == 0


async def test_identity_is_stable(chain: SettlementChain) -> None:
    before = await chain.identity()
    await publish(chain, epoch_of(1))

    assert await chain.identity() == before


async def test_a_commit_shows_in_the_contract_and_in_its_inclusion(chain: SettlementChain) -> None:
    epoch = epoch_of(1)
    signed = await publish(chain, epoch)

    state = await chain.contract()
    inclusion = await chain.inclusion(signed.hash)
    assert state.commitment == epoch.commitment
    assert state.claimable_root == epoch.commitment.fee_root
    assert inclusion is not None
    assert inclusion.succeeded
    assert inclusion.depth == 1
    assert await chain.nonce(Signer.SETTLER) == 1


async def test_signing_sends_nothing(chain: SettlementChain) -> None:
    signed = await chain.sign_commit(epoch_of(1).commitment, nonce=0)

    assert isinstance(signed, SignedTransaction)
    assert await chain.inclusion(signed.hash) is None
    assert (await chain.contract()).commitment.epoch == 0


async def test_the_same_bytes_twice_have_the_effect_of_once(chain: SettlementChain) -> None:
    signed = await publish(chain, epoch_of(1))

    assert await chain.send(signed) in (Broadcast.NONCE_USED, Broadcast.ACCEPTED)
    assert await chain.nonce(Signer.SETTLER) == 1


async def test_other_bytes_with_a_used_nonce_are_told_apart(chain: SettlementChain) -> None:
    late = await chain.sign_commit(epoch_of(1, nano=7_000_000).commitment, nonce=0)
    await publish(chain, epoch_of(1))

    assert isinstance(late, SignedTransaction)
    assert await chain.send(late) is Broadcast.NONCE_USED
    assert await chain.inclusion(late.hash) is None


@pytest.mark.parametrize(
    "second",
    [
        epoch_of(1),
        epoch_of(3),
        epoch_of(2, nano=4_000_000),
        epoch_of(2, log_size=8),
    ],
    ids=["same epoch", "epoch skipped", "fee total down", "log shrunk"],
)
async def test_a_commit_that_breaks_a_rule_is_refused_before_it_is_signed(
    chain: SettlementChain, second: Epoch
) -> None:
    await publish(chain, epoch_of(1))

    assert isinstance(await chain.sign_commit(second.commitment, nonce=1), Refusal)


async def test_claims_pay_the_address_in_the_leaf_once(chain: SettlementChain) -> None:
    epoch = epoch_of(1)
    chunk = ClaimTree.of_epoch(epoch).chunk(1, 0)
    await publish(chain, epoch)

    await relay(chain, chunk)
    await relay(chain, chunk)

    assert await chain.claimed([twin_id(0), twin_id(1), twin_id(99)]) == (5_000, 5_000, 0)
    assert await chain.balance(payout_of(0)) == 5_000
    assert (await chain.contract()).claimed_total == 15_000


async def test_a_later_claim_pays_the_difference(chain: SettlementChain) -> None:
    first, second = epoch_of(1), epoch_of(2, nano=8_000_000)
    for epoch in (first, second):
        await publish(chain, epoch)
        await relay(chain, ClaimTree.of_epoch(epoch).chunk(epoch.number, 0))

    assert await chain.balance(payout_of(1)) == 8_000


async def test_a_claim_that_is_not_in_the_root_is_refused(chain: SettlementChain) -> None:
    await publish(chain, epoch_of(1))

    forged = ClaimTree.of_epoch(epoch_of(1, nano=9_000_000)).chunk(1, 0)
    assert isinstance(await relay(chain, forged), Refusal)


async def test_claimed_answers_for_more_twins_than_one_call_holds(chain: SettlementChain) -> None:
    assert await chain.claimed([twin_id(i) for i in range(130)]) == (0,) * 130


async def test_nonce_at_a_depth_counts_only_what_is_that_deep(chain: SettlementChain) -> None:
    await publish(chain, epoch_of(1))
    await publish(chain, epoch_of(2, nano=6_000_000))

    assert await chain.nonce(Signer.SETTLER, finality=2) == 1


async def test_accounts_are_asked_by_address_and_one_of_them_may_commit(
    chain: SettlementChain,
) -> None:
    await publish(chain, epoch_of(1))
    settler, relayer = await chain.account(Signer.SETTLER), await chain.account(Signer.RELAYER)

    assert settler != relayer
    assert await chain.settler() == settler
    assert await chain.nonce(settler) == await chain.nonce(Signer.SETTLER) == 1
    assert await chain.nonce(relayer) == await chain.nonce(b"n" * 20) == 0


async def test_only_the_account_that_has_signed_can_offer_more(chain: SettlementChain) -> None:
    signed = await chain.sign_commit(epoch_of(1).commitment, nonce=0)
    assert isinstance(signed, SignedTransaction)

    dearer = await chain.raise_fees(signed)
    foreign = await chain.raise_fees(replace(signed, sender=b"n" * 20))

    assert isinstance(dearer, SignedTransaction)
    assert dearer.sender == signed.sender == await chain.account(Signer.SETTLER)
    assert isinstance(foreign, Refusal)
    assert "no key here" in foreign.reason
