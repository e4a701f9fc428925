"""The settlement room over real files: embedded chain, SQLite store, and a way to lose them all."""

# ruff: noqa: ANN401 - web3 makes contract objects at run time

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.client import EvmSettlementChain
from adapters.evm.embedded import EmbeddedChain
from adapters.sqlite.database import Database
from adapters.sqlite.epochs import SCHEMA, SqliteEpochStore
from bot.domain.settlement import Earnings
from bot.ports.clock import Clock

SETTLER_KEY, RELAYER_KEY, TREASURY_KEY = (bytes([i]) * 32 for i in (1, 2, 3))
START = datetime(2026, 11, 20, 10, tzinfo=UTC)


def twin_id(number: int) -> bytes:
    return hashlib.sha256(b"twin %d" % number).digest()


def payout_of(number: int) -> bytes:
    return hashlib.sha256(b"payout %d" % number).digest()[:20]


def address_of(key: bytes) -> bytes:
    return bytes.fromhex(Account.from_key(key).address[2:])


def earnings_of(number: int, nano: int, *, count: int = 1, payout: bytes | None = None) -> Earnings:
    twin = twin_id(number)
    return Earnings(twin, payout_of(number) if payout is None else payout, nano, count, twin)


@dataclass(slots=True)
class StoppedClock(Clock):
    """A clock that a test moves."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(slots=True)
class Rig:
    """Everything open at once; `close` and `open` again is a restart."""

    folder: Path
    embedded: EmbeddedChain
    chain: EvmSettlementChain
    database: Database
    store: SqliteEpochStore
    is_open: bool = True

    @classmethod
    async def open(cls, folder: Path, *, clock: Clock | None = None, delay_s: int = 0) -> "Rig":
        embedded = await EmbeddedChain.open(
            folder / "chain.sqlite",
            settler_key=SETTLER_KEY,
            relayer_key=RELAYER_KEY,
            treasury_key=TREASURY_KEY,
            clock=clock or StoppedClock(),
            delay_s=delay_s,
        )
        chain = EvmSettlementChain(
            provider=embedded.provider,
            settlement=embedded.deployment.settlement,
            settler_key=SETTLER_KEY,
            relayer_key=RELAYER_KEY,
        )
        database = await Database.open(folder / "book.sqlite", schema=[SCHEMA])
        return cls(folder, embedded, chain, database, SqliteEpochStore(database))

    async def close(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        await self.chain.close()
        await self.embedded.close()
        await self.database.close()

    @classmethod
    @asynccontextmanager
    async def opener(cls) -> "AsyncIterator[Opener]":
        """Lend `open`, and close what is still open in the end, so that no thread stays behind."""
        opened: list[Rig] = []

        async def open_one(folder: Path, *, clock: Clock | None = None, delay_s: int = 0) -> Rig:
            opened.append(await cls.open(folder, clock=clock, delay_s=delay_s))
            return opened[-1]

        try:
            yield open_one
        finally:
            for rig in opened:
                await rig.close()

    @property
    def web3(self) -> AsyncWeb3[Any]:
        return AsyncWeb3(self.embedded.provider)

    def contract(self, name: str, address: bytes) -> Any:
        web3 = self.web3
        return web3.eth.contract(
            address=web3.to_checksum_address(address), abi=load_artefact(name).abi
        )

    @property
    def settlement(self) -> Any:
        return self.contract("settlement", self.embedded.deployment.settlement)

    async def transact(self, call: Any, key: bytes) -> Any:
        """Send a contract call, or creation, without a rehearsal and return its receipt."""
        web3 = self.web3
        account = Account.from_key(key)
        transaction = await call.build_transaction(
            {
                "from": account.address,
                "nonce": await web3.eth.get_transaction_count(account.address),
                "gas": 16_000_000,
                "maxFeePerGas": 3 * 10**9,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        signed = account.sign_transaction(transaction)
        await web3.eth.send_raw_transaction(signed.raw_transaction)
        return await web3.eth.get_transaction_receipt(signed.hash)


Opener = Callable[..., Awaitable[Rig]]
