"""What every memory of creators' work must do, over the fake and over SQLite."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sqlite.creators import SCHEMA, SqliteCreatorStore
from adapters.sqlite.database import Database
from bot.domain.errors import InvariantError
from bot.domain.persona import Example, Persona
from bot.domain.terms import SamplerTerms
from bot.ports.creator_store import (
    MAX_PREPARED,
    CreatorStore,
    Draft,
    DraftContent,
    SigningTicket,
    SpokenPause,
)
from tests.fakes.creator_store import MemoryCreatorStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CONTENT = DraftContent(
    persona=Persona("Zoé", "a potter", ("I throw.",), ("war",), (Example("hi", "hello"),)),
    sampler=SamplerTerms("0.8", 40, "0.95", 200, "0.05", "0.5", "2"),
    price_nano=2_000_000,
    avatar=b"\x89PNG",
    free_daily=7,
)
DRAFT = Draft("zoe", "discord", "100", CONTENT, b'{"name": "Zoe"}')
TICKET = SigningTicket(bytes(32), "zoe", "publish", NOW, NOW + timedelta(minutes=30), CONTENT)
ORDER = replace(TICKET, token_hash=b"o" * 32, kind="revoke", content=None, manifest=b"m" * 32)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CreatorStore]:
    if request.param == "memory":
        yield MemoryCreatorStore()
        return
    database = await Database.open(tmp_path / "book.db", schema=[SCHEMA])
    yield SqliteCreatorStore(database)
    await database.close()


async def test_a_draft_comes_back_whole(store: CreatorStore) -> None:
    assert await store.add_draft(DRAFT, at_most=1)

    assert await store.find_draft("zoe") == DRAFT
    assert await store.find_draft("eve") is None
    assert await store.slugs() == ["zoe"]
    assert await store.slugs_of("discord", "100") == ["zoe"]
    assert await store.slugs_of("telegram", "100") == []


async def test_an_account_gets_no_more_than_it_may_have(store: CreatorStore) -> None:
    await store.add_draft(DRAFT, at_most=2)
    await store.add_draft(replace(DRAFT, slug="ada"), at_most=2)

    assert not await store.add_draft(replace(DRAFT, slug="eve"), at_most=2)
    assert await store.add_draft(replace(DRAFT, slug="eve", account="7"), at_most=2)
    assert await store.slugs() == ["ada", "eve", "zoe"]


async def test_a_slug_is_kept_once(store: CreatorStore) -> None:
    await store.add_draft(DRAFT, at_most=5)

    with pytest.raises(InvariantError):
        await store.add_draft(replace(DRAFT, account="7"), at_most=5)

    assert await store.find_draft("zoe") == DRAFT


async def test_a_draft_is_replaced_by_its_owner_alone(store: CreatorStore) -> None:
    await store.add_draft(DRAFT, at_most=5)
    changed = replace(
        DRAFT, content=replace(CONTENT, price_nano=5, free_daily=0, avatar=b""), card=b""
    )

    await store.save_draft(changed)

    assert await store.find_draft("zoe") == changed
    with pytest.raises(InvariantError):
        await store.save_draft(replace(changed, account="7"))
    with pytest.raises(InvariantError):
        await store.save_draft(replace(changed, slug="eve"))
    assert await store.find_draft("zoe") == changed


async def test_requests_come_back_whole(store: CreatorStore) -> None:
    await store.add_ticket(TICKET, forget_before=NOW)
    await store.add_ticket(ORDER, forget_before=NOW)

    assert await store.find_ticket(TICKET.token_hash) == TICKET
    assert await store.find_ticket(ORDER.token_hash) == ORDER
    assert await store.find_ticket(b"x" * 32) is None
    assert await store.open_tickets() == [TICKET, ORDER]


async def test_a_newer_request_replaces_the_open_one_of_its_kind(store: CreatorStore) -> None:
    await store.add_ticket(TICKET, forget_before=NOW)
    await store.add_ticket(ORDER, forget_before=NOW)
    newer = replace(TICKET, token_hash=b"n" * 32, created_at=NOW + timedelta(seconds=1))

    await store.add_ticket(newer, forget_before=NOW)

    assert await store.find_ticket(TICKET.token_hash) is None
    assert await store.open_tickets() == [ORDER, newer]


async def test_a_closed_request_stays_until_it_is_old(store: CreatorStore) -> None:
    await store.add_ticket(TICKET, forget_before=NOW)
    await store.close_ticket(TICKET.token_hash, done="Done.", manifest=b"m" * 32)
    await store.close_ticket(TICKET.token_hash, done="Done again.", manifest=b"x" * 32)
    newer = replace(TICKET, token_hash=b"n" * 32)
    await store.add_ticket(newer, forget_before=NOW)

    assert await store.find_ticket(TICKET.token_hash) == replace(TICKET, done="Done.")
    assert await store.open_tickets() == [newer]
    late = NOW + timedelta(minutes=31)
    await store.add_ticket(replace(ORDER, expires_at=NOW + timedelta(days=9)), forget_before=late)
    assert await store.find_ticket(TICKET.token_hash) is None


async def test_a_published_picture_is_found_by_its_manifest(store: CreatorStore) -> None:
    await store.add_ticket(TICKET, forget_before=NOW)
    await store.close_ticket(TICKET.token_hash, done="Done.", manifest=b"m" * 32)

    assert await store.avatar_of(b"m" * 32) == b"\x89PNG"
    assert await store.avatar_of(b"x" * 32) == b""


async def test_a_publication_without_picture_has_none(store: CreatorStore) -> None:
    bare = replace(TICKET, content=replace(CONTENT, avatar=b""))
    await store.add_ticket(bare, forget_before=NOW)
    await store.close_ticket(TICKET.token_hash, done="Done.", manifest=b"m" * 32)

    assert await store.avatar_of(b"m" * 32) == b""


async def test_prepared_bodies_are_remembered_and_bounded(store: CreatorStore) -> None:
    await store.add_ticket(TICKET, forget_before=NOW)
    hashes = [bytes([n]) * 32 for n in range(MAX_PREPARED)]
    for one in hashes:
        assert await store.note_prepared(TICKET.token_hash, one)

    assert await store.note_prepared(TICKET.token_hash, hashes[3])
    assert not await store.note_prepared(TICKET.token_hash, b"\xff" * 32)
    found = await store.find_ticket(TICKET.token_hash)
    assert found is not None
    assert found.prepared == tuple(hashes)
    with pytest.raises(InvariantError):
        await store.note_prepared(b"x" * 32, hashes[0])


async def test_the_first_pause_counts_until_it_ends(store: CreatorStore) -> None:
    first = SpokenPause("zoe", "pause:1", NOW)
    await store.speak_pause(first)
    await store.speak_pause(SpokenPause("zoe", "pause:2", NOW))

    assert await store.pause_of("zoe") == first
    assert await store.pause_of("eve") is None
    await store.end_pause("zoe")
    await store.end_pause("zoe")
    assert await store.pause_of("zoe") is None


async def test_everything_survives_a_reopening(tmp_path: Path) -> None:
    first = await Database.open(tmp_path / "book.db", schema=[SCHEMA])
    await SqliteCreatorStore(first).add_draft(DRAFT, at_most=1)
    await SqliteCreatorStore(first).add_ticket(TICKET, forget_before=NOW)
    await SqliteCreatorStore(first).speak_pause(SpokenPause("zoe", "pause:1", NOW))
    await first.close()

    second = await Database.open(tmp_path / "book.db", schema=[SCHEMA])
    kept = SqliteCreatorStore(second)
    assert await kept.find_draft("zoe") == DRAFT
    assert await kept.find_ticket(TICKET.token_hash) == TICKET
    assert await kept.pause_of("zoe") == SpokenPause("zoe", "pause:1", NOW)
    await second.close()
