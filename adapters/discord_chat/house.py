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


@dataclass(frozen=True, slots=True)
class House:
    """Everybody who serves a client's events."""

    servants: Servants
    cards: Cards
    claims: Claims
    answering: Answering
    withdrawing: Withdrawing

    @classmethod
    def build(cls, client: discord.Client, doors: Doors, *, reads_messages: bool) -> Self:
        """Put everybody together."""
        account, inbox, state = client.application_id or 0, doors.inbox, doors.store
        base = doors.public_base_url
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
        )
        servants = _servants(doors, fans, cards, again, account, reads_messages=reads_messages)
        return cls(servants, cards, claims, answering, withdrawing)


def _servants(
    doors: Doors, fans: Fans, cards: Cards, again: Again, account: int, *, reads_messages: bool
) -> Servants:
    state, base = doors.store, doors.public_base_url
    desk = Desk(
        cards=cards,
        state=state,
        talkativeness=fans.talkativeness,
        reads_messages=reads_messages,
    )
    replies = Replies(
        inbox=doors.inbox,
        state=state,
        fans=fans,
        cards=cards,
        again=again,
        verifier=Verifier(state=state, proofs=doors.proofs, account=account, public_base_url=base),
        public_base_url=base,
    )
    return Servants(
        fans=fans,
        desk=desk,
        replies=replies,
        personal=Personal(inbox=doors.inbox, state=state),
        studio=None if doors.creators is None else Studio(doors.creators),
    )
