"""The embedded chain itself: py-evm over a file, answering JSON-RPC methods one at a time.

Synchronous and bound to the thread that made it. Each transaction that is accepted is mined at once
into a block of its own. There is no mempool and no reorganisation, so one confirmation is final.
"""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from eth.chains.base import MiningChain
from eth.exceptions import TransactionNotFound as EvmTransactionNotFound
from eth.vm.forks import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_tester import EthereumTester
from eth_tester.backends.pyevm.main import (
    PyEVMBackend,
    get_default_genesis_params,
)
from eth_tester.backends.pyevm.serializers import serialize_transaction_receipt
from eth_tester.exceptions import BlockNotFound, TransactionFailed, TransactionNotFound
from eth_tester.exceptions import ValidationError as TesterValidationError
from eth_utils.exceptions import ValidationError
from web3.providers.eth_tester.defaults import API_ENDPOINTS, null_if_transaction_not_found

from adapters.evm.chain_file import ChainFile
from bot.domain.errors import ChainUnavailableError, ConfigurationError

CHAIN_ID = 1_953_982_830
"""The embedded chain's id: "twin" in ASCII (0x7477696e). It is no public network's."""

GENESIS_BALANCE_WEI = 1_000 * 10**18
"""Test ether of each account named at genesis; it is worth nothing."""

_REVERTED = 3  # JSON-RPC code of a revert, as geth and anvil answer it
_REJECTED = -32_000  # JSON-RPC code of a transaction that a node refuses
_INVALID = -32_602  # JSON-RPC code of parameters that make no sense
_ACCOUNTS = "accounts"


class TwinChain(MiningChain):  # type: ignore[misc]  # py-evm is imported untyped
    """The rules: Prague from the first block on, a constant gas limit."""

    chain_id = CHAIN_ID
    vm_configuration = ((0, PragueVM),)

    def create_header_from_parent(self, parent_header: Any, **params: Any) -> Any:  # noqa: ANN401
        """Keep the parent's gas limit."""
        params["gas_limit"] = parent_header.gas_limit
        return super().create_header_from_parent(parent_header, **params)

    def get_transaction_builder(self) -> Any:  # noqa: ANN401 - untyped in py-evm
        """Return the builder of the newest rules."""
        return self.get_vm().get_transaction_builder()


class FileBackend(PyEVMBackend):  # type: ignore[misc]  # eth-tester is imported untyped
    """eth-tester's backend over a chain that is there already."""

    def __init__(self, chain: TwinChain) -> None:
        self.account_keys = ()
        self.chain = chain

    def get_transaction_receipt(self, transaction_hash: bytes) -> Any:  # noqa: ANN401
        """Look a receipt up by its index; the inherited method scans every block."""
        try:
            number, index = self.chain.chaindb.get_transaction_index(transaction_hash)
        except EvmTransactionNotFound as error:
            raise TransactionNotFound(str(error)) from error
        block = self.chain.get_canonical_block_by_number(number)
        receipts = block.get_receipts(self.chain.chaindb)
        transaction = block.transactions[index]
        return serialize_transaction_receipt(
            block, receipts, transaction, index, is_pending=False, vm=self.chain.get_vm()
        )

    def estimate_gas(self, transaction: dict[str, Any], block_number: str = "latest") -> int:
        """Run the call once and return a quarter more than it used.

        The inherited method searches for the exact limit with some 25 runs.

        Raises:
            TransactionFailed: the call reverts.
        """
        self.call(transaction, block_number)
        head = self.chain.get_canonical_head()
        unsigned = self._get_normalized_and_unsigned_evm_transaction(
            {**transaction, "gas": head.gas_limit}, block_number
        )
        spoofed = SpoofTransaction(unsigned, from_=transaction["from"])
        state = self.chain.get_vm(at_header=head).state
        computation = state.apply_transaction(spoofed)
        return int((head.gas_limit - computation.get_gas_remaining()) * 5 // 4)


class Machine:
    """A chain over a file and the JSON-RPC methods that it answers."""

    def __init__(self, file: ChainFile, *, now: Callable[[], int]) -> None:
        """Take over an initialised file; `now` returns the present in seconds since 1970."""
        self._file = file
        self._now = now
        self._asker = f"0x{funded_accounts(file)[0].hex()}"
        self._backend = FileBackend(TwinChain(file))
        self._tester = EthereumTester(self._backend)
        receipt = null_if_transaction_not_found(
            lambda tester, params: tester.get_transaction_receipt(*params)
        )
        overrides = {
            "call": self._call,
            "chainId": lambda *_: CHAIN_ID,
            "sendRawTransaction": self._send_raw,
            "getTransactionReceipt": receipt,
        }
        self._endpoints = {**API_ENDPOINTS, "eth": {**API_ENDPOINTS["eth"], **overrides}}

    @classmethod
    def create(
        cls, file: ChainFile, *, funded: Sequence[bytes], now: Callable[[], int]
    ) -> "Machine":
        """Open the chain in a file, and write its genesis block first if there is none.

        Args:
            file: open for writing.
            funded: 20-byte addresses that own test ether at genesis.
            now: the present in seconds since 1970.

        Raises:
            ConfigurationError: the chain was made with other addresses.
        """
        stored = funded_accounts(file)
        if not stored:
            account = {"balance": GENESIS_BALANCE_WEI, "storage": {}, "code": b"", "nonce": 0}
            # The time makes the genesis hash of every fresh chain another one, so that a reset
            # chain is not taken for the one that a book was settled on.
            params = get_default_genesis_params({"timestamp": now()})
            # Killed before this transaction ends: an empty file, and genesis is written again.
            with file.transaction():
                state = {address: dict(account) for address in funded}
                TwinChain.from_genesis(file, params, state)
                file.set_fact(_ACCOUNTS, b"".join(funded))
        elif stored != tuple(funded):
            raise ConfigurationError("The embedded chain was made with other keys than these.")
        return cls(file, now=now)

    def request(self, method: str, params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON-RPC
        """Answer one JSON-RPC request with `result` or `error`."""
        namespace, _, endpoint = method.partition("_")
        delegate = self._endpoints.get(namespace, {}).get(endpoint)
        if delegate is None:
            return _failure(-32601, f"no such method: {method}")
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": delegate(self._tester, params)}
        except TransactionFailed as error:
            return _failure(_REVERTED, f"execution reverted: {_reason(error)}")
        except ValidationError as error:
            return _failure(_REJECTED, _in_words_of_geth(str(error)))
        except (BlockNotFound, TesterValidationError) as error:
            return _failure(_INVALID, str(error))
        except sqlite3.Error as error:
            # A full disk, most likely. The transaction was rolled back with everything in it.
            raise ChainUnavailableError(f"the embedded chain's file failed: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _call(self, tester: Any, params: Any) -> Any:  # noqa: ANN401 - JSON-RPC
        # web3 fills in the node's first account, and this node signs for nobody. py-evm lets only
        # an account that could pay the gas ask anything.
        call = {**params[0], "from": params[0].get("from") or self._asker}
        return tester.call(call, *params[1:])

    def _send_raw(self, tester: Any, params: Any) -> Any:  # noqa: ANN401 - JSON-RPC
        # One file transaction for the transaction and its block: killed in here, neither happened.
        chain = self._backend.chain
        parent = chain.get_canonical_head()
        chain.set_header_timestamp(max(self._now(), parent.timestamp + 1))
        try:
            with self._file.transaction():
                return tester.send_raw_transaction(*params)
        except BaseException:
            # What the failed attempt left in memory is dropped with the file's rollback.
            self._backend.chain = TwinChain(self._file)
            raise


def funded_accounts(file: ChainFile) -> tuple[bytes, ...]:
    """Return the 20-byte addresses that the genesis block funded; none before there is one."""
    joined = file.fact(_ACCOUNTS) or b""
    return tuple(joined[i : i + 20] for i in range(0, len(joined), 20))


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": message}}


def _reason(error: TransactionFailed) -> str:
    reason = error.args[0]
    return str(reason.args[0] if isinstance(reason, Exception) else reason)


def _in_words_of_geth(message: str) -> str:
    # py-evm: "Invalid transaction nonce: Expected 22, but got 21".
    if message.startswith("Invalid transaction nonce"):
        expected, got = (int(part.split()[-1]) for part in message.split(", but"))
        return "nonce too low" if got < expected else "nonce too high"
    if "balance" in message or "funds" in message:
        return f"insufficient funds for gas * price + value: {message}"
    return message
