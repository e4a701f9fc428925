"""The fans' commands."""

from collections.abc import Awaitable, Callable
from typing import Any

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import ExtBot

from adapters.telegram_chat import money_words, wording
from adapters.telegram_chat.credit.disputes import WRONG
from adapters.telegram_chat.credit.hints import MONEY_PREFIX
from adapters.telegram_chat.delivery import PLATFORM, PROOF_PREFIX
from adapters.telegram_chat.events import ADDED, Author, Said
from adapters.telegram_chat.picker import Picker
from adapters.telegram_chat.sending import Sender
from bot.ports.chat import ChatInbox
from bot.ports.credit import FanCredit
from bot.ports.proofs import ProofSource
from bot.ports.telegram_state import TelegramState

TWIN_PREFIX = "twin_"


class Commands:
    """Answers the commands that tell something; those that do something have rooms of their own."""

    def __init__(
        self,
        *,
        bot: ExtBot[Any],
        sender: Sender,
        picker: Picker,
        inbox: ChatInbox,
        proofs: ProofSource,
        state: TelegramState,
        base_url: str,
        has_creators: bool,
        credit: FanCredit | None,
    ) -> None:
        self._bot = bot
        self._sender = sender
        self._picker = picker
        self._inbox = inbox
        self._proofs = proofs
        self._state = state
        self._base_url = base_url
        self._has_creators = has_creators
        self._credit = credit
        self._table: dict[str, Callable[[Said], Awaitable[None]]] = {
            "start": self._start,
            "twins": self._twins,
            "twin": self._twin,
            "verify": self._verify,
            "about": self._about,
            "privacy": self._privacy,
            "terms": self._terms,
            "help": self._help,
            ADDED: self._added,
        }

    async def run(self, said: Said) -> None:
        """Answer one command; a name that does not exist gets a sentence too."""
        command = self._table.get(said.command)
        if command is None:
            await self._say(said, wording.unknown_command(said.command))
            return
        await command(said)

    async def _start(self, said: Said) -> None:
        payload = (said.text or "").strip()
        if payload.startswith(PROOF_PREFIX):
            await self._give_link(said, payload[len(PROOF_PREFIX) :])
            return
        if payload.startswith(TWIN_PREFIX) and self._picker.solo is None:
            await self._choose(said, payload[len(TWIN_PREFIX) :])
            return
        cards = await self._picker.cards()
        solo = self._picker.solo is not None
        greeting = wording.welcome(cards, solo=solo)
        choice = wording.CHOOSE if cards else await self._picker.nobody()
        text = greeting if solo and cards else f"{greeting}\n\n{choice}"
        await self._picker.show(said.spot, text, reply_to=_reply_to(said))

    async def _twins(self, said: Said) -> None:
        cards = await self._picker.cards()
        if not cards:
            await self._say(said, await self._picker.nobody())
        elif self._picker.solo is not None:
            await self._say(said, wording.introduce(cards[0]))
        else:
            text = wording.list_twins(cards)
            await self._picker.show(said.spot, text, reply_to=_reply_to(said))

    async def _twin(self, said: Said) -> None:
        name = (said.text or "").strip()
        if not name:
            await self._twins(said)
            return
        await self._choose(said, name)

    async def _choose(self, said: Said, name: str) -> None:
        card = await self._picker.pick(said.spot, name)
        if card is not None:
            await self._say(said, wording.introduce(card))
            return
        cards = await self._picker.cards()
        solo = self._picker.solo is not None and cards
        await self._say(
            said, wording.only_one(cards[0].name) if solo else wording.unknown_twin(name)
        )

    async def _give_link(self, said: Said, receipt_id: str) -> None:
        """Give the link with the key to the author of the message, and to nobody else."""
        parts = await self._state.parts(str(self._bot.id), receipt_id)
        if not parts:
            await self._say(said, wording.PROOF_GONE)
        elif parts[0].fan != str(said.spot.fan) or not said.spot.is_private:
            await self._say(said, wording.PROOF_NOT_YOURS)
        else:
            await self._say(
                said, await self._inbox.link_of(receipt_id, PLATFORM, str(said.spot.fan))
            )

    async def _verify(self, said: Said) -> None:
        if said.replied_id == 0:
            await self._say(said, wording.VERIFY_HOW)
            return
        if said.replied_author is not Author.US:
            forwarded = said.replied_author is Author.FORWARDED
            await self._say(said, wording.FORWARDED if forwarded else wording.NOT_OURS)
            return
        chat, number = str(said.spot.chat), str(said.replied_id)
        part = await self._state.find_part(str(self._bot.id), chat, number)
        if part is None:
            await self._say(said, wording.SERVICE_MESSAGE)
            return
        proved = await self._proofs.bundle(part.receipt_id) is not None
        link = f"{self._base_url}/r/{part.receipt_id}"
        verdict = wording.genuine(part.twin, part.receipt_id, proved=proved)
        buttons = None
        if self._credit is not None and said.spot.is_private:
            data = MONEY_PREFIX + WRONG + part.receipt_id
            button = InlineKeyboardButton(money_words.WRONG, callback_data=data)
            buttons = InlineKeyboardMarkup([[button]])
        text = f"{verdict}\n{link}"
        await self._sender.say(said.spot, text, buttons=buttons, reply_to=_reply_to(said))

    async def _about(self, said: Said) -> None:
        await self._say(
            said, wording.about_text(reads_all=self._reads_all(), base_url=self._base_url)
        )

    async def _privacy(self, said: Said) -> None:
        await self._say(said, wording.privacy_text(base_url=self._base_url))

    async def _terms(self, said: Said) -> None:
        sells = self._credit is not None and bool(await self._credit.offers(PLATFORM))
        await self._say(said, wording.terms_text(base_url=self._base_url, sells=sells))

    async def _help(self, said: Said) -> None:
        offered = wording.commands(
            solo=self._picker.solo is not None,
            creators=self._has_creators,
            credit=self._credit is not None,
        )
        await self._say(said, wording.help_text(offered, username=self._bot.username))

    async def _added(self, said: Said) -> None:
        await self._say(
            said, wording.added_text(reads_all=self._reads_all(), username=self._bot.username)
        )

    def _reads_all(self) -> bool:
        return bool(self._bot.bot.can_read_all_group_messages)

    async def _say(self, said: Said, text: str) -> None:
        await self._sender.say(said.spot, text, reply_to=_reply_to(said))


def _reply_to(said: Said) -> int:
    """In a group an answer names its question."""
    return 0 if said.spot.is_private or said.command == ADDED else said.message_id
