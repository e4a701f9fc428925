"""Who handles what: presses, commands, words, and what has no words."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace

from adapters.telegram_chat.commands import Commands
from adapters.telegram_chat.creators.desk import Creators
from adapters.telegram_chat.credit.desk import MoneyDesk
from adapters.telegram_chat.credit.disputes import WRONG_PREFIX
from adapters.telegram_chat.credit.hints import MONEY_PREFIX
from adapters.telegram_chat.delivery import AGAIN_PREFIX
from adapters.telegram_chat.events import (
    CREATORS_PREFIX,
    BotMade,
    Event,
    GivenBack,
    Paid,
    Pressed,
    Said,
)
from adapters.telegram_chat.managed.offers import BotOffers
from adapters.telegram_chat.offer import STOP_PREFIX
from adapters.telegram_chat.own_data import FORGET_PREFIX, OwnData
from adapters.telegram_chat.picker import Picker
from adapters.telegram_chat.talkativeness import Talkativeness
from adapters.telegram_chat.talking import Talking
from adapters.telegram_chat.wishes import Wishes
from bot.domain.errors import InvariantError

ALBUMS_KEPT = 64
# Deep links that lead to a command.
STARTS = frozenset(
    {"creator", "export", "forget", "credit", "buy", "limit", "paysupport", "dispute"}
)


class Desk:
    """Sends each event of one bot to the right place; `_albums` are those already spoken of."""

    def __init__(
        self,
        *,
        picker: Picker,
        commands: Commands,
        talking: Talking,
        wishes: Wishes,
        own_data: OwnData,
        talkativeness: Talkativeness,
        creators: Creators | None,
        offers: BotOffers | None,
        money: MoneyDesk | None,
    ) -> None:
        self._picker = picker
        self._commands = commands
        self._talking = talking
        self._wishes = wishes
        self._own_data = own_data
        self._creators = creators
        self._offers = offers
        self._money = money
        self._albums: deque[str] = deque(maxlen=ALBUMS_KEPT)
        self._table: dict[str, Callable[[Said], Awaitable[None]]] = {
            "stop": wishes.stop,
            "undo": wishes.undo,
            "report": wishes.report,
            "export": own_data.export,
            "forget": own_data.ask_to_forget,
            "talkative": talkativeness.command,
        }
        if creators is not None:
            self._table |= {"creator": creators.open, "cancel": creators.cancel}
        if money is not None:
            self._table |= {
                "credit": money.show,
                "buy": money.buy,
                "limit": money.limit,
                "paysupport": money.support,
                "dispute": money.dispute,
            }

    async def handle(self, event: Event, *, is_late: bool) -> None:
        """Handle one event to its end."""
        match event:
            case Pressed():
                await self._press(event)
            case BotMade():
                if self._offers is not None:
                    await self._offers.made(event)
            case Said(command="" | "talk"):
                await self._hear(event, is_late=is_late)
            case Said(command="start", text=str(word)) if word.strip() in STARTS:
                await self.handle(replace(event, command=word.strip(), text=""), is_late=is_late)
            case Said(command="start", text=str(word)) if (
                self._money is not None and word.strip().startswith(WRONG_PREFIX)
            ):
                await self._money.ask_about(event, word.strip().removeprefix(WRONG_PREFIX))
            case Paid() | GivenBack():
                raise InvariantError("money is followed elsewhere")
            case Said():
                await self._table.get(event.command, self._commands.run)(event)

    async def close(self) -> None:
        """End what runs beside the events."""
        if self._money is not None:
            await self._money.close()

    async def _press(self, pressed: Pressed) -> None:
        data = pressed.data
        if data.startswith(STOP_PREFIX):
            await self._wishes.press_stop(pressed, data[len(STOP_PREFIX) :])
        elif data.startswith(AGAIN_PREFIX):
            await self._wishes.press_again(pressed, data[len(AGAIN_PREFIX) :])
        elif data.startswith(FORGET_PREFIX):
            await self._own_data.press(pressed, data[len(FORGET_PREFIX) :])
        elif data.startswith(MONEY_PREFIX) and self._money is not None:
            await self._money.press(pressed)
        elif data.startswith(CREATORS_PREFIX) and self._creators is not None:
            await self._creators.press(pressed)
        else:
            await self._picker.press(pressed)

    async def _hear(self, said: Said, *, is_late: bool) -> None:
        plain = not said.command and said.spot.is_private
        if plain and self._creators is not None and await self._creators.take(said):
            return
        if said.album:
            if said.album in self._albums:
                return  # one sentence for an album, not one for each of its photos
            self._albums.append(said.album)
        twin = await self._picker.current(said.spot)
        if twin is not None:
            await self._talking.talk(said, twin, is_late=is_late)
        elif not said.unasked:
            reply_to = 0 if said.spot.is_private else said.message_id
            question = await self._picker.question(said.spot)
            await self._picker.show(said.spot, question, reply_to=reply_to)
