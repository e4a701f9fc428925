"""Gas of settlement on the embedded chain: commits, chunks of claims, single claims."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters.evm.client import EvmSettlementChain
from adapters.evm.embedded import EmbeddedChain
from adapters.host.system import SystemClock
from bot.domain.settlement import (
    Earnings,
    EarningsSnapshot,
    Epoch,
    Refusal,
    SignedTransaction,
    Signer,
)
from bot.settlement.claims import ClaimTree
from bot.settlement.epoch import plan_epoch

CHUNK = 64
NANO = 1_000_000


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same: it takes seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = asyncio.run(measure())
    if options.json:
        sys.stdout.write(json.dumps({"figures": figures}, indent=2) + "\n")
    else:
        for one in figures:
            print(f"{one['name']:<44} {one['value']:>12} {one['unit']}")
    return 0


async def measure() -> list[dict[str, Any]]:
    """Commit three epochs of 64 creators, claim after the first two."""
    with tempfile.TemporaryDirectory() as folder:
        keys = [os.urandom(32) for _ in range(3)]
        embedded = await EmbeddedChain.open(
            Path(folder) / "chain.db",
            settler_key=keys[0],
            relayer_key=keys[1],
            treasury_key=keys[2],
            clock=SystemClock(),
        )
        chain = EvmSettlementChain(
            provider=embedded.provider,
            settlement=embedded.deployment.settlement,
            settler_key=keys[0],
            relayer_key=keys[1],
        )
        try:
            return await _run(chain)
        finally:
            await embedded.close()


async def _run(chain: EvmSettlementChain) -> list[dict[str, Any]]:
    names = ("first", "repeat")
    figures = []
    last: Epoch | None = None
    for number, name in enumerate(names, start=1):
        last = _plan(number, number, last)
        figures.append(figure(f"commit, {name}", await _commit(chain, last)))
        gas = await _claim(chain, last)
        figures.append(figure(f"claim in a chunk of {CHUNK}, a creator, {name}", gas // CHUNK))
    grown = _plan(len(names) + 1, len(names), last)
    figures.append(figure("commit, only the log has grown", await _commit(chain, grown)))
    return figures


def _plan(number: int, fees: int, last: Epoch | None) -> Epoch:
    """Return the epoch after `last`, in which each creator has earned `fees` tokens in all."""
    earnings = tuple(
        Earnings(
            twin=bytes([twin]) * 32,
            payout=bytes([twin + 1]) * 20,
            cumulative_nano=fees * 1000 * NANO,
            receipt_count=fees,
            twin_log_root=bytes([fees]) * 32,
        )
        for twin in range(CHUNK)
    )
    root = number.to_bytes(32, "big")
    epoch = plan_epoch(EarningsSnapshot(earnings, log_size=number, log_root=root, cutoff=0), last)
    if epoch is None:
        raise SystemExit("nothing to commit")
    return replace(epoch)


async def _commit(chain: EvmSettlementChain, epoch: Epoch) -> int:
    nonce = await chain.nonce(Signer.SETTLER)
    return await _send(chain, await chain.sign_commit(epoch.commitment, nonce=nonce))


async def _claim(chain: EvmSettlementChain, epoch: Epoch) -> int:
    nonce = await chain.nonce(Signer.RELAYER)
    chunk = ClaimTree.of_epoch(epoch).chunk(epoch.number, 0)
    return await _send(chain, await chain.sign_claims(chunk, nonce=nonce))


async def _send(chain: EvmSettlementChain, signed: SignedTransaction | Refusal) -> int:
    if isinstance(signed, Refusal):
        raise SystemExit(signed.reason)
    await chain.send(signed)
    inclusion = await chain.inclusion(signed.hash)
    if inclusion is None or not inclusion.succeeded:
        raise SystemExit("a transaction was not carried out")
    return inclusion.gas_used


def figure(name: str, value: int) -> dict[str, Any]:
    """Return one figure."""
    return {"name": name, "value": value, "unit": "gas", "target": None, "ok": None}


if __name__ == "__main__":
    sys.exit(main())
