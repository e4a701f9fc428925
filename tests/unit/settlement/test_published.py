"""What is given out of final epochs, and what never is."""

from dataclasses import replace

from bot.crypto.hashing import sha256
from bot.domain.settlement import EpochState
from bot.domain.twin_log import ENTRY_BYTES
from bot.settlement import published
from bot.settlement.published import PublishedEpochs
from tests.fakes.settlement_house import House, settle
from tests.fakes.settlement_rig import twin_id

FEE = 5_000_000


async def _house() -> tuple[House, PublishedEpochs]:
    house = House()
    for _ in range(2):
        house.earn(FEE, FEE)
        await settle(house)
    return house, PublishedEpochs(store=house.store, earnings=house.book)


async def test_publications_are_those_that_were_committed() -> None:
    house, service = await _house()

    for number in (1, 2):
        data = await service.publication(number)
        assert data is not None
        assert sha256(data) == house.store.epochs[number].commitment.data_hash
        assert await service.publication(number) == data
    assert await service.publication(None) == await service.publication(2)
    assert await service.publication(3) is None


async def test_a_log_is_given_as_far_as_the_newest_final_epoch_covers_it() -> None:
    house, service = await _house()
    house.earn(FEE)

    whole = await service.twin_log(twin_id(0), None)

    assert whole is not None
    assert len(whole) == 2 * ENTRY_BYTES
    assert await service.twin_log(twin_id(0), 1) == whole[:ENTRY_BYTES]
    assert await service.twin_log(twin_id(0), 0) == b""
    assert await service.twin_log(twin_id(0), 3) is None
    assert await service.twin_log(twin_id(7), None) is None


async def test_what_is_not_final_is_not_published() -> None:
    house = House()
    service = PublishedEpochs(store=house.store, earnings=house.book)
    house.earn(FEE)
    house.chain.refuse_signing = "later"
    await house.publisher().tick()

    assert house.store.epochs[1].state is EpochState.PLANNED
    assert await service.publication(None) is None
    assert await service.publication(1) is None
    assert await service.twin_log(twin_id(0), None) is None


async def test_epochs_of_a_lost_book_have_nothing_to_publish() -> None:
    house, service = await _house()
    house.store.epochs[2] = replace(house.store.epochs[2], state=EpochState.LOST)

    assert await service.publication(2) is None
    assert await service.publication(None) == await service.publication(1)
    log = await service.twin_log(twin_id(0), None)
    assert log is not None
    assert len(log) == ENTRY_BYTES


async def test_memory_stays_small_whatever_is_asked_for() -> None:
    _, service = await _house()
    for number in range(3 * published.MOST_KEPT):
        await service.twin_log(number.to_bytes(32, "big"), None)

    assert len(service._kept) <= published.MOST_KEPT
