"""Ask a node what an epoch holds and what a twin was paid (formats.md sections 11.4 and 14)."""

from typing import Any

from adapters.evm.anchors import COMMITTED, VETOED, RpcAnchorLookup
from adapters.evm.vault_facts import ask_vault
from bot.crypto.eip712 import encode_address
from bot.crypto.hashing import keccak256
from bot.domain.errors import ConfigurationError
from bot.domain.settlement import Commitment
from bot.ports.anchors import AnchorPlace
from bot.ports.recount import CommitEvent, PayoutAnswers, PayoutLookup

_CLAIMED_OF = keccak256(b"claimed_of(bytes32[])")[:4]
_WORD = 32


class RpcPayoutLookup(RpcAnchorLookup, PayoutLookup):
    """The look-up through one open JSON-RPC connection."""

    async def ask_payout(self, contract: bytes, epoch: int, twin: bytes) -> PayoutAnswers:
        """See the port."""
        chain = self._number(await self._rpc.ask("eth_chainId", []), "chain id")
        # Finality first: a chain that grows between two questions must not make more of it final.
        finalized = await self._finalized()
        newest = self._number(await self._rpc.ask("eth_blockNumber", []), "block number")
        address = encode_address(contract)
        code = await self._rpc.ask("eth_getCode", [address, "latest"])
        if not isinstance(code, str):
            raise self._nonsense("contract's code")
        if code in {"", "0x"}:
            raise ConfigurationError(f"There is no contract at {address} on chain {chain}.")
        place = AnchorPlace(chain, contract)
        commits = await self._logs(place, COMMITTED, epoch)
        vetoes = await self._logs(place, VETOED, epoch)
        return PayoutAnswers(
            chain=chain,
            commits=tuple(self._event(entry, epoch) for entry in commits),
            vetoes=len(vetoes),
            newest=newest,
            finalized=finalized,
            claimed_units=await self._claimed(contract, twin),
            vault=await ask_vault(self._rpc, contract, code, twin),
        )

    def _event(self, entry: dict[str, Any], epoch: int) -> CommitEvent:
        block = self._commit(entry).block  # which checks that there are five words
        data = bytes.fromhex(entry["data"][2:])
        words = [data[i : i + _WORD] for i in range(0, len(data), _WORD)]
        fee_root, fee_total, log_root, log_size, data_hash = words
        total, size = (int.from_bytes(word, "big") for word in (fee_total, log_size))
        return CommitEvent(Commitment(epoch, fee_root, total, log_root, size, data_hash), block)

    async def _claimed(self, contract: bytes, twin: bytes) -> int:
        """Call `claimed_of([twin])`: offset, length, one word; the answer looks alike."""
        head = _WORD.to_bytes(_WORD, "big") + (1).to_bytes(_WORD, "big")
        call = {"to": encode_address(contract), "data": f"0x{(_CLAIMED_OF + head + twin).hex()}"}
        answer = await self._rpc.ask("eth_call", [call, "latest"])
        text = answer[2:] if isinstance(answer, str) and answer.startswith("0x") else ""
        try:
            data = bytes.fromhex(text)
        except ValueError:
            data = b""
        if data[: 2 * _WORD] != head or len(data) != 3 * _WORD:
            raise self._nonsense("sum that was paid")
        return int.from_bytes(data[2 * _WORD :], "big")
