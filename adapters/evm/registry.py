"""The registry of twins over web3, and a cache in front of it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address
from web3 import AsyncWeb3
from web3.providers import AsyncBaseProvider

from adapters.evm.artefacts import load_artefact
from adapters.evm.mapping import reading
from bot.crypto.registry_data import RegistryDomain
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.payment import RegistryBlock
from bot.ports.clock import Clock
from bot.ports.registry import KnownStanding, RegistryStanding, RegistryWatch, TwinRegistry

LONGEST_TTL_S = 60.0
"""A revocation must end replies within a minute (docs/contracts.md)."""


class EvmTwinRegistry(TwinRegistry):
    """One deployed registry, through one provider: the embedded chain's or `rpc_provider(url)`."""

    def __init__(self, *, provider: AsyncBaseProvider, registry: bytes) -> None:
        """Prepare; nothing is asked of the chain yet. `registry` is its 20-byte address."""
        self._web3: AsyncWeb3[Any] = AsyncWeb3(provider)
        self._address = to_checksum_address(registry)
        self._contract = self._web3.eth.contract(
            address=self._address, abi=load_artefact("registry").abi
        )
        self._chain_id: int | None = None  # set once the contract there was looked at

    async def domain(self) -> RegistryDomain:
        """Return what signatures for this registry are bound to.

        Raises:
            ConfigurationError: there is no registry of ours at the address.
            ChainUnavailableError: the chain does not answer.
        """
        return RegistryDomain(await self._checked(), bytes.fromhex(self._address[2:]))

    async def standing(self, twin: bytes) -> RegistryStanding:
        """See the port."""
        chain_id = await self._checked()
        with reading():
            block = await self._web3.eth.get_block("latest")
            number = block["number"]
            # Of that very block: a receipt names it, and anybody can ask an archive node again.
            found = await self._contract.functions.binding(twin).call(block_identifier=number)
        manifest, payout, _, _, count, is_revoked = found
        paid = bytes.fromhex(payout[2:])
        return RegistryStanding(
            active=count > 0 and not is_revoked,
            is_revoked=is_revoked,
            payout=paid if count else None,
            manifest=bytes(manifest) if count else None,
            number=count,
            block=RegistryBlock(chain=chain_id, number=number, hash=bytes(block["hash"])),
        )

    async def _checked(self) -> int:
        if self._chain_id is None:
            with reading():
                chain_id = await self._web3.eth.chain_id
                code = bytes(await self._web3.eth.get_code(self._address))
            if not code.startswith(load_artefact("registry").runtime):
                raise ConfigurationError(
                    f"There is no registry of this version at {self._address} on chain {chain_id}."
                )
            self._chain_id = chain_id
        return self._chain_id


async def find_registry(provider: AsyncBaseProvider, settlement: bytes) -> bytes | None:
    """Return the 20-byte address of the registry that a settlement contract asks; None for none.

    Raises:
        ConfigurationError: there is no settlement contract of ours at the address.
        ChainUnavailableError: the chain does not answer.
    """
    web3: AsyncWeb3[Any] = AsyncWeb3(provider)
    contract = web3.eth.contract(
        address=to_checksum_address(settlement), abi=load_artefact("settlement").abi
    )
    with reading():
        address = bytes.fromhex((await contract.functions.REGISTRY().call())[2:])
    return address if any(address) else None


@dataclass(frozen=True, slots=True)
class _Seen:
    standing: RegistryStanding
    at_s: float


class CachedRegistry(RegistryWatch):
    """A registry in front of another one.

    It owns what was read last of every twin, in memory: after a restart the chain is asked again.
    """

    def __init__(
        self, registry: TwinRegistry, *, clock: Clock, ttl_s: float = LONGEST_TTL_S
    ) -> None:
        """Wrap a registry; what is older than `ttl_s` is read again, at most a minute."""
        if not 0 <= ttl_s <= LONGEST_TTL_S:
            raise ConfigurationError("The registry is asked at least once a minute.")
        self._registry = registry
        self._clock = clock
        self._ttl_s = ttl_s
        self._seen: dict[bytes, _Seen] = {}
        # One question a twin at a time: a busy twin does not ask the node once for every message.
        self._locks: dict[bytes, asyncio.Lock] = {}

    async def look(self, twin: bytes) -> KnownStanding:
        """See the port."""
        known = self._fresh(twin)
        if known is not None:
            return known
        async with self._locks.setdefault(twin, asyncio.Lock()):
            known = self._fresh(twin)
            if known is not None:
                return known
            # Its age counts from before the question: an answer that took long is old.
            asked_at_s = self._now_s()
            try:
                standing = await self._registry.standing(twin)
            except ChainUnavailableError:
                seen = self._seen.get(twin)
                if seen is None:
                    raise
                return KnownStanding(seen.standing, self._age_s(seen), is_overdue=True)
            self._seen[twin] = seen = _Seen(standing, asked_at_s)
            return KnownStanding(standing, self._age_s(seen), is_overdue=False)

    def _fresh(self, twin: bytes) -> KnownStanding | None:
        seen = self._seen.get(twin)
        if seen is None:
            return None
        age_s = self._age_s(seen)
        # A clock that was set back makes no answer younger: it is asked again.
        if self._now_s() < seen.at_s or age_s >= self._ttl_s:
            return None
        return KnownStanding(seen.standing, age_s, is_overdue=False)

    def _age_s(self, seen: _Seen) -> float:
        return max(0.0, self._now_s() - seen.at_s)

    def _now_s(self) -> float:
        return self._clock.now().timestamp()
