"""Which block holds a transaction, as a node's receipt says it."""

from typing import Any

from hexbytes import HexBytes
from web3 import AsyncWeb3
from web3.exceptions import TransactionNotFound

from bot.domain.transactions import Inclusion

_WORD = 32
_STORABLE = 2**63  # what the store's integers hold


async def read_inclusion(web3: AsyncWeb3[Any], transaction_hash: bytes) -> Inclusion | None:
    """Read it; None while no block does. The caller maps the errors, those of nonsense too."""
    try:
        receipt = await web3.eth.get_transaction_receipt(HexBytes(transaction_hash))
    except TransactionNotFound:
        return None
    head = await web3.eth.block_number
    number = _number(receipt["blockNumber"], below=_STORABLE)
    if word(receipt["transactionHash"]) != transaction_hash:
        raise ValueError("the receipt of another transaction")
    return Inclusion(
        block_number=number,
        block_hash=word(receipt["blockHash"]),
        succeeded=_number(receipt["status"], below=2) == 1,
        gas_used=_number(receipt["gasUsed"], below=_STORABLE),
        depth=max(0, int(head) - number + 1),
        transaction=transaction_hash,
    )


def word(value: object) -> bytes:
    """Return a hash that a node has named.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, bytes) or len(value) != _WORD:
        raise ValueError(f"{value!r} is no hash")
    return bytes(value)


def _number(value: object, *, below: int) -> int:
    if not isinstance(value, int) or not 0 <= value < below:
        raise ValueError(f"{value!r} is no number that can be")
    return value
