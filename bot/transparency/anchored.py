"""What a chain says of a log, compared with the head that was accepted."""

from dataclasses import dataclass

from bot.crypto.signed_note import Checkpoint
from bot.domain.errors import TransientError
from bot.domain.settlement import Commitment
from bot.ports.chain import SettlementChain
from bot.ports.monitor import RemoteLog
from bot.transparency.growth import Growth, compare


@dataclass(frozen=True, slots=True)
class Anchored:
    """What the chain says, in a sentence.

    Attributes:
        is_compared: whether it could be compared with the log.
        is_contradiction: whether it names another log than this one.
    """

    sentence: str = ""
    is_compared: bool = True
    is_contradiction: bool = False


async def ask_chain(chain: SettlementChain, remote: RemoteLog, head: Checkpoint) -> Anchored:
    """Compare the newest commitment on a chain with a head.

    A chain that is away must not hide what the log itself has shown.
    """
    failed = "The chain could not be asked"
    try:
        commitment = (await chain.contract()).commitment
        failed = f"Epoch {commitment.epoch} on the chain could not be compared with the log"
        return await _judge(commitment, remote, head)
    except TransientError as error:
        return Anchored(f"{failed}: {error}", is_compared=False)


async def _judge(commitment: Commitment, remote: RemoteLog, head: Checkpoint) -> Anchored:
    if commitment.log_size == 0:
        return Anchored("Nothing was committed on the chain yet.")
    said = f"Epoch {commitment.epoch} on the chain names {commitment.log_size} leaves"
    if commitment.log_size > head.size:
        return Anchored(f"{said}, and the log has shown {head.size} so far.")
    anchor = Checkpoint(head.origin, commitment.log_size, commitment.log_root)
    if await compare(remote, anchor, head) is Growth.EXTENDS:
        return Anchored(f"{said}: the same log.")
    wrong = f"{said} with root {commitment.log_root.hex()}: that is not this log."
    return Anchored(wrong, is_contradiction=True)
