"""The registry of twins that a real chain's settlement contract asks, for the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.domain.errors import ConfigurationError
from bot.ports.clock import Clock
from bot.ports.registry import RegistryStanding, TwinRegistry
from bot.twins.registered import Registered
from bot.wiring.rpc_chain import RpcChain


class VaultRegistry(TwinRegistry):
    """The registry that a settlement contract asks, looked for when it is first needed.

    A node may be away while the service starts.
    """

    def __init__(self, url: str, settlement: bytes) -> None:
        from adapters.evm.client import rpc_provider

        self._provider = rpc_provider(url)
        self._settlement = settlement
        self._found: TwinRegistry | None = None

    async def standing(self, twin: bytes) -> RegistryStanding:
        """See the port."""
        from adapters.evm.registry import EvmTwinRegistry, find_registry

        if self._found is None:
            address = await find_registry(self._provider, self._settlement)
            if address is None:
                raise ConfigurationError("The settlement contract asks no registry of twins.")
            self._found = EvmTwinRegistry(provider=self._provider, registry=address)
        return await self._found.standing(twin)

    async def close(self) -> None:
        """Close the connection."""
        await self._provider.disconnect()


@asynccontextmanager
async def open_registered(rpc: RpcChain | None, clock: Clock) -> AsyncIterator[Registered]:
    """Open what asks the registry before a reply; on the embedded chain nobody is asked."""
    if rpc is None:
        yield Registered()
        return
    from adapters.evm.registry import CachedRegistry

    registry = VaultRegistry(rpc.url, rpc.contract)
    try:
        yield Registered(CachedRegistry(registry, clock=clock), clock)
    finally:
        await registry.close()
