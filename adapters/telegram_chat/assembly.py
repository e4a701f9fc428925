"""How one bot is put together from what all bots of the process share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from telegram.ext import ExtBot

from adapters.telegram_chat import texts
from adapters.telegram_chat.account import BotAccount, Webhook
from adapters.telegram_chat.commands import Commands
from adapters.telegram_chat.creators.desk import Creators
from adapters.telegram_chat.credit.desk import MoneyDesk
from adapters.telegram_chat.credit.hints import MoneyHints
from adapters.telegram_chat.credit.room import build_room
from adapters.telegram_chat.delivery import Delivery
from adapters.telegram_chat.desk import Desk
from adapters.telegram_chat.lanes import Lanes
from adapters.telegram_chat.limiter import ChatRateLimiter
from adapters.telegram_chat.managed import words
from adapters.telegram_chat.managed.bots import ManagedBots
from adapters.telegram_chat.managed.offers import BotOffers
from adapters.telegram_chat.offer import Notices
from adapters.telegram_chat.own_data import OwnData
from adapters.telegram_chat.pace import Pace
from adapters.telegram_chat.picker import Picker
from adapters.telegram_chat.sending import Sender
from adapters.telegram_chat.shared import SharedRequest
from adapters.telegram_chat.signs import Signs
from adapters.telegram_chat.talkativeness import GroupTurns, Talkativeness
from adapters.telegram_chat.talking import Talking
from adapters.telegram_chat.wishes import Wishes
from adapters.telegram_chat.works import Works
from bot.domain.errors import UserError
from bot.ports.chat import ChatInbox
from bot.ports.creators import Actor, CreatorDesk
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.ports.telegram_state import TelegramState


@dataclass(frozen=True, slots=True)
class TelegramBotSettings:
    """One bot.

    Attributes:
        token: as BotFather gave it; never shown, never logged.
        solo: slug of its only twin; None for a lobby with all of them.
        owner: the creator whose own bot this is; empty for a bot of the operator's.
    """

    token: str = field(repr=False)
    solo: str | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all bots of the process share."""

    inbox: ChatInbox
    proofs: ProofSource
    state: TelegramState
    creators: CreatorDesk | None
    managed: ManagedBots | None
    credit: FanCredit | None
    shop: Callable[[], str]
    pace: Pace
    base_url: str
    api_base: str
    file_base: str
    webhook: Webhook | None
    calls: SharedRequest
    polls: SharedRequest
    turns: GroupTurns
    signs: Signs = field(default_factory=Signs)


@dataclass(frozen=True, slots=True)
class _Speaking:
    """What the parts of one bot speak through."""

    bot: ExtBot[Any]
    sender: Sender
    notices: Notices
    delivery: Delivery
    lanes: Lanes
    talking: Talking
    hints: MoneyHints | None


def build_account(name: str, settings: TelegramBotSettings, around: Surroundings) -> BotAccount:
    """Put one bot together; nothing is sent."""
    speaking = _build_speaking(settings.token, around)
    bot, sender = speaking.bot, speaking.sender
    # Creators work with the operator's bots; one of their own is for its fans.
    creators = None if settings.owner else around.creators
    room = build_room(
        name=name,
        token=settings.token,
        bot=bot,
        sender=sender,
        hints=speaking.hints,
        credit=around.credit,
        state=around.state,
        pace=around.pace,
        polls=around.polls,
        api_base=around.api_base,
        # Stars belong to the owner of the bot that was paid: a creator's own bot sells none.
        shop=around.shop if settings.owner else None,
    )
    works = Works(
        bot=bot,
        name=name,
        sender=sender,
        desk=_build_desk(settings, speaking, creators, around, room.desk),
        delivery=speaking.delivery,
        notices=speaking.notices,
        checkout=room.checkout,
        payments=room.payments,
        inbox=around.inbox,
        state=around.state,
        turns=around.turns,
        pace=around.pace,
        signs=around.signs,
    )
    managed = around.managed if settings.owner else None
    return BotAccount(
        bot=bot,
        name=name,
        sender=sender,
        works=works,
        pace=around.pace,
        webhook=around.webhook,
        is_solo=settings.solo is not None,
        has_creators=creators is not None,
        has_credit=around.credit is not None,
        follows=None if room.transactions is None else room.transactions.run,
        rejected=None if managed is None else lambda: managed.rejected(name, settings.token),
    )


def _build_speaking(token: str, around: Surroundings) -> _Speaking:
    bot = ExtBot(
        token,
        base_url=around.api_base,
        base_file_url=around.file_base,
        request=around.calls,
        get_updates_request=around.polls,
        rate_limiter=ChatRateLimiter(around.pace, around.signs),
    )
    sender = Sender(bot=bot, pace=around.pace)
    notices = Notices(bot=bot, sender=sender, state=around.state)
    delivery = Delivery(
        bot=bot,
        sender=sender,
        notices=notices,
        inbox=around.inbox,
        state=around.state,
        base_url=around.base_url,
    )
    hints = None
    if around.credit is not None:
        hints = MoneyHints(bot=bot, sender=sender, credit=around.credit)
    lanes = Lanes()
    talking = Talking(
        bot=bot,
        sender=sender,
        delivery=delivery,
        notices=notices,
        inbox=around.inbox,
        lanes=lanes,
        pace=around.pace,
        signs=around.signs,
        hints=hints,
    )
    return _Speaking(bot, sender, notices, delivery, lanes, talking, hints)


def _build_desk(
    settings: TelegramBotSettings,
    speaking: _Speaking,
    creators: CreatorDesk | None,
    around: Surroundings,
    money: MoneyDesk | None,
) -> Desk:
    bot, sender = speaking.bot, speaking.sender
    inbox, state, lanes = around.inbox, around.state, speaking.lanes
    picker = Picker(
        bot=bot,
        sender=sender,
        inbox=inbox,
        state=state,
        solo=settings.solo,
        silence=_silence_of(settings, around.creators),
    )
    offers = room = None
    if creators is not None:
        offers = BotOffers(bot=bot, sender=sender, creators=creators, managed=around.managed)
        room = Creators(bot=bot, sender=sender, creators=creators, state=state, offers=offers)
    return Desk(
        picker=picker,
        commands=Commands(
            bot=bot,
            sender=sender,
            picker=picker,
            inbox=inbox,
            proofs=around.proofs,
            state=state,
            base_url=around.base_url,
            has_creators=creators is not None,
            credit=around.credit,
        ),
        talking=speaking.talking,
        wishes=Wishes(
            bot=bot,
            sender=sender,
            talking=speaking.talking,
            delivery=speaking.delivery,
            notices=speaking.notices,
            inbox=inbox,
            lanes=lanes,
            state=state,
        ),
        own_data=OwnData(
            bot=bot, sender=sender, inbox=inbox, lanes=lanes, state=state, credit=around.credit
        ),
        talkativeness=Talkativeness(bot=bot, sender=sender, turns=around.turns),
        creators=room,
        offers=offers,
        money=money,
    )


def _silence_of(
    settings: TelegramBotSettings, creators: CreatorDesk | None
) -> Callable[[], Awaitable[str]]:
    """Return what tells why the only twin of a bot does not answer."""

    async def tell() -> str:
        if creators is None or not settings.owner or settings.solo is None:
            return texts.SOLO_NOBODY
        try:
            view = await creators.show(Actor("telegram", settings.owner, ""), settings.solo)
        except UserError:
            return texts.SOLO_NOBODY
        return words.silent(view.state)

    return tell
