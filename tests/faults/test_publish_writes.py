"""Every durable write of a creator's life x lost, applied but errored, killed; restart; audit.

The story: a draft, its first version, a spoken pause, the same pause signed, its end, a second
version, its revocation. Whatever breaks, nothing is signed twice, nothing that was signed is lost,
and the story can be told again to the same end.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from bot.crypto.eip712 import address_of
from bot.domain.errors import BotError, UserError
from bot.domain.manifest import parse_manifest
from bot.domain.order import parse_order
from bot.ports.creators import DraftEdit, PauseResult, SigningLink
from tests.fakes.creator_store import MemoryCreatorStore
from tests.fakes.store import KILLS, MemoryStore, ProcessKilled, WriteFault
from tests.unit.creators.house import KEY, ZOE, House, memory_house, sign, token_of

CREATOR_WRITES = (
    "add_draft",
    *("add_ticket", "note_prepared", "close_ticket"),  # version 1
    *("speak_pause", "add_ticket", "note_prepared", "close_ticket"),  # the pause, signed
    *("add_ticket", "note_prepared", "end_pause", "close_ticket"),  # its end, signed
    "save_draft",
    *("add_ticket", "note_prepared", "close_ticket"),  # version 2
    *("add_ticket", "note_prepared", "close_ticket"),  # its revocation
)
BOOK_WRITES = ("funding", "version 1", "pause", "resume", "version 2", "revocation")


async def _signed(house: House, link: SigningLink | PauseResult) -> None:
    """Sign a link, and look at it once more when something goes wrong, as a person would."""
    token = token_of(link)
    prepared = await house.signing.prepare(token, signer=address_of(KEY), payout="")
    await house.signing.submit(token, body=prepared.body, signature=sign(prepared))


async def _create(house: House) -> None:
    if not await house.desk.twins_of(ZOE):
        await house.begin()


async def _publish(house: House, version: int) -> None:
    view = await house.desk.show(ZOE, "zoe")
    if len(view.versions) < version:
        await _signed(house, await house.desk.publish(ZOE, "zoe"))


async def _edit(house: House) -> None:
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))


async def _orders(house: House) -> int:
    store = house.stage.store
    assert isinstance(store, MemoryStore)
    return len(store.tables.orders)


async def _pause(house: House) -> None:
    if await _orders(house) == 0:
        result = await house.desk.pause(ZOE, "zoe")
        if result.link is not None:
            await _signed(house, result)


async def _resume(house: House) -> None:
    if await _orders(house) == 1:
        await _signed(house, await house.desk.resume(ZOE, "zoe"))


async def _revoke(house: House) -> None:
    if await _orders(house) == 2:
        await _signed(house, await house.desk.revoke(ZOE, "zoe", 2))


STEPS: tuple[Callable[[House], Awaitable[None]], ...] = (
    _create,
    lambda house: _publish(house, 1),
    _pause,
    _resume,
    _edit,
    lambda house: _publish(house, 2),
    _revoke,
)


async def _tell(house: House) -> None:
    for step in STEPS:
        await step(house)


async def _check_end(house: House) -> None:
    store = house.stage.store
    assert isinstance(store, MemoryStore)
    manifests = [parse_manifest(one.body) for one in store.tables.manifests]
    orders = [parse_order(one.body) for one in store.tables.orders]
    assert [one.version for one in manifests] == [1, 2]
    assert [(one.action.value, one.number) for one in orders] == [
        ("pause", 1),
        ("resume", 2),
        ("revoke", 3),
    ]
    view = await house.desk.show(ZOE, "zoe")
    assert view.state == "needs signature"
    assert view.draft.role == "a weaver"
    assert [(one.version, one.state) for one in view.versions] == [(2, "revoked"), (1, "replaced")]
    with pytest.raises(UserError, match="until its creator signs"):
        await house.say("m1")
    assert (await house.stage.audit()).wrong == []


def _break(house: House, kind: str, at: int, fault: WriteFault) -> None:
    if kind == "book":
        assert isinstance(house.stage.store, MemoryStore)
        house.stage.store.faults[at] = fault
    else:
        assert isinstance(house.creators, MemoryCreatorStore)
        house.creators.faults[at] = fault


WRITES = [
    *(("book", at) for at in range(2, len(BOOK_WRITES) + 1)),
    *(("creators", at) for at in range(1, len(CREATOR_WRITES) + 1)),
]
NAMES = [*BOOK_WRITES[1:], *CREATOR_WRITES]


async def test_the_table_names_every_write_of_the_story() -> None:
    house = await memory_house().open()

    await _tell(house)

    assert isinstance(house.creators, MemoryCreatorStore)
    assert isinstance(house.stage.store, MemoryStore)
    assert tuple(house.creators.writes) == CREATOR_WRITES
    assert house.stage.store.writes == len(BOOK_WRITES)
    await _check_end(house)


@pytest.mark.parametrize("fault", WriteFault)
@pytest.mark.parametrize(("kind", "at"), WRITES, ids=[f"{n}-{i}" for i, n in enumerate(NAMES)])
async def test_a_broken_write_loses_nothing_and_signs_nothing_twice(
    kind: str, at: int, fault: WriteFault
) -> None:
    house = await memory_house().open()
    _break(house, kind, at, fault)

    with suppress(BotError, ProcessKilled):  # a request that could not be closed is no failure
        await _tell(house)
    assert (await house.stage.audit()).wrong == []
    again = await house.restarted()
    await _tell(again)

    await _check_end(again)
    await _check_end(await again.restarted())


@pytest.mark.parametrize("fault", [fault for fault in WriteFault if fault not in KILLS])
@pytest.mark.parametrize(("kind", "at"), WRITES, ids=[f"{n}-{i}" for i, n in enumerate(NAMES)])
async def test_a_broken_write_is_made_good_in_the_same_process(
    kind: str, at: int, fault: WriteFault
) -> None:
    house = await memory_house().open()
    _break(house, kind, at, fault)

    with suppress(BotError):
        await _tell(house)
    await _tell(house)

    await _check_end(house)


@pytest.mark.parametrize("fault", [WriteFault.APPLIED, WriteFault.KILLED_AFTER])
async def test_a_publication_whose_end_was_lost_is_known_when_looked_at(fault: WriteFault) -> None:
    house = await memory_house().open()
    await house.begin()
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))
    _break(house, "book", 2, fault)

    with suppress(BotError, ProcessKilled):
        await house.signing.submit(token, body=prepared.body, signature=sign(prepared))
    if fault in KILLS:
        house = await house.restarted()

    done = (await house.signing.look(token)).done
    assert done == "Version 1 of Zoe is signed and in force."
    again = await house.signing.submit(token, body=prepared.body, signature=sign(prepared))
    assert again == done
    assert (await house.say("m1")).seq == 1
