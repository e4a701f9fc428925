"""The transparency log: durable appends a second, and how fast tiles are served.

Appends are those of the service: leaves and the subtree hashes that they complete, on SQLite with
full durability (WAL, synchronous=FULL), in transactions of 1, 16 and 64 leaves. Then whole replies
as the service commits them, each in a transaction of its own (turn, sequence number, leaf, receipt,
outbox), one after the other and from 64 conversations at once, which share commits; and the same
with two readers for each writer. Tiles are served by the service's own web server to a client in
the same process. `--replies` measures the replies alone, so that a tracer can count the syncs:
`strace -f -c -e trace=fsync,fdatasync python -m bench.log --replies 64`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from aiohttp import web

from adapters.sqlite.cosignatures import SCHEMA as COSIGNATURES_SCHEMA
from adapters.sqlite.database import Database
from adapters.sqlite.log_reader import SqliteLogReader
from adapters.sqlite.monitor_state import SqliteMonitorState
from adapters.sqlite.replies import SqliteStore
from adapters.sqlite.schema import APPEND_ONLY_SCHEMA, REPLIES_SCHEMA
from adapters.web.log import LogRoutes
from adapters.web.log_client import HttpLog, open_session
from bench.log_replies import MANIFEST, TWIN, Replies, figure
from bot.crypto.ed25519 import public_key_of
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import VerifierKey
from bot.domain.leaf import ReplyLeaf
from bot.domain.witnesses import WitnessPolicy
from bot.receipts.log import CheckpointSigner, append_leaf
from bot.transparency.monitor import Monitor
from bot.transparency.published import PublishedLog

KEY = sha256(b"bench")
LOG = VerifierKey("bench.example/log", public_key_of(KEY))
BATCHES = (1, 16, 64)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--folder", type=Path, help="where to write; default: a temporary folder")
    parser.add_argument("--replies", type=int, metavar="N", help="only replies, N at once")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        leaves = 2_000 if options.quick else 20_000
        if options.replies:
            figures = asyncio.run(measure_replies(Path(folder), leaves // 5, options.replies))
        else:
            figures = asyncio.run(measure(Path(folder), leaves))
    if options.json:
        sys.stdout.write(json.dumps({"figures": figures}, indent=2) + "\n")
    else:
        for one in figures:
            print(f"{one['name']:<52} {one['value']:>12} {one['unit']}")
    return 0


async def measure(folder: Path, leaves: int) -> list[dict[str, Any]]:
    """Append that many leaves in batches of each size, sign heads, serve every tile twice."""
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA, COSIGNATURES_SCHEMA)
    database = await Database.open(folder / "log.db", schema=schema)
    replies = Replies(SqliteStore(database), database)
    shown = await replies.rounds(leaves // 20)
    reading = await Database.open(folder / "log.db", schema=(), read_only=True)
    store = SqliteStore(database)
    figures = shown
    for batch in BATCHES:
        figures += await _appends(store, leaves if batch > 1 else leaves // 10, batch)
    figures += await _heads(store)
    public = PublishedLog(reader=SqliteLogReader(reading), log=LOG, policy=WitnessPolicy(0, ()))
    async with _served(public) as address:
        figures += await _tiles(address, leaves)
        figures += await _monitor(address, folder)
    await reading.close()
    await database.truncate_wal()
    await database.close()
    total = next(one["value"] for one in figures if one["name"] == "leaves in the log")
    stored = (folder / "log.db").stat().st_size / total
    return [*figures, figure("file, leaves and subtree hashes", stored, "B/leaf")]


async def measure_replies(folder: Path, count: int, at_once: int) -> list[dict[str, Any]]:
    """Commit that many replies from so many conversations at once."""
    schema = (REPLIES_SCHEMA, APPEND_ONLY_SCHEMA)
    database = await Database.open(folder / "log.db", schema=schema)
    figures = await Replies(SqliteStore(database), database).round(count, at_once)
    await database.close()
    return figures


async def _appends(store: SqliteStore, leaves: int, batch: int) -> list[dict[str, Any]]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(0, leaves, batch):
        async with store.transaction() as tx:
            for _ in range(batch):
                unique = os.urandom(32)
                leaf = ReplyLeaf(unique, unique[:16], 0, 0, TWIN[:8], MANIFEST[:8])
                await append_leaf(tx, leaf.encode())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return [
        figure(f"appends, {batch} a transaction", leaves / wall, "1/s"),
        figure(f"append, {batch} a transaction: CPU", 1e6 * cpu / leaves, "µs"),
    ]


async def _heads(store: SqliteStore) -> list[dict[str, Any]]:
    signer = CheckpointSigner(origin=LOG.name, key=KEY)
    times = []
    for _ in range(20):
        async with store.transaction() as tx:
            await append_leaf(tx, b"one more")
        begin = time.perf_counter()
        await signer.publish(store)
        times.append(time.perf_counter() - begin)
    return [figure("signing a head, median", 1e3 * sorted(times)[len(times) // 2], "ms")]


@asynccontextmanager
async def _served(public: PublishedLog) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_routes(LogRoutes(public).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/log"
    await runner.cleanup()


async def _monitor(address: str, folder: Path) -> list[dict[str, Any]]:
    """Read the whole log as a monitor does, for the first time."""
    state = await SqliteMonitorState.open(folder / "monitor.db")
    async with open_session() as session:
        monitor = Monitor(
            log=LOG, remote=HttpLog(session, address), state=state, policy=WitnessPolicy(0, ())
        )
        wall = time.perf_counter()
        report = await monitor.look()
        wall = time.perf_counter() - wall
    await state.close()
    return [
        figure("monitor, leaves read for the first time", report.read / wall, "1/s"),
        figure("leaves in the log", report.read, ""),
    ]


async def _tiles(address: str, leaves: int) -> list[dict[str, Any]]:
    paths = [f"{kind}/{n:03}" for n in range(min(leaves // 256, 200)) for kind in ("0", "entries")]
    figures = []
    async with aiohttp.ClientSession() as session:
        for name in ("the database", "memory"):
            wall, cpu = time.perf_counter(), time.process_time()
            for path in paths:
                async with session.get(f"{address}/tile/{path}") as answer:
                    answer.raise_for_status()
                    await answer.read()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            figures.append(
                figure(f"tile or bundle from {name}, one client", len(paths) / wall, "1/s")
            )
            figures.append(figure("... CPU, client included", 1e3 * cpu / len(paths), "ms"))
    return figures


if __name__ == "__main__":
    sys.exit(main())
