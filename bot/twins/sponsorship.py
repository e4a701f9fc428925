"""The budget from which the operator pays creators for the fans' free replies."""

from decimal import Decimal

from bot.domain.ledger import EQUITY
from bot.domain.money import NANO
from bot.ledger.fees import plan_funding
from bot.ports.stores import Store


async def fund_sponsorship(store: Store, budget: str) -> None:
    """Bring the sponsorship account's total funding up to the budget, in tokens."""
    async with store.transaction() as tx:
        funded = -await tx.balance(EQUITY)
        funding = plan_funding(int(Decimal(budget) * NANO), funded)
        if funding is not None:
            await tx.post(funding)
