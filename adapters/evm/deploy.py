"""Putting the demo's token, the registry and the settlement contract on a chain.

The first four transactions of a fresh account are: create the token, create the registry, create
the settlement contract, allow it a capped amount of the token. A contract's address follows from
account and nonce, so a deployment that was interrupted is finished from the account's nonce alone.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.exceptions import TransactionNotFound

from adapters.evm.artefacts import load_artefact
from adapters.evm.mapping import reading
from bot.domain.errors import ConfigurationError

SUPPLY_UNITS = 1_000_000 * 10**6
"""Demo dollars that exist, all of them the treasury's at first."""

ALLOWANCE_UNITS = 10_000 * 10**6
"""What the settlement contract may take from the treasury in all: what a stolen key could cost."""

_GAS = 5_000_000  # the largest of the four uses about 2 million
_STEPS = 4
_POLL_S = 0.05
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where the contracts are; 20-byte addresses."""

    settlement: bytes
    token: bytes
    registry: bytes


def deployed_by(account: bytes) -> Deployment:
    """Return the addresses that `deploy` gives to the contracts of a fresh account."""
    return Deployment(
        token=_created(account, 0),
        registry=_created(account, 1),
        settlement=_created(account, 2),
    )


async def deploy(
    web3: AsyncWeb3[Any],
    *,
    treasury_key: bytes,
    settler: bytes,
    delay_s: int = 0,
    payout_delay_s: int = 0,
) -> Deployment:
    """Deploy what is not deployed yet and return where it is; may be called at every start.

    The treasury is owner and guardian too.

    Args:
        web3: connected to the chain.
        treasury_key: 32-byte key of an account that has never sent anything else.
        settler: 20-byte address of the only account that may commit.
        delay_s: seconds before a root becomes claimable; 0 makes it claimable at once.
        payout_delay_s: seconds before a creator's new payout address is paid; 0: at once.

    Raises:
        ConfigurationError: a step was reverted.
        ChainUnavailableError: the chain does not answer, or takes a minute for a step.
    """
    treasury = bytes.fromhex(Account.from_key(treasury_key).address[2:])
    target = deployed_by(treasury)
    with reading():
        done = await web3.eth.get_transaction_count(web3.to_checksum_address(treasury))
    # Killed between two steps: the nonce says which one is next, and each step is one transaction.
    for nonce in range(done, _STEPS):
        to, data = _step(
            nonce,
            treasury=treasury,
            settler=settler,
            delays=(delay_s, payout_delay_s),
            target=target,
        )
        # A lost answer is no harm: the next start goes on from the nonce.
        with reading():
            await _send(web3, key=treasury_key, nonce=nonce, to=to, data=data)
    return target


def _step(
    nonce: int, *, treasury: bytes, settler: bytes, delays: tuple[int, int], target: Deployment
) -> tuple[bytes, bytes]:
    delay_s, payout_delay_s = delays
    if nonce == 0:
        arguments = encode(["address", "uint256"], [treasury, SUPPLY_UNITS])
        return b"", load_artefact("token").bytecode + arguments
    if nonce == 1:
        return b"", load_artefact("registry").bytecode + encode(["uint256"], [payout_delay_s])
    if nonce == 2:  # noqa: PLR2004 - the third step
        arguments = encode(
            ["address", "address", "address", "address", "address", "uint256", "address"],
            [target.token, treasury, treasury, settler, treasury, delay_s, target.registry],
        )
        return b"", load_artefact("settlement").bytecode + arguments
    selector = keccak(text="approve(address,uint256)")[:4]
    arguments = encode(["address", "uint256"], [target.settlement, ALLOWANCE_UNITS])
    return target.token, selector + arguments


async def _send(web3: AsyncWeb3[Any], *, key: bytes, nonce: int, to: bytes, data: bytes) -> None:
    gas_price = await web3.eth.gas_price
    transaction: dict[str, Any] = {
        "chainId": await web3.eth.chain_id,
        "nonce": nonce,
        "value": 0,
        "data": data,
        "gas": _GAS,
        "maxFeePerGas": 2 * gas_price,
        "maxPriorityFeePerGas": min(gas_price, 10**9),
    }
    if to:
        transaction["to"] = web3.to_checksum_address(to)
    signed = Account.sign_transaction(transaction, key)
    await web3.eth.send_raw_transaction(signed.raw_transaction)
    async with asyncio.timeout(_PATIENCE_S):
        while not await _is_mined(web3, signed.hash):  # noqa: ASYNC110 - a node is polled
            await asyncio.sleep(_POLL_S)


async def _is_mined(web3: AsyncWeb3[Any], transaction_hash: HexBytes) -> bool:
    try:
        receipt = await web3.eth.get_transaction_receipt(transaction_hash)
    except TransactionNotFound:
        return False
    if receipt["status"] != 1:
        raise ConfigurationError("A deployment transaction was reverted by the chain.")
    return True


def _created(account: bytes, nonce: int) -> bytes:
    # keccak(rlp([account, nonce])), last 20 bytes (Yellow Paper, section 7); for nonces below 128.
    return bytes(keccak(b"\xd6\x94" + account + (bytes([nonce]) if nonce else b"\x80"))[12:])
