"""What the next epoch would commit, what that costs, and what is in its way. Spends nothing."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.config import Settings
from bot.crypto.eip712 import encode_address, parse_address
from bot.domain.errors import BotError, ConfigurationError
from bot.domain.settlement import Epoch
from bot.domain.transactions import Refusal
from bot.settlement.claims import CHUNK_LEAVES
from bot.settlement.epoch import plan_epoch
from bot.wiring.rpc_chain import RpcChain, account_address, read_place, read_rpc_chain
from bot.wiring.settling import Look, open_book, open_look
from bot.wiring.stores import DATABASE

if TYPE_CHECKING:
    from adapters.evm.facts import ChainFacts

GAS_FIRST_CLAIM, GAS_CLAIM = 55_400, 21_200
"""Of one creator in a full chunk, the first time and later (docs/figures.md)."""
_MARGIN = 5  # quarters of the rehearsed gas: what is signed leaves a quarter of room


@dataclass(frozen=True, slots=True)
class Cost:
    """Gas and wei at today's price; the claims' gas is an estimate from measured figures."""

    commit_gas: int
    claims_gas: int
    transactions: int
    wei: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A look ahead.

    Attributes:
        facts: None where the chain can't be asked.
        is_embedded: the chain is the service's own, with keys of its own.
        settler: ours, in EIP-55; empty where no key was given. `relayer` likewise.
        epoch: what would be committed; None where nothing is new.
        is_open: it is under way already.
        was_compared: book and chain were read; else nobody knows whether something is new.
        unsigned: newer leaves of the log, which wait for its next signed head.
        claimed: what each of its twins has been paid, in its order.
        obstacles: what is in the way, one sentence each.
    """

    facts: "ChainFacts | None"
    is_embedded: bool
    settler: str
    relayer: str
    epoch: Epoch | None
    is_open: bool
    was_compared: bool
    unsigned: int
    claimed: tuple[int, ...]
    cost: Cost | None
    obstacles: tuple[str, ...]


async def preview(settings: Settings) -> Preview:
    """Look ahead; nothing is written, signed or sent.

    Raises:
        ConfigurationError: the configuration's addresses are wrong.
    """
    obstacles: list[str] = []
    rpc = await _accounts(settings, obstacles)
    settler = b"" if rpc is None or rpc.settler is None else account_address(rpc.settler)
    relayer = b"" if rpc is None or rpc.relayer is None else account_address(rpc.relayer)
    before = len(obstacles)
    epoch, is_open, unsigned = await _next_epoch(settings, obstacles)
    was_planned = len(obstacles) == before
    facts: ChainFacts | None = None
    cost: Cost | Refusal | None = None
    claimed: tuple[int, ...] = ()
    async with open_look(settings) as look:
        try:
            if look is None:
                obstacles.append("The embedded chain begins with the first start of the service.")
            else:
                await look.chain.identity()
                facts = await look.facts.read(tuple(one for one in (settler, relayer) if one))
                if epoch is not None:
                    claimed = await look.chain.claimed([one.twin for one in epoch.earnings])
                    cost = await _rehearse(look, facts, epoch, claimed, is_open=is_open)
                await _compare(look, obstacles)
        except BotError as error:
            obstacles.append(_sentence(str(error)))
    poor = [] if facts is None or epoch is None else _judge_treasury(facts, epoch)
    if isinstance(cost, Refusal):
        # What the node says of a refusal is for a cause that nobody could name.
        if not poor:
            said = f"The contract would refuse the commit now: {cost.reason}"
            obstacles.append(_sentence(said))
        cost = None
    if facts is not None and rpc is not None:
        obstacles += _judge(facts, rpc, settler, relayer, cost)
    obstacles += poor
    return Preview(
        facts=facts,
        is_embedded=read_place(settings.settlement) is None,
        settler=encode_address(settler) if settler else "",
        relayer=encode_address(relayer) if relayer else "",
        epoch=epoch,
        is_open=is_open,
        was_compared=was_planned and facts is not None,
        unsigned=unsigned,
        claimed=tuple(claimed),
        cost=cost,
        obstacles=tuple(dict.fromkeys(obstacles)),
    )


async def find_shortage(settings: Settings, epoch: Epoch) -> str:
    """Return why the treasury can't pay an epoch now; empty where it can, or nobody can say."""
    if read_place(settings.settlement) is None:
        return ""  # the embedded chain's treasury is the service's own
    async with open_look(settings) as look:
        if look is None:
            return ""
        try:
            return " ".join(_judge_treasury(await look.facts.read(()), epoch))
        except BotError:
            return ""


async def _accounts(settings: Settings, obstacles: list[str]) -> RpcChain | None:
    place = read_place(settings.settlement)
    try:
        return await read_rpc_chain(settings.settlement)
    except ConfigurationError as error:
        # The chain can be looked at all the same.
        obstacles.append(_sentence(str(error)))
        return place


async def _next_epoch(settings: Settings, obstacles: list[str]) -> tuple[Epoch | None, bool, int]:
    if not (settings.service.data_dir / DATABASE).exists():
        obstacles.append("There is no book yet: it begins with the first start of the service.")
        return None, False, 0
    async with open_book(settings) as stores:
        current = await stores.epochs.open_epoch()
        snapshot = await stores.earnings.freeze()
        async with stores.replies.reading() as tx:
            unsigned = await tx.log_size() - snapshot.log_size
        if current is not None:
            return current, True, unsigned
        final = await stores.epochs.last_final()
    try:
        return plan_epoch(snapshot, final), False, unsigned
    except BotError as error:
        obstacles.append(_sentence(f"Settlement would halt: {error}"))
        return None, False, unsigned


async def _rehearse(
    look: Look,
    facts: "ChainFacts",
    epoch: Epoch,
    claimed: tuple[int, ...],
    *,
    is_open: bool,
) -> Cost | Refusal | None:
    state = await look.chain.contract()
    if is_open and state.commitment == epoch.commitment:
        return None  # it is mined already
    gas = await look.facts.rehearse(epoch.commitment, facts.settler)
    if isinstance(gas, Refusal):
        return gas
    gains = [
        GAS_FIRST_CLAIM if paid == 0 else GAS_CLAIM
        for item, paid in zip(epoch.earnings, claimed, strict=True)
        if item.is_payable and item.cumulative_units > paid
    ]
    payable = sum(item.is_payable for item in epoch.earnings)
    chunks = -(-payable // CHUNK_LEAVES) if gains else 0
    return Cost(gas, sum(gains), 1 + chunks, (gas + sum(gains)) * facts.market.lowest)


async def _compare(look: Look, obstacles: list[str]) -> None:
    """Ask the second node, too."""
    if look.second is None:
        return
    try:
        same = await look.second.identity() == await look.chain.identity()
        here, there = await look.chain.contract(), await look.second.contract()
    except BotError as error:
        obstacles.append(_sentence(f"The second RPC confirms nothing: {error}"))
        return
    if not same:
        obstacles.append("The second RPC serves another chain or contract: nothing becomes final.")
    elif here.commitment != there.commitment:
        obstacles.append("The two RPCs show different epochs now: nothing becomes final so.")


def _judge(
    facts: "ChainFacts", rpc: RpcChain, settler: bytes, relayer: bytes, cost: Cost | None
) -> list[str]:
    found = []
    ask = facts.market.lowest
    if ask > rpc.max_fee_wei:
        found.append(
            f"Gas costs {ask / 1e9:.2f} gwei now, and [settlement] max_fee_gwei is "
            f"{rpc.max_fee_wei / 1e9:.0f}: settlement waits until it is cheaper."
        )
    is_settler = settler and parse_address(facts.settler) == settler
    if settler and not is_settler:
        found.append(
            f"The contract lets {facts.settler} commit, and the settler's key is of "
            f"{encode_address(settler)}: its owner can change that with set_settler."
        )
    needed = 0 if cost is None else cost.commit_gas * _MARGIN // 4 * facts.market.asking.max_fee_wei
    if is_settler and facts.coins[settler] < max(1, needed):
        found.append(
            f"The settler {encode_address(settler)} holds {facts.coins[settler] / 1e18:.6f} of the "
            f"chain's coin, and a commit may need {needed / 1e18:.6f}: send it some."
        )
    if relayer and not facts.coins[relayer]:
        found.append(
            f"The relayer {encode_address(relayer)} has nothing to pay gas with: until it has, "
            "creators claim by themselves."
        )
    return found


def _judge_treasury(facts: "ChainFacts", epoch: Epoch) -> list[str]:
    due = epoch.commitment.fee_total - facts.claimed_units - facts.vault_units
    if due <= 0:
        return []
    found, unit = [], 10**facts.decimals
    if facts.treasury_units < due:
        found.append(
            f"The treasury {facts.treasury} holds {facts.treasury_units / unit:.6f} "
            f"{facts.symbol}, and {due / unit:.6f} are to be taken: fill it."
        )
    if facts.allowance_units < due:
        found.append(
            f"The treasury {facts.treasury} allows the contract to take "
            f"{facts.allowance_units / unit:.6f} {facts.symbol}, and {due / unit:.6f} are needed: "
            "raise the allowance (approve)."
        )
    return found


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
