"""Whether the chain can pay what creators are owed: for the operator, no fault of the book."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from bot.audit.findings import Findings
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.ledger import creator_account, held_account, settled_account
from bot.domain.money import format_nano
from bot.domain.settlement import NANO_PER_UNIT
from bot.ports.audit import StoredRecords
from bot.ports.chain import SettlementChain

TreasuryFunds: TypeAlias = Callable[[], Awaitable[int]]
"""Returns what the contract can still take from the treasury: balance or allowance, in units."""


async def note_funding(
    records: StoredRecords,
    chain: SettlementChain,
    funds: TreasuryFunds | None,
    findings: Findings,
) -> None:
    """Compare what creators have coming with what vault and treasury can give.

    Args:
        records: the book.
        chain: where it settles.
        funds: None where the treasury makes its own tokens.
        findings: get a note.
    """
    earned = _sum(records, creator_account(b""), settled_account(b""))
    held = _sum(records, held_account(b""))
    if funds is None or not earned + held:
        return
    try:
        state, here = await chain.contract(), await chain.identity()
        vault, treasury = await chain.balance(here.settlement), await funds()
    except (ChainUnavailableError, ConfigurationError):
        return  # said already
    owed = earned - state.claimed_total * NANO_PER_UNIT
    there = (vault + treasury) * NANO_PER_UNIT
    findings.notes.append(
        f"On the chain: {format_nano(owed)} is unclaimed or payable to creators, and "
        f"{format_nano(held)} is held. The vault has {format_nano(vault * NANO_PER_UNIT)}, and can "
        f"take {format_nano(treasury * NANO_PER_UNIT)} from the treasury."
    )
    if owed > there:
        findings.notes.append(
            f"Not funded on the chain: {format_nano(owed - there)}. Put tokens into the treasury, "
            "or raise its allowance: creators' claims wait until then."
        )


def _sum(records: StoredRecords, *kinds: str) -> int:
    return sum(nano for account, nano in records.balances.items() if account.startswith(kinds))
