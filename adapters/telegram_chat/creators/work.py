"""What a creator's button or command does to a twin, and how the bot shows it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from adapters.telegram_chat.creators import keys, words
from adapters.telegram_chat.delivery import is_button_address
from adapters.telegram_chat.events import Spot
from adapters.telegram_chat.mapping import Failure
from adapters.telegram_chat.sending import Sender
from bot.domain.errors import UserError
from bot.ports.creators import Actor, CreatorDesk, SigningLink, TwinView

PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Errand:
    """Who wants what done to which twin, and where it is answered.

    Attributes:
        word: a word more, such as a version; empty if there is none.
    """

    actor: Actor
    spot: Spot
    slug: str
    word: str = ""


class Work:
    """Carries out actions; every one checks with the core that the actor may."""

    def __init__(self, *, sender: Sender, creators: CreatorDesk) -> None:
        self._sender = sender
        self._creators = creators
        self.actions: dict[str, Callable[[Errand], Awaitable[None]]] = {
            "show": self._show,
            "export": self._export,
            "publish": self._publish,
            "versions": self._versions,
            "rollback": self._rollback,
            "pause": self._pause,
            "resume": self._resume,
            "revoke": self._revoke,
            "earnings": self._earnings,
        }

    async def menu(self, errand: Errand, view: TwinView, *, text: str = "") -> None:
        """Show a twin with what can be done with it."""
        buttons = keys.twin_menu(view.slug, is_paused=view.state == PAUSED)
        said = f"{text}\n\n{words.head(view)}" if text else words.head(view)
        await self._sender.say(errand.spot, said, buttons=buttons)

    async def sign(self, spot: Spot, link: SigningLink, *, text: str = "") -> None:
        """Give the address of the signing page, to its creator alone."""
        linked = is_button_address(link.url)
        said = words.signing(link, with_url=not linked)
        row = [InlineKeyboardButton("Open the signing page", url=link.url)]
        await self._sender.say(
            spot,
            f"{text}\n\n{said}" if text else said,
            buttons=InlineKeyboardMarkup([row]) if linked else None,
        )

    async def _show(self, errand: Errand) -> None:
        view = await self._creators.show(errand.actor, errand.slug)
        await self._sender.say(errand.spot, words.whole(view), buttons=keys.back_menu(errand.slug))

    async def _export(self, errand: Errand) -> None:
        card = await self._creators.export_card(errand.actor, errand.slug)
        sent = await self._sender.send_file(errand.spot, card.name, card.data, "")
        if isinstance(sent, Failure):
            await self._sender.say(errand.spot, words.NOT_SENT)

    async def _publish(self, errand: Errand) -> None:
        await self.sign(errand.spot, await self._creators.publish(errand.actor, errand.slug))

    async def _versions(self, errand: Errand) -> None:
        view = await self._creators.show(errand.actor, errand.slug)
        buttons = keys.versions_menu(view)
        text = words.whole(view) if buttons else words.NO_VERSIONS
        await self._sender.say(errand.spot, text, buttons=buttons)

    async def _rollback(self, errand: Errand) -> None:
        if not errand.word:
            await self._versions(errand)
            return
        link = await self._creators.rollback(errand.actor, errand.slug, _number(errand.word))
        await self.sign(errand.spot, link)

    async def _pause(self, errand: Errand) -> None:
        result = await self._creators.pause(errand.actor, errand.slug)
        await self._done(errand, result.sentence, result.link)

    async def _resume(self, errand: Errand) -> None:
        result = await self._creators.resume(errand.actor, errand.slug)
        await self._done(errand, result.sentence, result.link)

    async def _revoke(self, errand: Errand) -> None:
        if not errand.word:
            view = await self._creators.show(errand.actor, errand.slug)
            buttons = keys.revoke_menu(view)
            await self._sender.say(errand.spot, words.WHICH_REVOKE, buttons=buttons)
            return
        version = None if errand.word == "all" else _number(errand.word)
        await self.sign(
            errand.spot, await self._creators.revoke(errand.actor, errand.slug, version)
        )

    async def _earnings(self, errand: Errand) -> None:
        line = await self._creators.earnings(errand.actor, errand.slug)
        buttons = keys.back_menu(errand.slug)
        await self._sender.say(errand.spot, words.earnings(line), buttons=buttons)

    async def _done(self, errand: Errand, sentence: str, link: SigningLink | None) -> None:
        if link is None:
            await self._sender.say(errand.spot, sentence, buttons=keys.back_menu(errand.slug))
        else:
            await self.sign(errand.spot, link, text=sentence)


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= 9):  # noqa: PLR2004 - far beyond
        raise UserError("A version is a number, such as 2.")
    return int(word)
