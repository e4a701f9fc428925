"""Asks a node what the treasury of a settlement contract gives, for the audit."""

from bot.audit.funding import TreasuryFunds
from bot.config import SettlementSettings
from bot.wiring.rpc_chain import read_place


def treasury_funds(settings: SettlementSettings) -> TreasuryFunds | None:
    """Return the question; None on the embedded chain, whose treasury makes its own tokens."""
    place = read_place(settings)
    if place is None:
        return None

    async def ask() -> int:
        from adapters.evm.funds import read_funds

        return (await read_funds(place.url, place.contract, None)).payable_units

    return ask
