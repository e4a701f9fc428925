"""Gas of settlement and registry on the embedded chain, at 1,000 creators.

Every epoch here has the delay that a guardian may veto in, which costs the most, and the measured
twins are bound in the registry. A month is 30 daily commits and one payout.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from eth_account import Account
from web3 import AsyncWeb3

from adapters.evm.artefacts import load_artefact
from adapters.evm.embedded import EmbeddedChain
from adapters.evm.machine import CHAIN_ID
from bench.measuring import Figure
from bot.crypto.eip712 import encode_address, sign_digest
from bot.crypto.hashing import sha256
from bot.crypto.registry_data import RegistryDomain, TwinBindingData
from bot.domain.ids import derive_twin_id
from bot.domain.settlement import ClaimLeaf
from bot.ports.clock import Clock
from bot.settlement.claims import CHUNK_LEAVES, ClaimTree
from scripts.progress_bar import ProgressBar

CREATORS = 1_000
DAYS = 30
DAY_S = 86_400
COMMIT_TARGET = 95_000
MONTH_TARGET = 25_000
KEYS = tuple(sha256(b"bench gas %d" % number) for number in range(3))
SETTLER, RELAYER, TREASURY = KEYS
CENT = 10_000


@dataclass(slots=True)
class MovedClock(Clock):
    """A clock that the bench moves."""

    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        """See the port."""
        return self.at


@dataclass(slots=True)
class Creator:
    """One creator with one twin, who earns about a cent a day."""

    number: int
    key: bytes = field(init=False)
    twin: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.key = sha256(b"bench creator %d" % self.number)
        self.twin = derive_twin_id(self.address, "twin")

    @property
    def address(self) -> bytes:
        """20 bytes; where the leaf says that fees go."""
        return bytes.fromhex(Account.from_key(self.key).address[2:])

    @property
    def payout(self) -> bytes:
        """20 bytes; what the registry names."""
        return sha256(self.key)[:20]

    def leaf(self, day: int) -> ClaimLeaf:
        """Return the claim after so many days."""
        units = day * (CENT + self.number)
        return ClaimLeaf(self.twin, self.address, units, sha256(self.twin + bytes([day])))


@dataclass(slots=True)
class Steps:
    """How far the bench has come."""

    total: int
    done: int = 0
    bar: ProgressBar = field(default_factory=lambda: ProgressBar("transactions"))

    def advance(self) -> None:
        """One more is done."""
        self.done += 1
        self.bar.show(self.done, self.total)


class Bench:
    """The open chain, and what is sent to it."""

    def __init__(self, chain: EmbeddedChain, clock: MovedClock) -> None:
        self.clock = clock
        self.web3: AsyncWeb3[Any] = AsyncWeb3(chain.provider)
        self.deployment = chain.deployment
        self.settlement = self._contract("settlement", chain.deployment.settlement)
        self.registry = self._contract("registry", chain.deployment.registry)
        self.creators = sorted(
            (Creator(number) for number in range(CREATORS)), key=lambda one: one.twin
        )
        self.day = 0
        self.tree = ClaimTree([])

    def _contract(self, name: str, address: bytes) -> Any:  # noqa: ANN401 - made at run time
        return self.web3.eth.contract(
            address=self.web3.to_checksum_address(address), abi=load_artefact(name).abi
        )

    async def send(self, call: Any, key: bytes) -> int:  # noqa: ANN401 - made at run time
        """Send a call and return the gas that it used."""
        account = Account.from_key(key)
        transaction = await call.build_transaction(
            {
                "from": account.address,
                "chainId": CHAIN_ID,
                "nonce": await self.web3.eth.get_transaction_count(account.address),
                "gas": 8_000_000,
                "maxFeePerGas": 3 * 10**9,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        signed = account.sign_transaction(transaction)
        await self.web3.eth.send_raw_transaction(signed.raw_transaction)
        receipt = await self.web3.eth.get_transaction_receipt(signed.hash)
        if receipt["status"] != 1:
            raise SystemExit("a transaction was not carried out")
        return int(receipt["gasUsed"])

    async def commit(self, *, earned: bool = True) -> int:
        """Let a day pass and commit what was earned; the log grows in any case."""
        self.clock.at += timedelta(seconds=DAY_S)
        epoch = int((await self.settlement.functions.state().call())[0]) + 1
        if earned:
            self.day += 1
            self.tree = ClaimTree([one.leaf(self.day) for one in self.creators])
        total = sum(one.leaf(self.day).cumulative_units for one in self.creators)
        root, data = sha256(b"log %d" % epoch), sha256(b"data %d" % epoch)
        call = self.settlement.functions.commit(
            epoch, self.tree.root, total, root, 1_000 * epoch, data
        )
        return await self.send(call, SETTLER)

    async def claim(self, index: int) -> int:
        """Relay one chunk of the newest claimable root."""
        chunk = self.tree.chunk(1, index)
        leaves = [
            (leaf.twin, encode_address(leaf.payout), leaf.cumulative_units, leaf.audit)
            for leaf in chunk.leaves
        ]
        call = self.settlement.functions.claim_chunk(leaves, list(chunk.proof))
        return await self.send(call, RELAYER)

    async def bind(self, creator: Creator, number: int, payout: bytes) -> int:
        """Relay a binding with the creator's signature."""
        manifest, deadline = sha256(creator.twin + bytes([number])), 2**40
        domain = RegistryDomain(CHAIN_ID, self.deployment.registry)
        data = TwinBindingData(creator.twin, "twin", manifest, payout, number, deadline)
        call = self.registry.functions.bind_signed(
            encode_address(creator.address),
            "twin",
            manifest,
            encode_address(payout),
            number,
            deadline,
            sign_digest(creator.key, data.digest(domain)),
        )
        return await self.send(call, RELAYER)

    async def pass_delay(self) -> None:
        """Let the newest root become claimable; the next commit is a day later."""
        self.clock.at += timedelta(seconds=DAY_S // 2 + 60)


async def measure(show: Steps) -> list[Figure]:
    """Bind, commit and pay two months."""
    clock = MovedClock()
    with tempfile.TemporaryDirectory() as folder:
        chain = await EmbeddedChain.open(
            Path(folder) / "chain.db",
            settler_key=SETTLER,
            relayer_key=RELAYER,
            treasury_key=TREASURY,
            clock=clock,
            delay_s=DAY_S // 2,
        )
        try:
            bench = Bench(chain, clock)
            figures = await _registry(bench, show)
            return figures + await _months(bench, show)
        finally:
            await chain.close()


async def _registry(bench: Bench, show: Steps) -> list[Figure]:
    first = []
    for creator in bench.creators[:CHUNK_LEAVES]:
        show.advance()
        first.append(await bench.bind(creator, 1, creator.address))
    again = []
    for creator in bench.creators[:CHUNK_LEAVES]:
        show.advance()
        again.append(await bench.bind(creator, 2, creator.payout))
    manifest_only = await bench.bind(bench.creators[0], 3, bench.creators[0].payout)
    return [
        _figure("registry: first binding, relayed", max(first)),
        _figure("registry: the first change of the payout address, relayed", max(again)),
        _figure("registry: another manifest, relayed", manifest_only),
    ]


async def _months(bench: Bench, show: Steps) -> list[Figure]:
    figures = [_figure("commit: first", await bench.commit())]
    months: list[list[int]] = []
    claims: list[Sequence[int]] = []
    for _ in range(2):
        # Chunk 0 is bound in the registry; chunk 1 is paid where the leaf says.
        commits: list[int] = []
        while len(commits) < DAYS:
            show.advance()
            commits.append(await bench.commit())
        await bench.pass_delay()
        claims.append([await bench.claim(index) for index in range(_chunks())])
        months.append(commits)
    after_payout, daily = months[1][0], months[1][1:]
    repeat = claims[1][0] / CHUNK_LEAVES
    month = sum(months[1]) / CREATORS + repeat
    return [
        *figures,
        _figure("commit: the day after everybody was paid", after_payout, COMMIT_TARGET),
        _figure("commit: any other day, the dearest", max(daily), COMMIT_TARGET),
        _figure("commit: only the log has grown", await bench.commit(earned=False)),
        _figure("claim in a chunk of 64, a creator, first", claims[0][0] / CHUNK_LEAVES),
        _figure("claim in a chunk of 64, a creator, repeat", repeat),
        _figure("  the same, not bound in the registry", claims[1][1] / CHUNK_LEAVES),
        _figure("a creator's month: 30 commits, one payout", month, MONTH_TARGET),
    ]


def _chunks() -> int:
    return -(-CREATORS // CHUNK_LEAVES)


def _figure(name: str, value: float, target: float | None = None) -> Figure:
    return Figure(name, round(value), "gas", target)


def run() -> list[Figure]:
    """Measure, and show how far it is."""
    show = Steps(2 * CHUNK_LEAVES + 2 * DAYS)
    figures = asyncio.run(measure(show))
    show.bar.end()
    return figures


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = run()
    if options.json:
        sys.stdout.write(json.dumps({"figures": [one.as_json() for one in figures]}, indent=2))
        sys.stdout.write("\n")
    else:
        for one in figures:
            print(one.line())
    return 0 if all(one.ok is not False for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
