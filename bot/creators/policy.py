"""What the operator allows creators: who may make twins, and what they may cost; pure."""

from dataclasses import dataclass, replace

from bot.creators.drafts import MAX_PRICE_NANO
from bot.domain.errors import UserError
from bot.domain.money import format_nano
from bot.domain.payment import MAX_FREE_DAILY
from bot.ports.creator_store import DraftContent
from bot.ports.creators import Actor


@dataclass(frozen=True, slots=True)
class CreatorPolicy:
    """Who may make twins here.

    Attributes:
        accounts: `platform:id` of people, `platform:*` of everybody there, `*` of everybody.
        twins_each: how many one account may have.
        highest_nano: what a reply may cost at most; the operator pays for fans.
        most_free: how many replies a day a twin may give each fan free.
    """

    accounts: tuple[str, ...]
    twins_each: int
    highest_nano: int = MAX_PRICE_NANO
    most_free: int = MAX_FREE_DAILY

    def check(self, actor: Actor) -> None:
        """Refuse who may not make twins.

        Raises:
            UserError: the sentence names what the operator has to add.
        """
        who = f"{actor.platform}:{actor.account}"
        if not {who, f"{actor.platform}:*", "*"} & set(self.accounts):
            raise UserError(
                f"You may not create twins here: ask the operator to add {who} to "
                "[creators] accounts."
            )

    def check_price(self, nano: int, token: str) -> None:
        """Refuse a price that the operator does not pay.

        Raises:
            UserError: the sentence names the highest one.
        """
        if nano > self.highest_nano:
            most = format_nano(self.highest_nano)
            raise UserError(f"The price may be at most {most} {token} per reply here.")

    def check_free(self, count: int) -> None:
        """Refuse more free replies a day than the operator pays for, or fewer than none.

        Raises:
            UserError: the sentence names the highest number.
        """
        if not 0 <= count <= self.most_free:
            raise UserError(f"A fan may get 0 to {self.most_free} replies a day free here.")

    def within(self, content: DraftContent) -> DraftContent:
        """Return a new draft with no more free replies than the operator pays for."""
        return replace(content, free_daily=min(content.free_daily, self.most_free))
