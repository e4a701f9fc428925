"""Questions to creators and what becomes of the answers; the open one is in our store.

A question stays open until it is answered well, cancelled or too old. What was answered is marked,
so that an answer that is handled again after a crash never goes to a twin as a fan's message.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from telegram.constants import ChatAction
from telegram.ext import ExtBot

from adapters.telegram_chat.creators import keys, parsing, words
from adapters.telegram_chat.creators.files import Files
from adapters.telegram_chat.creators.work import Errand, Work
from adapters.telegram_chat.events import Said, Spot
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import TransientError, UserError
from bot.ports.creators import Actor, CreatorDesk, DraftEdit, TwinView
from bot.ports.telegram_state import OpenQuestion, TelegramState

OPEN_S = 60.0 * words.MINUTES
CREATE = "create."
ANSWERED = ""  # the step of a question that was answered; its note has the message's number
_FIELDS = ("slug", "name", "role")
_KNOWN = 10_000


class Questions:
    """Asks, and takes answers; `_free` has accounts that have no question open, for speed."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        creators: CreatorDesk,
        work: Work,
        state: TelegramState,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._creators = creators
        self._work = work
        self._state = state
        self._files = Files(bot=bot, sender=sender)
        self._free: set[int] = set()
        self._takers: dict[str, Callable[[Errand, str], Awaitable[TwinView]]] = {
            "name": lambda e, text: self._edit(e, DraftEdit(name=_line(text))),
            "role": lambda e, text: self._edit(e, DraftEdit(role=_line(text))),
            "facts": lambda e, text: self._edit(e, DraftEdit(facts=parsing.parse_lines(text))),
            "off_limits": lambda e, text: self._edit(
                e, DraftEdit(off_limits=parsing.parse_lines(text))
            ),
            "examples": lambda e, text: self._edit(
                e, DraftEdit(examples=parsing.parse_examples(text))
            ),
            "sampling": lambda e, text: self._edit(e, parsing.parse_sampling(text)),
            "price": lambda e, text: self._creators.set_price(e.actor, e.slug, text.strip()),
        }

    async def ask(self, errand: Errand, step: str) -> None:
        """Ask something about a twin; the draft's own words stand below the question."""
        view = await self._creators.show(errand.actor, errand.slug)
        note = json.dumps({"actor": errand.actor.name})
        await self._open(errand.spot, step, slug=errand.slug, note=note)
        await self._sender.say(errand.spot, words.ask(step, view.draft))

    async def begin(self, actor: Actor, spot: Spot) -> None:
        """Ask for a new twin's short name, then for the rest."""
        await self._open(spot, f"{CREATE}slug", note=json.dumps({"actor": actor.name}))
        await self._sender.say(spot, words.ask(f"{CREATE}slug", None))

    async def ask_field(self, spot: Spot, field: str) -> bool:
        """Ask for one thing of a new twin again; return False if none is being made."""
        question = await self._find(spot)
        if question is None or not question.step.startswith(CREATE) or field not in _FIELDS:
            return False
        await self._open(spot, CREATE + field, note=question.note)
        await self._sender.say(spot, words.ask(CREATE + field, None))
        return True

    async def cancel(self, spot: Spot) -> bool:
        """Drop the open question; return whether there was one."""
        question = await self._find(spot)
        await self._state.drop_question(*self._key(spot))
        return question is not None and question.step != ANSWERED

    async def take(self, said: Said) -> bool:
        """Take a message as an answer; return False if nothing was asked."""
        if said.spot.fan in self._free:
            return False
        question = await self._find(said.spot)
        if question is None:
            if len(self._free) >= _KNOWN:
                self._free.clear()
            self._free.add(said.spot.fan)
            return False
        if question.step == ANSWERED:
            return question.note == str(said.message_id)
        try:
            await self._answer(question, said)
        except (UserError, TransientError) as error:
            creating = question.step.startswith(CREATE)
            await self._sender.say(
                said.spot,
                f"{error}\n\n{words.STAYS}",
                buttons=keys.fields_menu() if creating else None,
            )
        return True

    async def _answer(self, question: OpenQuestion, said: Said) -> None:
        note = json.loads(question.note)
        actor = _actor(said.spot, note["actor"])
        errand = Errand(actor, said.spot, question.slug)
        text = (said.text or "").strip()
        if question.step == "import":
            card = await self._files.card(said.file)
            done = await self._creators.import_card(actor, question.slug, card)
            await self._close(said)
            await self._work.menu(errand, done.view, text="\n".join(done.notes))
            return
        if question.step == "avatar":
            await self._take_picture(errand, said, text)
            return
        if not text:
            raise UserError(words.WANTS_WORDS)
        if question.step.startswith(CREATE):
            await self._create(question, said, note | {question.step[len(CREATE) :]: text})
        elif question.step == "test":
            await self._test(errand, text)
        else:
            view = await self._takers[question.step](errand, text)
            await self._close(said)
            await self._work.menu(errand, view)

    async def _take_picture(self, errand: Errand, said: Said, text: str) -> None:
        picture = b"" if text == parsing.EMPTY else await self._files.picture(said.file)
        view = await self._creators.set_avatar(errand.actor, errand.slug, picture)
        await self._close(said)
        await self._work.menu(errand, view, text="" if picture else words.NO_PICTURE)

    async def _create(self, question: OpenQuestion, said: Said, note: dict[str, str]) -> None:
        """Keep one answer; ask for the next, or make the twin."""
        actor = _actor(said.spot, note["actor"])
        missing = next((field for field in _FIELDS if field not in note), "")
        step = CREATE + missing if missing else question.step
        await self._open(said.spot, step, note=json.dumps(note))
        if missing:
            await self._sender.say(said.spot, words.ask(step, None))
            return
        slug = note["slug"].lower()
        if slug in await self._creators.twins_of(actor):  # made just before a crash
            view = await self._creators.show(actor, slug)
        else:
            view = await self._creators.create(
                actor, slug, name=_line(note["name"]), role=_line(note["role"])
            )
        await self._close(said)
        await self._work.menu(Errand(actor, said.spot, slug), view)

    async def _test(self, errand: Errand, text: str) -> None:
        await self._sender.attempt(
            "sendChatAction",
            lambda: self._bot.send_chat_action(errand.spot.chat, ChatAction.TYPING),
        )
        answer = await self._creators.test(errand.actor, errand.slug, text)
        await self._sender.say(errand.spot, f"Draft: {answer}\n\n{words.TEST_GOES_ON}")

    async def _edit(self, errand: Errand, change: DraftEdit) -> TwinView:
        return await self._creators.edit(errand.actor, errand.slug, change)

    async def _open(self, spot: Spot, step: str, *, slug: str = "", note: str = "") -> None:
        self._free.discard(spot.fan)
        await self._state.ask(OpenQuestion(*self._key(spot), step=step, slug=slug, note=note))

    async def _close(self, said: Said) -> None:
        await self._open(said.spot, ANSWERED, note=str(said.message_id))

    async def _find(self, spot: Spot) -> OpenQuestion | None:
        return await self._state.question(*self._key(spot), within_s=OPEN_S)

    def _key(self, spot: Spot) -> tuple[str, str, str]:
        return str(self._bot.id), str(spot.chat), str(spot.fan)


def _actor(spot: Spot, name: str) -> Actor:
    return Actor("telegram", str(spot.fan), name)


def _line(text: str) -> str:
    """Return an answer of one line as such; the core refuses the others."""
    return text.strip()
