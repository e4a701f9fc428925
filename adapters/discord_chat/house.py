"""Who serves one client: put together once the application's id is known."""

from dataclasses import dataclass
from typing import Self

import discord

from adapters.discord_chat.again import Again
from adapters.discord_chat.answering import Answering
from adapters.discord_chat.cards import Cards
from adapters.discord_chat.claims import Claims
from adapters.discord_chat.commands import Servants
from adapters.discord_chat.creators.studio import Studio
from adapters.discord_chat.credit.counter import Counter
from adapters.discord_chat.credit.purchases import Purchases
from adapters.discord_chat.credit.till import Till
from adapters.discord_chat.desk import Desk
from adapters.discord_chat.fans import Fans
from adapters.discord_chat.identity import Identity
from adapters.discord_chat.personal import Personal
from adapters.discord_chat.replies import Replies
from adapters.discord_chat.showing import Showing
from adapters.discord_chat.talkativeness import Talkativeness
from adapters.discord_chat.verify import Verifier
from adapters.discord_chat.withdrawing import Withdrawing
from bot.ports.chat import ChatInbox
from bot.ports.creators import CreatorDesk
from bot.ports.credit import FanCredit
from bot.ports.discord_state import DiscordState
from bot.ports.proofs import ProofSource


@dataclass(frozen=True, slots=True)
class Doors:
    """What the surface is given: the core's doors, its own memory, the public address."""

    inbox: ChatInbox
    proofs: ProofSource
    store: DiscordState
    creators: CreatorDesk | None
    public_base_url: str
    credit: FanCredit | None = None


@dataclass(frozen=True, slots=True)
class House:
    """Everybody who serves a client's events; `purchases` only where fans have money."""

    servants: Servants
    cards: Cards
    claims: Claims
    answering: Answering
    withdrawing: Withdrawing
    purchases: Purchases | None = None

    @classmethod
    def build(cls, client: discord.Client, doors: Doors, *, reads_messages: bool) -> Self:
        """Put everybody together."""
        account, inbox, state = client.application_id or 0, doors.inbox, doors.store
        base = doors.public_base_url
        till = None if doors.credit is None else Till.build(client, doors.credit, state)
        counter = None if till is None else till.counter
        identity = Identity(account=account, state=state)
        cards = Cards(inbox=inbox, state=state, public_base_url=base)
        claims = Claims()
        showing = Showing(
            inbox=inbox, state=state, identity=identity, claims=claims, account=account
        )
        withdrawing = Withdrawing(
            client=client,
            inbox=inbox,
            state=state,
            identity=identity,
            claims=claims,
            account=account,
        )
        answering = Answering(
            inbox=inbox,
            state=state,
            identity=identity,
            claims=claims,
            cards=cards,
            showing=showing,
            withdrawing=withdrawing,
            account=account,
            counter=counter,
        )
        fans = Fans(
            client=client,
            cards=cards,
            claims=claims,
            state=state,
            answering=answering,
            talkativeness=Talkativeness(state),
            account=account,
            reads_messages=reads_messages,
        )
        again = Again(
            inbox=inbox,
            state=state,
            cards=cards,
            claims=claims,
            showing=showing,
            withdrawing=withdrawing,
            account=account,
            counter=counter,
        )
        servants = _servants(
            doors, (fans, cards, again), counter, account, reads_messages=reads_messages
        )
        purchases = None if till is None else till.purchases
        return cls(servants, cards, claims, answering, withdrawing, purchases)


def _servants(
    doors: Doors,
    built: tuple[Fans, Cards, Again],
    counter: Counter | None,
    account: int,
    *,
    reads_messages: bool,
) -> Servants:
    state, base = doors.store, doors.public_base_url
    fans, cards, again = built
    desk = Desk(
        cards=cards,
        state=state,
        talkativeness=fans.talkativeness,
        reads_messages=reads_messages,
        counter=counter,
    )
    replies = Replies(
        inbox=doors.inbox,
        state=state,
        fans=fans,
        cards=cards,
        again=again,
        verifier=Verifier(state=state, proofs=doors.proofs, account=account, public_base_url=base),
        public_base_url=base,
        may_dispute=counter is not None,
    )
    return Servants(
        fans=fans,
        desk=desk,
        replies=replies,
        personal=Personal(inbox=doors.inbox, state=state, counter=counter),
        studio=None if doors.creators is None else Studio(doors.creators),
        counter=counter,
    )
