"""The check-up of a real chain: whether it is the configured one, and whether it can be paid."""

from pathlib import Path

from bot.config import MoneySettings, SettlementSettings
from bot.crypto.eip712 import encode_address
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.money import NANO
from bot.domain.settlement import ChainIdentity
from bot.ports.checks import Finding, State
from bot.wiring.anchor_checks import explain_short_time
from bot.wiring.epoch_checks import look_at_epochs
from bot.wiring.rpc_chain import (
    RpcChain,
    account_address,
    open_rpc_chain,
    open_second,
    read_rpc_chain,
)
from bot.wiring.stores import DATABASE, open_stores
from bot.wiring.verdicts import TOKEN_UNITS, judge_chain

_LATER = "Replies go on; fees are settled when it is back. See whether the RPC's address is right."


async def look_at_rpc_chain(
    settings: SettlementSettings,
    folder: Path,
    promised_nano: int,
    money: MoneySettings | None = None,
) -> list[Finding] | None:
    """Look at the real chain that the configuration names; None where it names none.

    Args:
        settings: from the configuration.
        folder: the data folder, which may be empty yet.
        promised_nano: what the sponsorship still promises to creators.
        money: from the configuration; None to leave disputes out.

    Raises:
        ConfigurationError: the configuration is wrong, or the chain is another one.
    """
    rpc = await read_rpc_chain(settings)
    if rpc is None:
        return None
    try:
        async with open_rpc_chain(rpc) as chain:
            here = await chain.identity()
            state, delay_s = await chain.contract(), await chain.veto_delay_s()
        findings = [await _look(rpc, promised_nano), *await _look_again(rpc, here)]
    except ChainUnavailableError as error:
        what = f"the RPC does not answer now ({error})."
        return [Finding("chain", State.WARNING, what, _LATER)]
    short = None if money is None else explain_short_time(money, delay_s)
    if short is not None:
        what, _, remedy = short.partition(". ")
        findings.append(Finding("chain", State.FAULT, f"{what}.", remedy))
    other = await _compare(here, folder)
    epochs = await look_at_epochs(state.commitment, folder, was_vetoed=state.was_vetoed)
    return [*findings, *(other or epochs)]


async def _look_again(rpc: RpcChain, here: ChainIdentity) -> list[Finding]:
    """See whether the second node could confirm anything; where it can there is no line."""
    async with open_second(rpc) as second:
        if second is None:
            return []
        try:
            there = await second.identity()
        except (ChainUnavailableError, ConfigurationError) as error:
            what = f"the second RPC confirms nothing ({error}): nothing becomes final."
            return [Finding("chain", State.WARNING, what, "Mend it, or name another node.")]
    if there == here:
        return []
    what = "the second RPC serves another chain or contract than the first: nothing becomes final."
    return [Finding("chain", State.FAULT, what, "Correct [settlement] second_rpc_url.")]


async def _look(rpc: RpcChain, promised_nano: int) -> Finding:
    from adapters.evm.funds import read_funds

    settler = None if rpc.settler is None else account_address(rpc.settler)
    funds = await read_funds(rpc.url, rpc.contract, settler)
    if settler is not None and not funds.gas_wei:
        return Finding(
            "chain",
            State.FAULT,
            f"the settler {encode_address(settler)} has nothing to pay gas with on chain "
            f"{rpc.chain_id}.",
            "Send a little of the chain's own coin there; nothing is committed before.",
        )
    found = judge_chain(rpc.chain_id, funds.height, funds.payable_units, promised_nano)
    what = f"chain {rpc.chain_id}, block {funds.height}, epoch {funds.epoch}"
    if found.state is State.OK:
        payable = funds.payable_units / TOKEN_UNITS
        return Finding("chain", State.OK, f"{what}; {payable:.2f} can be taken from the treasury.")
    return Finding(
        "chain",
        found.state,
        f"{what}; the treasury holds {funds.held_units / TOKEN_UNITS:.2f}, and the contract may "
        f"take {funds.allowed_units / TOKEN_UNITS:.2f}, where the sponsorship left is "
        f"{promised_nano / NANO:.2f}.",
        "Put tokens into the treasury and raise its allowance, or nothing more is committed.",
    )


async def _compare(here: ChainIdentity, folder: Path) -> list[Finding]:
    """Compare the chain with the one that the book was settled on."""
    if not (folder / DATABASE).exists():
        return []
    async with open_stores(folder, read_only=True) as stores:
        pinned = await stores.epochs.pinned()
    if pinned in {None, here}:
        return []
    return [
        Finding(
            "chain",
            State.FAULT,
            "this book was settled on another chain or contract, or the chain was reset.",
            "Name that one in [settlement] again, or begin a new data folder.",
        )
    ]
