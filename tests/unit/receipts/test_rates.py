"""A rate table is published once, whole or not at all, over the fake and over SQLite."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from bot.crypto.dsse import encode_envelope, parse_envelope, sign_envelope
from bot.crypto.ed25519 import public_key_of
from bot.crypto.errors import FormatError, MismatchError
from bot.domain.errors import InvariantError
from bot.domain.leaf import RatesLeaf
from bot.domain.rates import MAX_RATES, RATES_TYPE, STAR, Rate, RateTable, open_rates
from bot.domain.statements import OUTCOME_TYPE
from bot.ports.book import StoredRates
from bot.ports.stores import Store
from bot.receipts.log import append_leaf
from bot.receipts.rates import publish_rates, read_rates
from scripts.vector_log import fixed_key
from tests.fakes.store import MemoryStore

KEY, OTHER_KEY = fixed_key("operator"), fixed_key("other operator")
RATES = {STAR: 13_000_000, "discord-sku:9": 4 * 10**9, "discord-sku:10": 10**9}
BAD: dict[str, dict[str, object]] = {
    "a unit of nothing": {"rates": {"euro": 1}},
    "a price of nothing": {"rates": {STAR: 0}},
    "a price below nothing": {"rates": {STAR: -1}},
    "a price beyond numbers": {"rates": {STAR: 2**53}},
    "an SKU with a leading zero": {"rates": {"discord-sku:07": 1}},
    "too many units": {"rates": {f"discord-sku:{n}": 1 for n in range(1, MAX_RATES + 2)}},
    "held for too long": {"held_hours": 8761},
    "held for less than no time": {"held_hours": -1},
    "a token of two words": {"token": "t USD"},
}


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(tmp_path / "book.db", schema=schema)
    yield SqliteStore(database)
    await database.close()


async def _publish(store: Store, key: bytes = KEY, **changes: object) -> bytes:
    terms = {"token": "tUSD", "held_hours": 504, "rates": RATES, **changes}
    async with store.transaction() as tx:
        return await publish_rates(tx, key, **terms)  # type: ignore[arg-type]


async def _kept(store: Store) -> tuple[int, list[tuple[bytes, RateTable]]]:
    async with store.reading() as tx:
        return await tx.log_size(), await read_rates(tx)


async def test_a_table_is_signed_named_and_logged(store: Store) -> None:
    name = await _publish(store)

    async with store.reading() as tx:
        (stored,) = await tx.rate_tables()
        leaf = await tx.log_leaf(stored.log_index)
    envelope = parse_envelope(stored.envelope)
    assert leaf == RatesLeaf(name).encode()
    assert stored.name == name == envelope.digest
    units = ("discord-sku:10", "discord-sku:9", STAR)
    assert open_rates(envelope) == RateTable(
        public_key_of(KEY), 1, "tUSD", 504, tuple(Rate(unit, RATES[unit]) for unit in units)
    )


async def test_the_same_table_is_published_once(store: Store) -> None:
    first = await _publish(store)

    assert await _publish(store) == first
    assert await _publish(store, rates=dict(reversed(RATES.items()))) == first
    assert (await _kept(store))[0] == 1


@pytest.mark.parametrize(
    "change", [{"rates": {STAR: 12_000_000}}, {"rates": {}}, {"held_hours": 0}, {"token": "EUR"}]
)
async def test_a_changed_table_is_the_next_one(store: Store, change: Mapping[str, object]) -> None:
    first = await _publish(store)
    second = await _publish(store, KEY, **change)
    third = await _publish(store)  # what the first one said

    size, known = await _kept(store)
    assert size == len({first, second, third}) == 3
    assert [name for name, _ in known] == [first, second, third]
    assert [table.number for _, table in known] == [1, 2, 3]
    assert known[0][1].rates == known[2][1].rates


async def test_another_operators_tables_are_counted_apart(store: Store) -> None:
    await _publish(store)
    await _publish(store, OTHER_KEY)
    await _publish(store, OTHER_KEY, held_hours=1)

    _, known = await _kept(store)
    assert [table.number for _, table in known] == [1, 1, 2]
    assert {table.operator for _, table in known} == {public_key_of(KEY), public_key_of(OTHER_KEY)}


@pytest.mark.parametrize("what", BAD)
async def test_a_bad_table_writes_nothing(store: Store, what: str) -> None:
    await _publish(store)

    with pytest.raises(FormatError):
        await _publish(store, KEY, **BAD[what])

    size, known = await _kept(store)
    assert (size, len(known)) == (1, 1)


async def test_after_a_crash_leaf_and_table_are_both_there_or_neither(store: Store) -> None:
    async def crash() -> None:
        async with store.transaction() as tx:
            await publish_rates(tx, KEY, token="tUSD", held_hours=504, rates=RATES)  # noqa: S106
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    assert await _kept(store) == (0, [])

    name = await _publish(store)

    size, known = await _kept(store)
    assert (size, [one for one, _ in known]) == (1, [name])


async def test_a_table_needs_its_leaf_and_a_new_name(store: Store) -> None:
    await _publish(store)
    async with store.reading() as tx:
        (stored,) = await tx.rate_tables()

    with pytest.raises(InvariantError):
        async with store.transaction() as tx:
            await tx.add_rates(StoredRates(7, bytes(32), stored.envelope))
    with pytest.raises(InvariantError):
        await _add_again(store, stored)
    assert (await _kept(store))[0] == 1


async def _add_again(store: Store, stored: StoredRates) -> None:
    async with store.transaction() as tx:
        index = await append_leaf(tx, RatesLeaf(stored.name).encode())
        await tx.add_rates(StoredRates(index, stored.name, stored.envelope))


def test_a_table_that_another_key_signed_is_nobodys() -> None:
    table = RateTable(public_key_of(KEY), 1, "tUSD", 504, (Rate(STAR, 1),)).encode()

    for kind, key in ((RATES_TYPE, OTHER_KEY), (OUTCOME_TYPE, KEY)):
        with pytest.raises(MismatchError):
            open_rates(parse_envelope(encode_envelope(sign_envelope(kind, table, key))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"twinproof-rates/1", b"twinproof-rates/2"),
        (b'"number":1', b'"number":0'),
        (b'"held_hours":504', b'"held_hours":8761'),
        (b'"held_hours":504', b'"held_hours":null'),
        (b'"nano":1,', b'"nano":0,'),
        (b'"nano":1,"unit":"telegram-star"', b'"nano":1,"unit":"telegram-stars"'),
        (b'"nano":1,', b'"fee":0,"nano":1,'),
        (b'"rates":[', b'"rates":[{"nano":1,"unit":"telegram-star"},'),
    ],
)
def test_a_table_of_another_form_is_none(old: bytes, new: bytes) -> None:
    data = RateTable(public_key_of(KEY), 1, "tUSD", 504, (Rate(STAR, 1),)).encode()
    assert old in data

    with pytest.raises(FormatError):
        RateTable.parse(data.replace(old, new))
