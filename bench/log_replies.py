"""Replies as the service commits them, with rows of their real size: one and many at once."""

import asyncio
import os
import time
from datetime import UTC, datetime
from typing import Any

from adapters.sqlite.database import Database
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.turns import Group
from bot.crypto.hashing import sha256
from bot.domain.fields import MessagePart, Span, SpanKind
from bot.domain.leaf import ReplyLeaf
from bot.domain.payment import Payer, Payment
from bot.ports.chat import IncomingMessage, Surface
from bot.ports.stores import Intent, StoredManifest, StoredReply
from bot.receipts.log import append_leaf

AT_ONCE = 64
TWIN, MANIFEST = sha256(b"twin"), sha256(b"manifest")
CONTEXT = tuple(range(20_000, 20_400))  # a conversation of some turns
SEALED_BYTES, ENVELOPE_BYTES = 7_000, 1_800  # of such a reply


def figure(name: str, value: float, unit: str) -> dict[str, Any]:
    """Return a measured value as the benches print theirs."""
    return {"name": name, "value": round(value, 1), "unit": unit}


class Replies:
    """Commits replies as the service does, with rows of their real size."""

    def __init__(self, store: SqliteStore, database: Database) -> None:
        self._store = store
        self._commits = 0
        self._made = 0
        end = database._turns._end  # noqa: SLF001 - commits are counted where they are made

        async def counted(group: Group) -> None:
            self._commits += 1
            await end(group)

        database._turns._end = counted  # noqa: SLF001

    async def rounds(self, count: int) -> list[dict[str, Any]]:
        """Measure one at a time and many at once, in turn, so that both see the same machine."""
        found: dict[tuple[str, str], list[float]] = {}
        for _ in range(3):
            for at_once, readers in ((1, 0), (AT_ONCE, 0), (AT_ONCE, 2)):
                for one in await self.round(count if at_once > 1 else count // 8, at_once, readers):
                    found.setdefault((one["name"], one["unit"]), []).append(one["value"])
        middle = {name: sorted(values)[1] for name, values in found.items()}
        figures = [figure(name, value, unit) for (name, unit), value in middle.items()]
        alone, many = (middle[f"replies, {at_once} at once", "1/s"] for at_once in (1, AT_ONCE))
        return [
            *figures,
            figure(f"replies, {AT_ONCE} at once to 1 at once", many / alone, "times"),
        ]

    async def round(self, count: int, at_once: int, readers: int = 0) -> list[dict[str, Any]]:
        """Commit replies, so many at once, each after that many readings."""
        intents = await self._intents(count, at_once)
        self._commits = 0
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(self._converse(mine, readers) for mine in intents))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        name = f"replies, {at_once} at once" + (f", {readers} readings each" if readers else "")
        return [
            figure(name, count / wall, "1/s"),
            figure(f"{name}: CPU of one", 1e6 * cpu / count, "µs"),
            figure(f"{name}: in one commit", count / self._commits, "replies"),
        ]

    async def _intents(self, count: int, at_once: int) -> list[list[Intent]]:
        share: list[list[Intent]] = [[] for _ in range(at_once)]
        async with self._store.transaction() as tx:
            if self._made == 0:
                await tx.add_manifest(StoredManifest(MANIFEST, TWIN, b"{}", "0x00", b"{}", 1 << 40))
            for number in range(count):
                conversation = sha256(b"%d %d" % (self._made, number % at_once))
                share[number % at_once].append(_intent(os.urandom(16), conversation))
            for mine in share:
                for intent in mine:
                    await tx.add_intent(intent)
        self._made += 1
        return share

    async def _converse(self, intents: list[Intent], readers: int) -> None:
        for intent in intents:
            for _ in range(readers):
                async with self._store.reading() as tx:
                    await tx.find_intent(intent.key)
            digest = os.urandom(32)
            async with self._store.transaction() as tx:
                latest = await tx.recent_turns(intent.conversation)
                seq = await tx.next_sequence(TWIN)
                leaf = ReplyLeaf(digest, intent.slot_tag, 0, 0, TWIN[:8], MANIFEST[:8])
                index = await append_leaf(tx, leaf.encode())
                turn = latest[0].turn + 1 if latest else 1
                await tx.add_reply(_reply(intent, digest, seq=seq, turn=turn, index=index))
                await tx.close_intent(intent.key, "done")


def _intent(tag: bytes, conversation: bytes) -> Intent:
    surface = Surface(platform="web", bot="local", chat=conversation.hex()[:16], thread="")
    text = "What did you do on the boat yesterday, and who was with you?"
    return Intent(
        key=f"{tag.hex()}:0",
        slot_tag=tag,
        attempt=0,
        twin=TWIN,
        manifest=MANIFEST,
        conversation=conversation,
        message=IncomingMessage("mira", surface, "ana", tag.hex(), text),
        spans=(Span(SpanKind.PERSONA, CONTEXT[:380]), Span(SpanKind.MESSAGE, CONTEXT[380:])),
        context=CONTEXT,
        prefix_tokens=380,
        vrf_proof=os.urandom(80),
        seed=os.urandom(32),
        opening_key=os.urandom(32),
        price_nano=2_000_000,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        parts=(MessagePart(tag.hex(), text),),
        payment=Payment(Payer.SPONSOR),
    )


def _reply(intent: Intent, digest: bytes, *, seq: int, turn: int, index: int) -> StoredReply:
    return StoredReply(
        receipt_hash=digest,
        receipt_id=digest.hex()[:22],
        intent=intent.key,
        twin=TWIN,
        seq=seq,
        conversation=intent.conversation,
        turn=turn,
        fan_tokens=CONTEXT[380:],
        output_tokens=CONTEXT[:60],
        fan_text=intent.message.text,
        text="We sailed to the island and back. " * 6,
        finish="end",
        price_nano=2_000_000,
        creator_nano=1_700_000,
        opening_key=intent.opening_key,
        envelope=os.urandom(ENVELOPE_BYTES),
        sealed=os.urandom(SEALED_BYTES),
        log_index=index,
    )
