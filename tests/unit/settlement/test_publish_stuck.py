"""The publisher over fakes when what is in flight can't be mined any more, or costs in vain."""

from datetime import timedelta

import pytest

from bot.domain.settlement import ClaimChunk, Commitment
from bot.domain.transactions import (
    Finality,
    Purpose,
    Refusal,
    SignedTransaction,
    Signer,
    TransactionState,
)
from bot.settlement.publish import EpochPublisher, PublisherState
from tests.fakes.chain import RELAYER, SETTLER, MemoryChain, World
from tests.fakes.clock import SetClock
from tests.fakes.settlement_house import House, settle

NEW = b"N" * 20
DEAD, FINAL = TransactionState.DEAD, TransactionState.FINAL


class Other(MemoryChain):
    """Another node of the same chain, which may say other things about accounts."""

    def __init__(self, of: MemoryChain) -> None:
        super().__init__(blocks=of.blocks)
        self.names: bytes | None = None
        self.counts: int | None = None

    async def settler(self, *, finality: Finality = 1) -> bytes:
        return self.names or await super().settler(finality=finality)

    async def nonce(self, account: Signer | bytes, *, finality: Finality = 1) -> int:
        told = await super().nonce(account, finality=finality)
        return told if self.counts is None else self.counts


class Liar(MemoryChain):
    """A node that names a nonce of its own, and counts what it is asked to sign."""

    lie: int | None = None
    signs = 0

    async def nonce(self, account: Signer | bytes, *, finality: Finality = 1) -> int:
        return await super().nonce(account, finality=finality) if self.lie is None else self.lie

    async def sign_commit(
        self, commitment: Commitment, *, nonce: int
    ) -> SignedTransaction | Refusal:
        self.signs += 1
        return await super().sign_commit(commitment, nonce=nonce)

    async def sign_claims(self, chunk: ClaimChunk, *, nonce: int) -> SignedTransaction | Refusal:
        self.signs += 1
        return await super().sign_claims(chunk, nonce=nonce)


class Reverting(MemoryChain):
    """A chain whose blocks revert what every rehearsal has passed."""

    lies = True
    mines = False

    def mine(self, *, empty: int = 0) -> None:
        self.mines = True
        super().mine(empty=empty)
        self.mines = False

    def _apply(self, world: World, transaction: SignedTransaction) -> bool:
        return not (self.mines and self.lies) and super()._apply(world, transaction)


@pytest.fixture
def house() -> House:
    house = House()
    house.earn(5_000_000)
    return house


async def leave_in_flight(house: House) -> EpochPublisher:
    """Send a commit that no block takes and every pool forgets."""
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    house.chain.pool.clear()
    house.chain.automine = True
    return publisher


@pytest.mark.parametrize("trouble", ["nonce gone", "drained", "base fee rose"])
async def test_a_commit_of_a_settler_that_was_replaced_is_given_up_and_signed_anew(
    house: House, trouble: str
) -> None:
    house.finality = 2
    await leave_in_flight(house)
    if trouble == "nonce gone":
        house.chain.spend_nonce(Signer.SETTLER)
    elif trouble == "drained":
        house.chain.drained.add(SETTLER)
    else:
        house.chain.base_fee_wei *= 50
    house.chain.accounts[Signer.SETTLER] = NEW
    house.chain.name_settler(NEW)
    publisher = house.publisher()

    early = await publisher.tick(begin=False)
    kept = (await house.store.transactions(Purpose.COMMIT, 1))[0]
    late = []
    for _ in range(5):
        house.chain.mine(empty=2)
        late.append(await publisher.tick(begin=False))

    assert early.state is PublisherState.WAITING
    assert kept.state is not DEAD or trouble == "nonce gone"
    assert late[-1].state is PublisherState.IDLE
    commits = await house.store.transactions(Purpose.COMMIT, 1)
    assert [(one.state, one.signed.sender) for one in commits] == [(DEAD, SETTLER), (FINAL, NEW)]
    await house.assert_settled()


async def test_a_commit_is_not_given_up_while_the_second_node_names_its_settler(
    house: House,
) -> None:
    house.second = second = Other(house.chain)
    publisher = await leave_in_flight(house)
    house.chain.drained.add(SETTLER)
    house.chain.accounts[Signer.SETTLER] = NEW
    house.chain.name_settler(NEW)
    second.names = SETTLER

    waits = await publisher.tick(begin=False)
    (kept,) = await house.store.transactions(Purpose.COMMIT, 1)
    second.names = None
    given_up = await publisher.tick(begin=False)

    assert "does not let 0x5353535353535353535353535353535353535353 commit any more" in waits.reason
    assert "the second RPC does not show another settler" in waits.reason
    assert kept.state is not DEAD
    assert "given up" in given_up.reason
    await publisher.tick(begin=False)
    await house.assert_settled()


async def test_another_key_under_the_same_settler_waits_and_names_the_account(
    house: House,
) -> None:
    publisher = await leave_in_flight(house)
    house.chain.base_fee_wei *= 50
    house.chain.accounts[Signer.SETTLER] = NEW

    status = await publisher.tick(begin=False)

    assert status.state is PublisherState.WAITING
    assert "no key here" in status.reason
    house.chain.accounts[Signer.SETTLER] = SETTLER
    await publisher.tick(begin=False)
    await house.assert_settled()


@pytest.mark.parametrize("trouble", ["nonce gone", "drained", "still there"])
async def test_a_claim_of_a_relayer_that_was_replaced_holds_nothing_up(
    house: House, trouble: str
) -> None:
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    house.chain.mine()
    await publisher.tick(begin=False)
    (old,) = house.chain.pool
    house.chain.pool.clear()
    house.chain.automine = True
    if trouble == "nonce gone":
        house.chain.spend_nonce(Signer.RELAYER)
    elif trouble == "drained":
        house.chain.drained.add(RELAYER)
    house.chain.accounts[Signer.RELAYER] = NEW

    await publisher.tick(begin=False)
    first = (await house.chain.contract()).claimed_total
    if trouble == "still there":
        # Some node had kept it, and it is mined after ours: it pays nothing again.
        house.chain.pool.append(old)
        house.chain.mine()
    house.earn(5_000_000)
    await settle(house)

    assert first == 5_000
    claims = await house.store.transactions(Purpose.CLAIM, 1)
    assert [(one.state, one.signed.sender) for one in claims] == [(DEAD, RELAYER), (FINAL, NEW)]
    await house.assert_settled()


async def test_a_claim_of_a_relayer_that_came_back_goes_out_dearer(house: House) -> None:
    house.chain.automine = False
    publisher = house.publisher()
    await publisher.tick()
    house.chain.mine()
    await publisher.tick(begin=False)
    house.chain.pool.clear()
    house.chain.accounts[Signer.RELAYER] = NEW
    house.chain.refuse_signing = "not now"
    await publisher.tick(begin=False)
    house.chain.accounts[Signer.RELAYER] = RELAYER
    house.chain.refuse_signing = ""
    house.chain.automine = True

    # The same bytes as the ones given up: the store keeps no bytes twice.
    assert (await publisher.tick(begin=False)).state is PublisherState.IDLE

    first, second = await house.store.transactions(Purpose.CLAIM, 1)
    assert (first.state, second.state) == (DEAD, FINAL)
    assert (first.signed.nonce, second.signed.nonce) == (0, 0)
    assert second.signed.fees.tip_wei > first.signed.fees.tip_wei
    await house.assert_settled()


async def test_a_nonce_that_one_of_our_own_had_is_signed_with_once_a_tick(house: House) -> None:
    house.chain = liar = Liar()
    await settle(house)
    house.earn(5_000_000)
    liar.lie, liar.signs = 0, 0

    status = await house.publisher().tick()

    assert status.state is PublisherState.WAITING
    assert "the RPC gives the settler's nonce as 0, which a commit of ours has used" in (
        status.reason
    )
    assert liar.signs == 1
    liar.lie = None
    await house.publisher().tick()
    await house.assert_settled()


async def test_a_claims_nonce_that_one_of_our_own_had_is_signed_with_once_a_tick(
    house: House,
) -> None:
    house.chain = liar = Liar()
    await settle(house)
    house.earn(5_000_000)
    house.relays = False
    await settle(house)
    house.relays = True
    liar.lie, liar.signs = 0, 0

    status = await house.publisher().tick(begin=False)

    assert "the RPC gives the relayer's nonce as 0, which a claim of ours has used" in status.reason
    assert liar.signs == 1
    liar.lie = None
    await house.publisher().tick(begin=False)
    await house.assert_settled()


async def test_bytes_that_were_given_up_are_taken_up_where_their_nonce_is_free_again(
    house: House,
) -> None:
    house.finality = 2
    house.chain = liar = Liar()
    publisher = await leave_in_flight(house)
    house.chain.spend_nonce(Signer.SETTLER)
    house.chain.mine(empty=4)
    house.chain.refuse_signing = "the treasury is empty"
    await publisher.tick(begin=False)
    (dead,) = await house.store.transactions(Purpose.COMMIT, 1)
    house.chain.reorganise(5, keep_pool=False)
    house.chain.refuse_signing, liar.signs = "", 0

    await publisher.tick(begin=False)
    for _ in range(4):
        house.chain.mine(empty=2)
        await publisher.tick(begin=False)

    assert dead.state is DEAD
    (commit,) = await house.store.transactions(Purpose.COMMIT, 1)
    assert (commit.state, commit.signed.hash) == (FINAL, dead.signed.hash)
    assert liar.signs == 2  # the commit and the claim
    await house.assert_settled()


async def test_a_nonce_that_the_second_node_does_not_confirm_is_not_signed_with(
    house: House,
) -> None:
    house.chain = liar = Liar()
    house.second = Other(liar)
    liar.lie = 1_000

    status = await house.publisher().tick()

    assert "goes on with nonce 0, the first one 1000" in status.reason
    assert liar.signs == 0
    liar.lie = None
    await house.publisher().tick()
    await house.assert_settled()


@pytest.mark.parametrize("asks_second", [False, True], ids=["one node", "two nodes"])
async def test_a_commit_with_a_nonce_missing_before_it_is_never_dearer_and_given_up(
    house: House,
    asks_second: bool,  # noqa: FBT001
) -> None:
    house.chain = liar = Liar()
    liar.automine = False
    second = Other(liar)
    second.counts = liar.lie = 1_000
    house.second = second if asks_second else None
    publisher = house.publisher()
    await publisher.tick()
    liar.lie, liar.automine = None, True

    early = await publisher.tick(begin=False)
    liar.mine(empty=11)
    doubted = await publisher.tick(begin=False) if asks_second else None
    second.counts = None
    given_up = await publisher.tick(begin=False)
    await publisher.tick(begin=False)

    missing = "nonce 0 of 0x5353535353535353535353535353535353535353 is missing"
    assert early.reason.startswith(missing)
    if doubted is not None:
        assert doubted.reason.endswith("the second RPC shows that none is missing")
    assert given_up.reason.startswith("given up")
    commits = await house.store.transactions(Purpose.COMMIT, 1)
    assert [(one.state, one.signed.nonce) for one in commits] == [(DEAD, 1_000), (FINAL, 0)]
    assert [len(one.attempts) for one in commits] == [1, 1]
    await house.assert_settled()


async def test_a_claim_behind_one_that_the_chain_has_lost_goes_out_after_it() -> None:
    house = House()
    house.earn(*[5_000_000] * 65)
    house.chain.automine = False
    publisher = house.publisher()
    for _ in range(2):
        await publisher.tick()
        house.chain.mine()
    await publisher.tick(begin=False)
    states = [one.state for one in await house.store.transactions(Purpose.CLAIM, 1)]
    # Deeper than the finality of one block: the first chunk is gone, the second waits for it.
    house.chain.reorganise(1, keep_pool=False)
    house.chain.mine(empty=11)
    house.chain.automine = True

    reasons = [(await publisher.tick(begin=False)).reason for _ in range(4)]

    assert states == [FINAL, TransactionState.SENT]
    assert "is missing before its transaction of 1" in reasons[0]
    assert "the chain has lost claims of epoch 1" in reasons[1]
    assert reasons[-1] == ""
    await house.assert_settled()


async def test_commits_that_are_reverted_although_rehearsed_become_rare(house: House) -> None:
    house.clock = clock = SetClock()
    house.chain = chain = Reverting()
    publisher = house.publisher()
    reasons = [(await publisher.tick(begin=not n)).reason for n in range(20)]
    quick = len(await house.store.transactions(Purpose.COMMIT, 1))
    clock.advance(timedelta(hours=1))
    await publisher.tick(begin=False)
    await publisher.tick(begin=False)
    slow = len(await house.store.transactions(Purpose.COMMIT, 1))

    assert (quick, slow) == (3, 4)
    assert "epoch 1 was reverted 3 times although its rehearsal passed" in reasons[-1]
    chain.lies = False
    clock.advance(timedelta(hours=1))
    await publisher.tick(begin=False)
    await house.assert_settled()
