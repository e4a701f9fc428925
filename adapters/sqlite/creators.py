"""Creators' work in SQLite: drafts, signing requests, published pictures, spoken pauses."""

import json
from dataclasses import astuple
from datetime import datetime
from typing import Any

import aiosqlite

from adapters.sqlite.database import Database
from bot.domain.errors import InvariantError
from bot.domain.persona import encode_persona, parse_persona
from bot.domain.terms import SamplerTerms
from bot.ports.creator_store import (
    MAX_PREPARED,
    CreatorStore,
    Draft,
    DraftContent,
    SigningTicket,
    SpokenPause,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS creator_drafts (
  slug TEXT PRIMARY KEY, platform TEXT NOT NULL, account TEXT NOT NULL,
  persona BLOB NOT NULL, sampler TEXT NOT NULL, price_nano INTEGER NOT NULL,
  free_daily INTEGER NOT NULL, avatar BLOB NOT NULL,
  card BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS creator_drafts_owner ON creator_drafts(platform, account);
CREATE TABLE IF NOT EXISTS signing_tickets (
  token_hash BLOB PRIMARY KEY, slug TEXT NOT NULL, kind TEXT NOT NULL,
  created_at TEXT NOT NULL, expires_at TEXT NOT NULL,
  persona BLOB, sampler TEXT, price_nano INTEGER, free_daily INTEGER, avatar BLOB,
  manifest BLOB, prepared TEXT NOT NULL, done TEXT NOT NULL,
  CHECK ((kind = 'publish') = (persona IS NOT NULL))
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS signing_tickets_open
  ON signing_tickets(slug, kind) WHERE done = '';
CREATE TABLE IF NOT EXISTS avatars (
  manifest BLOB PRIMARY KEY, picture BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spoken_pauses (
  slug TEXT PRIMARY KEY, event TEXT NOT NULL, since TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""

_CONTENT = "persona, sampler, price_nano, free_daily, avatar"
# Column names are literals of this module.
_SELECT_DRAFT = f"SELECT slug, platform, account, {_CONTENT}, card FROM creator_drafts"  # noqa: S608
_SELECT_TICKET = (
    f"SELECT token_hash, slug, kind, created_at, expires_at, {_CONTENT}, "  # noqa: S608
    "manifest, prepared, done FROM signing_tickets"
)


class SqliteCreatorStore(CreatorStore):
    """The port over a `Database` that was opened with this module's `SCHEMA`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_draft(self, draft: Draft, *, at_most: int) -> bool:
        """Keep a new draft, unless its owner has enough."""
        count = "SELECT count(*) FROM creator_drafts WHERE platform = ? AND account = ?"
        async with self._database.transaction() as tx:
            row = await _first(tx, count, draft.platform, draft.account)
            if row is None or int(row[0]) >= at_most:
                return False
            if await _first(tx, "SELECT 1 FROM creator_drafts WHERE slug = ?", draft.slug):
                raise InvariantError(f"the slug {draft.slug} is reserved already")
            values = (draft.slug, draft.platform, draft.account, *_values(draft.content))
            await tx.execute(
                "INSERT INTO creator_drafts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, draft.card),
            )
        return True

    async def save_draft(self, draft: Draft) -> None:
        """Replace what a draft says."""
        async with self._database.transaction() as tx:
            cursor = await tx.execute(
                "UPDATE creator_drafts SET persona = ?, sampler = ?, price_nano = ?, "
                "free_daily = ?, avatar = ?, card = ? "
                "WHERE slug = ? AND platform = ? AND account = ?",
                (*_values(draft.content), draft.card, draft.slug, draft.platform, draft.account),
            )
            if cursor.rowcount != 1:
                raise InvariantError(f"there is no draft {draft.slug} of this account")

    async def find_draft(self, slug: str) -> Draft | None:
        """Return a draft."""
        async with self._database.reading() as tx:
            row = await _first(tx, f"{_SELECT_DRAFT} WHERE slug = ?", slug)
        if row is None:
            return None
        return Draft(row[0], row[1], row[2], _content(*row[3:8]), row[8])

    async def slugs(self) -> list[str]:
        """Return every slug that is reserved."""
        async with self._database.reading() as tx:
            rows = await tx.execute_fetchall("SELECT slug FROM creator_drafts ORDER BY slug")
        return [str(row[0]) for row in rows]

    async def slugs_of(self, platform: str, account: str) -> list[str]:
        """Return the slugs of an account."""
        sql = "SELECT slug FROM creator_drafts WHERE platform = ? AND account = ? ORDER BY slug"
        async with self._database.reading() as tx:
            rows = await tx.execute_fetchall(sql, (platform, account))
        return [str(row[0]) for row in rows]

    async def add_ticket(self, ticket: SigningTicket, *, forget_before: datetime) -> None:
        """Keep a request in place of the open one of the same slug and kind."""
        content = (None,) * 5 if ticket.content is None else _values(ticket.content)
        async with self._database.transaction() as tx:
            await tx.execute(
                "DELETE FROM signing_tickets WHERE (slug = ? AND kind = ? AND done = '') "
                "OR expires_at < ?",
                (ticket.slug, ticket.kind, forget_before.isoformat()),
            )
            await tx.execute(
                "INSERT INTO signing_tickets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(ticket.token_hash, ticket.slug, ticket.kind),
                    *(ticket.created_at.isoformat(), ticket.expires_at.isoformat()),
                    *(*content, ticket.manifest, _hashes(ticket.prepared), ticket.done),
                ),
            )

    async def find_ticket(self, token_hash: bytes) -> SigningTicket | None:
        """Return a request."""
        async with self._database.reading() as tx:
            row = await _first(tx, f"{_SELECT_TICKET} WHERE token_hash = ?", token_hash)
        return None if row is None else _ticket(row)

    async def open_tickets(self) -> list[SigningTicket]:
        """Return the requests that are not closed."""
        sql = f"{_SELECT_TICKET} WHERE done = '' ORDER BY created_at, token_hash"
        async with self._database.reading() as tx:
            return [_ticket(row) for row in await tx.execute_fetchall(sql)]

    async def note_prepared(self, token_hash: bytes, body_hash: bytes) -> bool:
        """Remember a body that is given out."""
        async with self._database.transaction() as tx:
            row = await _first(tx, f"{_SELECT_TICKET} WHERE token_hash = ?", token_hash)
            if row is None:
                raise InvariantError("a body was prepared for no request")
            known = _ticket(row).prepared
            if body_hash in known:
                return True
            if len(known) >= MAX_PREPARED:
                return False
            await tx.execute(
                "UPDATE signing_tickets SET prepared = ? WHERE token_hash = ?",
                (_hashes((*known, body_hash)), token_hash),
            )
        return True

    async def close_ticket(
        self, token_hash: bytes, *, done: str, manifest: bytes | None = None
    ) -> None:
        """Close a request; its avatar becomes that of the manifest that it led to."""
        async with self._database.transaction() as tx:
            if manifest is not None:
                await tx.execute(
                    "INSERT OR IGNORE INTO avatars SELECT ?, avatar FROM signing_tickets "
                    "WHERE token_hash = ? AND length(avatar) > 0",
                    (manifest, token_hash),
                )
            await tx.execute(
                "UPDATE signing_tickets SET done = ? WHERE token_hash = ? AND done = ''",
                (done, token_hash),
            )

    async def avatar_of(self, manifest: bytes) -> bytes:
        """Return the picture that was published with a manifest."""
        async with self._database.reading() as tx:
            row = await _first(tx, "SELECT picture FROM avatars WHERE manifest = ?", manifest)
        return b"" if row is None else bytes(row[0])

    async def speak_pause(self, pause: SpokenPause) -> None:
        """Keep a pause; an earlier one stays."""
        async with self._database.transaction() as tx:
            await tx.execute(
                "INSERT OR IGNORE INTO spoken_pauses VALUES (?, ?, ?)",
                (pause.slug, pause.event, pause.since.isoformat()),
            )

    async def end_pause(self, slug: str) -> None:
        """Forget a pause."""
        async with self._database.transaction() as tx:
            await tx.execute("DELETE FROM spoken_pauses WHERE slug = ?", (slug,))

    async def pause_of(self, slug: str) -> SpokenPause | None:
        """Return the pause of a slug."""
        sql = "SELECT slug, event, since FROM spoken_pauses WHERE slug = ?"
        async with self._database.reading() as tx:
            row = await _first(tx, sql, slug)
        if row is None:
            return None
        return SpokenPause(row[0], row[1], datetime.fromisoformat(row[2]))


async def _first(
    connection: aiosqlite.Connection, sql: str, *values: str | bytes
) -> aiosqlite.Row | None:
    async with connection.execute(sql, values) as cursor:
        return await cursor.fetchone()


def _values(content: DraftContent) -> tuple[bytes, str, int, int, bytes]:
    sampler = content.sampler
    persona = encode_persona(content.persona)
    terms = content.price_nano, content.free_daily
    return persona, json.dumps(astuple(sampler)), *terms, content.avatar


def _content(
    persona: bytes, sampler: str, price_nano: int, free_daily: int, avatar: bytes
) -> DraftContent:
    return DraftContent(
        persona=parse_persona(persona),
        sampler=SamplerTerms(*json.loads(sampler)),  # older drafts lack the last ones
        price_nano=price_nano,
        avatar=avatar,
        free_daily=free_daily,
    )


def _ticket(row: Any) -> SigningTicket:  # noqa: ANN401 - a row of `_SELECT_TICKET`
    return SigningTicket(
        token_hash=row[0],
        slug=row[1],
        kind=row[2],
        created_at=datetime.fromisoformat(row[3]),
        expires_at=datetime.fromisoformat(row[4]),
        content=None if row[5] is None else _content(*row[5:10]),
        manifest=row[10],
        prepared=tuple(bytes.fromhex(one) for one in json.loads(row[11])),
        done=row[12],
    )


def _hashes(hashes: tuple[bytes, ...]) -> str:
    return json.dumps([one.hex() for one in hashes])
