"""The default chain: in this process, over one SQLite file, with nothing to install.

py-evm takes some 50 ms for a transaction, so the machine lives in a thread of its own and the event
loop only waits for it. After `kill -9` the chain is at a whole block; contracts that were not yet
deployed are deployed at the next start.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar, cast

from eth_account import Account
from web3 import AsyncEthereumTesterProvider, AsyncWeb3
from web3.types import RPCEndpoint, RPCResponse

from adapters.evm.chain_file import ChainFile
from adapters.evm.deploy import Deployment, deploy, deployed_by
from adapters.evm.machine import Machine, funded_accounts
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.ports.clock import Clock

T = TypeVar("T")


class EmbeddedProvider(AsyncEthereumTesterProvider):
    """web3's door to the machine's thread."""

    def __init__(self, chain: "EmbeddedChain") -> None:
        # The parent's own constructor would start a second chain, in memory.
        super(AsyncEthereumTesterProvider, self).__init__()
        self._chain = chain

    async def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:  # noqa: ANN401
        """Answer one JSON-RPC request."""
        return await self._chain.request(method, params)


class EmbeddedChain:
    """An open embedded chain.

    Attributes:
        provider: to hand to `EvmSettlementChain`.
        deployment: addresses of the token and of the settlement contract.
    """

    provider: EmbeddedProvider
    deployment: Deployment

    def __init__(self) -> None:
        # One thread: py-evm and the SQLite connection know no other.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedded-chain")
        self._machine: Machine | None = None
        self.provider = EmbeddedProvider(self)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        settler_key: bytes,
        relayer_key: bytes,
        treasury_key: bytes,
        clock: Clock,
        delay_s: int = 0,
    ) -> "EmbeddedChain":
        """Open the chain, and create it with its accounts and contracts first where needed.

        The three 32-byte private keys must be the same at every start. Only one process may have
        the chain open for writing: the caller holds the data folder's lock.

        Raises:
            ConfigurationError: the file can't be used, or was made with other keys.
        """
        accounts = [_address(key) for key in (settler_key, relayer_key, treasury_key)]
        chain = cls()
        try:
            await chain._run(lambda: chain._start(path, accounts, clock))
            chain.deployment = await deploy(
                AsyncWeb3(chain.provider),
                treasury_key=treasury_key,
                settler=accounts[0],
                delay_s=delay_s,
            )
        except BaseException:
            await chain.close()
            raise
        return chain

    @classmethod
    async def open_snapshot(cls, path: Path) -> "EmbeddedChain":
        """Open a copy of the chain as it is now, in memory, for reading.

        Another process may have the file open. What is written to the copy is lost.

        Raises:
            ConfigurationError: there is no such chain.
        """
        chain = cls()
        try:
            accounts = await chain._run(lambda: chain._start_copy(path))
        except BaseException:
            await chain.close()
            raise
        chain.deployment = deployed_by(accounts[2])
        return chain

    async def request(self, method: str, params: Any) -> RPCResponse:  # noqa: ANN401 - JSON-RPC
        """Answer one JSON-RPC request in the machine's thread."""
        if self._machine is None:
            raise ChainUnavailableError("the embedded chain is closed")
        machine = self._machine
        # JSON-RPC's shape is web3's business from here on.
        return cast("RPCResponse", await self._run(lambda: machine.request(method, params)))

    async def close(self) -> None:
        """Close the file after the request in progress."""
        if self._machine is not None:
            machine, self._machine = self._machine, None
            await self._run(machine.close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start(self, path: Path, accounts: list[bytes], clock: Clock) -> None:
        file = ChainFile.open(path)
        try:
            self._machine = Machine.create(
                file, funded=accounts, now=lambda: int(clock.now().timestamp())
            )
        except BaseException:
            file.close()
            raise

    def _start_copy(self, path: Path) -> tuple[bytes, ...]:
        file = ChainFile.open_snapshot(path)
        accounts = funded_accounts(file)
        if not accounts:
            file.close()
            raise ConfigurationError(f"{path} holds no embedded chain.")
        self._machine = Machine(file, now=lambda: 0)
        return accounts


def _address(key: bytes) -> bytes:
    return bytes.fromhex(Account.from_key(key).address[2:])
