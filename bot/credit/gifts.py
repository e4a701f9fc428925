"""Credit that the operator gives away: it pays for replies, and nobody is paid with it."""

from bot.credit.accounts import own_account
from bot.domain.errors import UserError
from bot.domain.ledger import promotional_account
from bot.ledger.credit import plan_gift
from bot.ports.clock import Clock, Entropy
from bot.ports.people import Person
from bot.ports.stores import Store


async def give_credit(
    store: Store, person: Person, nano: int, *, name: str, clock: Clock, entropy: Entropy
) -> tuple[int, bool]:
    """Give promotional credit, once under each name; return what they have, and whether it is new.

    Raises:
        UserError: the amount is 0.
    """
    if nano <= 0:
        raise UserError("Give an amount above 0.")
    async with store.transaction() as tx:
        account = await own_account(tx, person, entropy, clock.now())
        new = await tx.post(plan_gift(f"{account.name}:{name}", account.name, nano))
        return await tx.balance(promotional_account(account.name)), new
