"""An older copy of the book is put back: what was bought and consumed since is credited again."""

import shutil
import sqlite3
from contextlib import closing
from copy import deepcopy
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.discord_chat.credit import delivery
from tests.acceptance.discord.conftest import Rig
from tests.acceptance.discord.selling import HALF, Shop
from tests.acceptance.discord.server import until
from tests.acceptance.discord.store import TEST_PURCHASE
from tests.acceptance.discord.test_serve import WITHIN_S, Service, configure
from tests.acceptance.program import program
from tests.fakes.credit import MemoryFanCredit
from tests.fakes.discord_state import MemoryDiscordState

Book = tuple[MemoryFanCredit, MemoryDiscordState]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_PAUSE_S", 0.05)


@pytest.fixture
def shop(rig: Rig) -> Shop:
    return Shop(rig)


def copy_of(shop: Shop) -> Book:
    return deepcopy(shop.credit), deepcopy(shop.rig.state)


def put_back(shop: Shop, book: Book) -> None:
    shop.credit, shop.rig.state = deepcopy(book[0]), deepcopy(book[1])
    shop.rig.credit = shop.credit


async def looked(shop: Shop) -> None:
    """Start, wait until the list was followed, and stop."""
    chat = await shop.rig.start()
    await until(lambda: not is_looking(shop))
    await chat.stop()


def is_looking(shop: Shop) -> bool:
    """Say whether the surface still follows the list."""
    client = shop.rig.chats[-1]._client
    house = None if client is None else client.house
    if house is None or house.purchases is None:
        return True
    catching = house.purchases._catching
    return catching is None or not catching.done()


async def bought(shop: Shop, *, kind: int = 1) -> str:
    """Buy while the service runs, until it is consumed and told; then stop it."""
    told = len(shop.direct(shop.rig.ana))
    chat = await shop.rig.start()
    number = await shop.store.buy(shop.rig.ana, shop.sku, kind)
    await shop.consumed(number)
    await until(lambda: len(shop.direct(shop.rig.ana)) > told)
    await chat.stop()
    return number


@pytest.mark.parametrize("has_ended", [False, True])
async def test_what_was_bought_after_the_copy_is_credited_again_exactly_once(
    shop: Shop, *, has_ended: bool
) -> None:
    shop.store.ends_consumed = has_ended
    await looked(shop)
    await bought(shop)
    copy = copy_of(shop)
    lost = await bought(shop)
    assert await shop.balance() == 2 * HALF

    put_back(shop, copy)
    assert await shop.balance() == HALF
    with capture_logs() as logs:
        await looked(shop)
    for _ in range(2):
        await looked(shop)

    assert await shop.balance() == 2 * HALF
    assert shop.rig.platform.requests("POST", f"/entitlements/{lost}/consume") == 1
    assert [one["entitlement"] for one in logs if one["event"] == "discord.credited"] == [lost]
    (told,) = shop.direct(shop.rig.ana)[2:]
    assert told == (
        "A purchase of yours was missing here, so its 0.5 tUSD of credit is yours again. You have "
        "1 tUSD. `/credit` shows it."
    )


async def test_what_others_consumed_before_the_first_look_is_not_ours(shop: Shop) -> None:
    theirs = shop.store.make(shop.rig.ana, shop.sku)
    shop.rig.world.entitlements[theirs]["consumed"] = True
    waiting = shop.store.make(shop.rig.bo, shop.sku)

    chat = await shop.rig.start()
    await shop.consumed(waiting)
    await until(lambda: shop.rig.state.followed)
    await chat.stop()
    await looked(shop)

    assert await shop.balance() == 0
    assert set(shop.calls("credit")) == {waiting}


async def test_first_purchase_of_all_is_credited_again(shop: Shop) -> None:
    await looked(shop)
    copy = copy_of(shop)
    await bought(shop)

    put_back(shop, copy)
    await looked(shop)

    assert await shop.balance() == HALF


async def test_what_nobody_paid_for_stays_promotional(shop: Shop) -> None:
    await looked(shop)
    copy = copy_of(shop)
    await bought(shop, kind=TEST_PURCHASE)

    put_back(shop, copy)
    await looked(shop)
    view = await shop.credit.view(shop.ana)

    assert (view.paid_nano, view.promotional_nano) == (0, HALF)


@pytest.mark.parametrize("moment", ["before the copy is put back", "after it"])
async def test_refund_of_what_the_copy_lacks_is_followed(shop: Shop, moment: str) -> None:
    await looked(shop)
    copy = copy_of(shop)
    lost = await bought(shop)

    if moment == "after it":
        put_back(shop, copy)
        await looked(shop)
        assert await shop.balance() == HALF
        shop.store.lose(lost)
    else:
        shop.store.lose(lost)
        put_back(shop, copy)
    await looked(shop)

    assert await shop.balance() == 0
    assert shop.calls("refund") == ([lost] if moment == "after it" else [])


async def test_core_that_is_busy_loses_nothing_of_it(shop: Shop) -> None:
    await looked(shop)
    copy = copy_of(shop)
    await bought(shop)

    put_back(shop, copy)
    for _ in range(3):
        shop.credit.lose("credit")
    shop.rig.state.fail_writes = 1
    await looked(shop)

    assert await shop.balance() == HALF


async def test_list_is_read_again_from_a_day_before_its_end(shop: Shop) -> None:
    old = [shop.store.make(shop.rig.ana, shop.sku, TEST_PURCHASE, days_ago=d) for d in (9, 5, 3)]
    for number in old[:2]:
        shop.rig.world.entitlements[number]["consumed"] = True
    for _ in range(3):
        await looked(shop)
    await shop.consumed(old[2])

    asked = shop.store.listed_after
    assert asked[0] == 0
    assert int(old[1]) < asked[-1] < int(old[2])


async def test_list_is_read_again_from_what_is_not_finished(shop: Shop) -> None:
    unknown = shop.store.add_sku("Something else")
    old = shop.store.make(shop.rig.ana, unknown, days_ago=9)
    await looked(shop)
    later = await bought(shop)
    await looked(shop)

    assert shop.store.listed_after[-1] == int(old) - 1
    assert not shop.rig.world.entitlements[old]["consumed"]

    shop.credit.former[f"discord-sku:{unknown}"] = HALF
    await shop.rig.start()
    await shop.consumed(old)

    assert await shop.balance() == 2 * HALF
    assert set(shop.calls("credit")) == {old, later}


async def test_more_of_them_than_fit_on_a_page(shop: Shop) -> None:
    await looked(shop)
    copy = copy_of(shop)
    fans = [shop.rig.world.person(f"fan{n}") for n in range(120)]
    for fan in fans:
        fan.closed = True
    lost = [shop.store.make(fan, shop.sku) for fan in fans]
    for number in lost:
        shop.rig.world.entitlements[number]["consumed"] = True

    put_back(shop, copy)
    await shop.rig.start()
    await until(lambda: len(shop.calls("credit")) == 120, within_s=60)

    assert shop.calls("credit") == lost


@pytest.mark.slow
async def test_the_program_credits_again_what_an_older_data_folder_lacks(
    rig: Rig, tmp_path: Path
) -> None:
    shop = Shop(rig)
    config = configure(tmp_path, rig)
    rate = f'{{ unit = "discord-sku:{shop.sku}", worth = "0.5" }}'
    config.write_text(f"{config.read_text()}[money]\nrates = [{rate}]\n")
    data = tmp_path / "data"
    numbers: list[str] = []

    with program(tmp_path) as here:
        service = Service(here, config, rig)
        for copied in (tmp_path / "copy", None):
            await service.start()
            await until(lambda: rig.platform.requests("GET", "/entitlements"), within_s=WITHIN_S)
            numbers.append(await shop.store.buy(rig.ana, shop.sku))
            await until(lambda: len(shop.direct(rig.ana)) == len(numbers), within_s=WITHIN_S)
            await service.stop_and_audit(tmp_path)
            if copied is not None:
                shutil.copytree(data, copied)
        data.rename(tmp_path / "lost")
        (tmp_path / "copy").rename(data)
        await service.start()
        await until(lambda: len(shop.direct(rig.ana)) == 3, within_s=WITHIN_S)
        await service.stop_and_audit(tmp_path)

    assert book(data) == [(f"purchase:discord:{number}", HALF) for number in numbers]
    assert rig.platform.requests("POST", "/consume") == 2
    assert shop.direct(rig.ana)[2].startswith("A purchase of yours was missing here, so its 0.5 ")


def book(data: Path) -> list[tuple[str, int]]:
    """Return the purchases that the ledger has, and what each gave to its fan."""
    sql = (
        "SELECT key, nano FROM ledger_transactions JOIN postings ON transaction_id = id "
        "WHERE kind = 'purchase' AND account LIKE 'fan:%' ORDER BY id"
    )
    with closing(sqlite3.connect(f"file:{data / 'twinproof.db'}?mode=ro", uri=True)) as db:
        return [(str(key), int(nano)) for key, nano in db.execute(sql)]
