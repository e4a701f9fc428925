"""Ask a node what a settlement contract is: of which version, whom it pays, what may be vetoed.

The same events from another contract say nothing about a payout.
"""

from adapters.evm.artefacts import load_artefact
from adapters.evm.json_rpc import JsonRpc
from bot.crypto.eip712 import encode_address
from bot.crypto.hashing import keccak256
from bot.domain.errors import ChainUnavailableError
from bot.ports.recount import VaultFacts

_WORD = 32
_ADDRESS = 20
_STATE_WORDS = 8


async def ask_vault(rpc: JsonRpc, contract: bytes, code: str, twin: bytes) -> VaultFacts | None:
    """Return what a settlement contract says of itself; None if it is not one of this version.

    Args:
        rpc: the node.
        contract: 20 bytes.
        code: its run-time code, as the node gives it.
        twin: 32 bytes.

    Raises:
        ChainUnavailableError: no answer, or one that is no answer to the question.
    """
    if not _starts(code, "settlement"):
        return None
    registry = _address(await _call(rpc, contract, "REGISTRY()"))
    names_ours, paid_to = True, None
    if any(registry):
        there = await rpc.ask("eth_getCode", [encode_address(registry), "latest"])
        names_ours = isinstance(there, str) and _starts(there, "registry")
        paid_to = _address(await _call(rpc, registry, "payout_of(bytes32)", twin))
    state = await _call(rpc, contract, "state()", words=_STATE_WORDS)
    block = await rpc.ask("eth_getBlockByNumber", ["latest", False])
    now = block.get("timestamp") if isinstance(block, dict) else None
    if not isinstance(now, str) or not now.startswith("0x"):
        raise ChainUnavailableError("the node gives no time of its newest block")
    claimable_at = int.from_bytes(state[-_WORD:], "big")
    return VaultFacts(
        token=_address(await _call(rpc, contract, "TOKEN()")),
        is_registry_known=names_ours,
        paid_to=paid_to if paid_to is not None and any(paid_to) else None,
        vetoable_until=claimable_at if claimable_at > int(now, 16) else None,
    )


def _starts(code: str, name: str) -> bool:
    return code.lower().startswith(f"0x{load_artefact(name).runtime.hex()}")


async def _call(
    rpc: JsonRpc, contract: bytes, function: str, argument: bytes = b"", *, words: int = 1
) -> bytes:
    data = keccak256(function.encode())[:4] + argument
    call = {"to": encode_address(contract), "data": f"0x{data.hex()}"}
    answer = await rpc.ask("eth_call", [call, "latest"])
    try:
        found = bytes.fromhex(answer[2:]) if isinstance(answer, str) else b""
    except ValueError:
        found = b""
    if len(found) != words * _WORD:
        raise ChainUnavailableError(f"the node gives no answer to {function} that makes sense")
    return found


def _address(word: bytes) -> bytes:
    return word[_WORD - _ADDRESS :]
