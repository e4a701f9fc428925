"""The creators' door of one bot: the command, its buttons, and answers to questions."""

from typing import Any

from telegram.ext import ExtBot
from telegram.helpers import create_deep_linked_url

from adapters.telegram_chat import texts
from adapters.telegram_chat.creators import keys, words
from adapters.telegram_chat.creators.questions import Questions
from adapters.telegram_chat.creators.work import Errand, Work
from adapters.telegram_chat.events import Pressed, Said, Spot
from adapters.telegram_chat.managed.offers import BotOffers
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import UserError
from bot.ports.creators import Actor, CreatorDesk
from bot.ports.telegram_state import TelegramState

_ASKED = frozenset({*keys.QUESTIONS, "price", "test", "import", "avatar"})


class Creators:
    """Menus for creators, in private chats only."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        creators: CreatorDesk,
        state: TelegramState,
        offers: BotOffers,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._creators = creators
        self._offers = offers
        self._work = Work(sender=sender, creators=creators)
        self._questions = Questions(
            bot=bot, sender=sender, creators=creators, work=self._work, state=state
        )

    async def open(self, said: Said) -> None:
        """Carry out the command: the menu, or `/creator ACTION NAME …`."""
        if not said.spot.is_private:
            link = create_deep_linked_url(self._bot.username, "creator")
            await self._sender.say(said.spot, texts.in_private(link), reply_to=said.message_id)
            return
        actor = _actor(said.spot, said.name)
        action, *rest = (said.text or "").split() or [""]
        if not action:
            await self._menu(actor, said.spot)
        else:
            await self._act(actor, said.spot, action.lower(), rest)

    async def cancel(self, said: Said) -> None:
        """Drop the open question."""
        was_open = await self._questions.cancel(said.spot)
        text = words.CANCELLED if was_open else words.NOTHING_OPEN
        reply_to = 0 if said.spot.is_private else said.message_id
        await self._sender.say(said.spot, text, reply_to=reply_to)

    async def take(self, said: Said) -> bool:
        """Take a private message as the answer to a question; False if it is none."""
        return said.spot.is_private and await self._questions.take(said)

    async def press(self, pressed: Pressed) -> None:
        """Do what a button says."""
        await self._sender.attempt(
            "answerCallbackQuery", lambda: self._bot.answer_callback_query(pressed.query_id)
        )
        if not pressed.spot.is_private:
            return
        key = keys.parse_key(pressed.data)
        actor, spot = _actor(pressed.spot, pressed.name), pressed.spot
        match key.action:
            case keys.MENU:
                await self._menu(actor, spot)
            case keys.NEW:
                await self._questions.begin(actor, spot)
            case keys.FIELD:
                if not await self._questions.ask_field(spot, key.word):
                    await self._sender.say(spot, words.GONE)
            case _:
                await self._press_of_twin(key, actor, spot)

    async def _press_of_twin(self, key: keys.Key, actor: Actor, spot: Spot) -> None:
        slugs = await self._creators.twins_of(actor)
        slug = next((slug for slug in slugs if keys.digest_of(slug) == key.digest), None)
        if slug is None:
            await self._sender.say(spot, words.GONE)
            return
        await self._do(key, Errand(actor, spot, slug, key.word))

    async def _do(self, key: keys.Key, errand: Errand) -> None:
        match key.action:
            case keys.TWIN:
                view = await self._creators.show(errand.actor, errand.slug)
                await self._work.menu(errand, view)
            case keys.EDIT:
                menu = keys.edit_menu(errand.slug)
                await self._sender.say(errand.spot, words.WHICH_EDIT, buttons=menu)
            case keys.ASK if key.word in _ASKED:
                await self._questions.ask(errand, key.word)
            case keys.ACT if key.word in self._work.actions:
                plain = Errand(errand.actor, errand.spot, errand.slug)
                await self._work.actions[key.word](plain)
            case keys.ROLLBACK:
                await self._work.actions["rollback"](errand)
            case keys.REVOKE:
                await self._work.actions["revoke"](errand)
            case keys.BOT:
                await self._offers.offer(errand.actor, errand.spot, errand.slug)
            case _:
                await self._sender.say(errand.spot, words.GONE)

    async def _act(self, actor: Actor, spot: Spot, action: str, rest: list[str]) -> None:
        if action in {"create", "new"}:
            await self._questions.begin(actor, spot)
            return
        if action not in _ASKED | self._work.actions.keys() | {keys.EDIT, keys.BOT}:
            raise UserError(words.NO_SUCH)
        slugs = await self._creators.twins_of(actor)
        if action == keys.BOT and not rest and len(slugs) > 1:
            await self._sender.say(spot, words.WHICH_BOT, buttons=keys.bots_menu(slugs))
            return
        if not rest and len(slugs) != 1:
            raise UserError(words.NO_TWIN.format(action=action))
        slug = rest[0].lower() if rest else slugs[0]
        errand = Errand(actor, spot, slug, rest[1] if len(rest) > 1 else "")
        if action in self._work.actions:
            await self._work.actions[action](errand)
        elif action in _ASKED:
            await self._questions.ask(errand, action)
        else:
            await self._do(keys.Key(action), errand)

    async def _menu(self, actor: Actor, spot: Spot) -> None:
        slugs = await self._creators.twins_of(actor)
        text = words.SOME if slugs else words.NONE
        await self._sender.say(spot, text, buttons=keys.twins_menu(slugs))


def _actor(spot: Spot, name: str) -> Actor:
    return Actor("telegram", str(spot.fan), name)
