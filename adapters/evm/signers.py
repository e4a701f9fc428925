"""Who signs: a key in this process, a command of the operator's, or nobody."""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from bot.crypto.eip712 import encode_address
from bot.domain.errors import ConfigurationError
from bot.domain.transactions import Refusal

COMMAND_TIMEOUT_S = 30.0
MAX_ANSWER_BYTES = 64 * 1024
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_SECRETS = "TWINPROOF_"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A transaction of type 2 without a signature; `to` has 20 bytes, fees are wei per gas."""

    chain_id: int
    nonce: int
    to: bytes
    data: bytes
    gas: int = 0
    max_fee_wei: int = 0
    tip_wei: int = 0

    def fields(self) -> dict[str, object]:
        """Return it as eth-account takes it."""
        return {
            "type": 2,
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "to": self.to,
            "value": 0,
            "data": self.data,
            "gas": self.gas,
            "maxFeePerGas": self.max_fee_wei,
            "maxPriorityFeePerGas": self.tip_wei,
        }


class TransactionSigner(Protocol):
    """One account that signs; the key never leaves it.

    Attributes:
        address: 20 bytes.
    """

    address: bytes

    async def sign(self, unsigned: Unsigned) -> bytes | Refusal:
        """Return the raw transaction; a refusal where the signer can't be asked now.

        Raises:
            ConfigurationError: there is no key, or the signer signs something else.
        """
        ...


class KeySigner(TransactionSigner):
    """Signs with a private key of 32 bytes in this process's memory."""

    def __init__(self, key: bytes) -> None:
        self._account = Account.from_key(key)
        self.address = bytes.fromhex(self._account.address[2:])

    async def sign(self, unsigned: Unsigned) -> bytes | Refusal:
        """See the protocol."""
        return bytes(self._account.sign_transaction(unsigned.fields()).raw_transaction)


class Watched(TransactionSigner):
    """An account that is only looked at."""

    def __init__(self, address: bytes) -> None:
        self.address = address

    async def sign(self, unsigned: Unsigned) -> bytes | Refusal:  # noqa: ARG002 - the protocol's
        """Refuse.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(f"The key of 0x{self.address.hex()} was not given.")


class CommandSigner(TransactionSigner):
    """Asks a command of the operator's, once for each transaction (docs/operators.md)."""

    def __init__(
        self, command: Sequence[str], address: bytes, *, timeout_s: float = COMMAND_TIMEOUT_S
    ) -> None:
        """Prepare; nothing is run yet.

        Args:
            command: program and arguments; no shell reads them.
            address: 20 bytes; of the account that it signs for.
            timeout_s: how long it may take.
        """
        self.address = address
        self._command = tuple(command)
        self._timeout_s = timeout_s

    async def sign(self, unsigned: Unsigned) -> bytes | Refusal:
        """See the protocol."""
        answer = await self._run(_question(unsigned, self.address))
        if isinstance(answer, Refusal):
            return answer
        try:
            raw = bytes.fromhex(answer.decode("ascii").strip().removeprefix("0x"))
            check_signed(raw, unsigned, self.address)
        except (ValueError, TypeError, LookupError) as error:
            raise ConfigurationError(
                f"The signing command {self._command[0]} does not answer with the transaction that "
                f"it was given, signed by 0x{self.address.hex()}: nothing was sent."
            ) from error
        return raw

    async def _run(self, question: bytes) -> bytes | Refusal:
        name = self._command[0]
        # Its environment is its own business; this program's secrets are not.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(_SECRETS)}
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            return Refusal(f"the signing command {name} can't be run: {error.strerror}")
        try:
            async with asyncio.timeout(self._timeout_s):
                answer, _ = await process.communicate(question)
        except TimeoutError:
            return Refusal(f"the signing command {name} took longer than {self._timeout_s:.0f} s")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode:
            return Refusal(f"the signing command {name} ended with exit code {process.returncode}")
        return answer if len(answer) <= MAX_ANSWER_BYTES else b""


def read_signed(raw: bytes) -> Unsigned:
    """Return what stands in a raw transaction of type 2.

    Raises:
        ValueError: it is none, or more than a call: it moves coin or names an access list.
    """
    try:
        fields = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    except Exception as error:  # rlp and eth-account raise a dozen kinds
        raise ValueError("not a transaction of type 2") from error
    if fields["type"] != 2 or fields["value"] or fields["accessList"]:  # noqa: PLR2004 - EIP-2718
        raise ValueError("not a plain call of type 2")
    return Unsigned(
        chain_id=int(fields["chainId"]),
        nonce=int(fields["nonce"]),
        to=bytes(fields["to"]),
        data=bytes(fields["data"]),
        gas=int(fields["gas"]),
        max_fee_wei=int(fields["maxFeePerGas"]),
        tip_wei=int(fields["maxPriorityFeePerGas"]),
    )


def check_signed(raw: bytes, unsigned: Unsigned, address: bytes) -> None:
    """Refuse a raw transaction that is another one than was asked for, or somebody else's.

    Raises:
        ValueError: it is.
    """
    if read_signed(raw) != unsigned:
        raise ValueError("another transaction")
    if TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["s"] > _HALF_ORDER:
        raise ValueError("a signature that nodes refuse")
    try:
        sender = Account.recover_transaction(raw)
    except Exception as error:  # eth-keys and eth-account raise a dozen kinds
        raise ValueError("no signature") from error
    if bytes.fromhex(sender[2:]) != address:
        raise ValueError("another account")


def _question(unsigned: Unsigned, address: bytes) -> bytes:
    """Return the transaction as Ethereum's JSON-RPC writes it."""
    fields = {
        "from": encode_address(address),
        "type": "0x2",
        "chainId": hex(unsigned.chain_id),
        "nonce": hex(unsigned.nonce),
        "to": encode_address(unsigned.to),
        "value": "0x0",
        "data": f"0x{unsigned.data.hex()}",
        "gas": hex(unsigned.gas),
        "maxFeePerGas": hex(unsigned.max_fee_wei),
        "maxPriorityFeePerGas": hex(unsigned.tip_wei),
    }
    return json.dumps(fields).encode() + b"\n"
