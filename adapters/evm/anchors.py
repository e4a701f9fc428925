"""Ask a node what a settlement contract has committed (docs/spec/formats.md section 11.4)."""

import re
from typing import Any

from adapters.evm.json_rpc import JsonRpc, RpcRefusedError
from bot.crypto.eip712 import encode_address
from bot.crypto.hashing import keccak256
from bot.domain.errors import ChainUnavailableError
from bot.ports.anchors import AnchorAnswers, AnchorLookup, AnchorPlace, CommittedHead

COMMITTED = keccak256(b"EpochCommitted(uint64,bytes32,uint128,bytes32,uint64,bytes32)")
VETOED = keccak256(b"EpochVetoed(uint64)")

# How nodes of chains without finality refuse the word: invalid parameters, "finalized block not
# found" (geth), unknown block (EIP-4844's engine codes). Anything else, such as "too many
# requests", must not be taken for a chain without finality.
_NO_SUCH_BLOCK = frozenset({-32_602, -32_000, -39_001})
_WORD = 32
_COMMITTED_WORDS = 5  # fee root, fee total, log root, log size, data hash: the epoch is a topic
_LOG_ROOT, _LOG_SIZE = 2, 3
_QUANTITY = re.compile(r"0x(?:0|[1-9a-f][0-9a-f]{0,15})", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-f]{2})*", re.ASCII)


class RpcAnchorLookup(AnchorLookup):
    """The look-up through one open JSON-RPC connection."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc

    @property
    def name(self) -> str:
        """See the port."""
        return self._rpc.name

    async def ask(self, place: AnchorPlace, epoch: int) -> AnchorAnswers:
        """See the port."""
        chain = self._number(await self._rpc.ask("eth_chainId", []), "chain id")
        if chain != place.chain:
            return AnchorAnswers(chain=chain, commits=(), vetoes=0, newest=0, finalized=None)
        # Finality first: a chain that grows between two questions must not make more of it final.
        finalized = await self._finalized()
        newest = self._number(await self._rpc.ask("eth_blockNumber", []), "block number")
        commits = await self._logs(place, COMMITTED, epoch)
        vetoes = await self._logs(place, VETOED, epoch)
        return AnchorAnswers(
            chain=chain,
            commits=tuple(self._commit(entry) for entry in commits),
            vetoes=len(vetoes),
            newest=newest,
            finalized=finalized,
        )

    async def _finalized(self) -> int | None:
        try:
            block = await self._rpc.ask("eth_getBlockByNumber", ["finalized", False])
        except RpcRefusedError as error:
            if error.code not in _NO_SUCH_BLOCK:
                raise
            return None
        if block is None:
            return None
        if not isinstance(block, dict):
            raise self._nonsense("finalized block")
        return self._number(block.get("number"), "finalized block")

    async def _logs(self, place: AnchorPlace, event: bytes, epoch: int) -> list[dict[str, Any]]:
        topics = [f"0x{event.hex()}", f"0x{epoch.to_bytes(_WORD, 'big').hex()}"]
        address = encode_address(place.contract)
        query = {"fromBlock": "0x0", "toBlock": "latest", "address": address, "topics": topics}
        found = await self._rpc.ask("eth_getLogs", [query])
        if not isinstance(found, list):
            raise self._nonsense("list of events")
        for entry in found:
            # An answer to another question, such as all of the contract's events, is no answer.
            if (
                not isinstance(entry, dict)
                or str(entry.get("address")).lower() != address.lower()
                or entry.get("topics") != topics
            ):
                raise self._nonsense("list of events")
        return [entry for entry in found if entry.get("removed") is not True]

    def _commit(self, entry: dict[str, Any]) -> CommittedHead:
        text = entry.get("data")
        data = bytes.fromhex(text[2:]) if isinstance(text, str) and _DATA.fullmatch(text) else b""
        if len(data) != _WORD * _COMMITTED_WORDS:
            raise self._nonsense("event")
        words = [data[i : i + _WORD] for i in range(0, len(data), _WORD)]
        block = self._number(entry.get("blockNumber"), "event's block")
        return CommittedHead(
            root=words[_LOG_ROOT], size=int.from_bytes(words[_LOG_SIZE], "big"), block=block
        )

    def _number(self, value: object, meaning: str) -> int:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise self._nonsense(meaning)
        return int(value, 16)

    def _nonsense(self, meaning: str) -> ChainUnavailableError:
        return ChainUnavailableError(f"The RPC {self.name} gives no {meaning} that makes sense.")
