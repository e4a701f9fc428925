"""How often bots answer in a group what nobody asked them; administrators decide."""

from typing import Any

from telegram.constants import ChatMemberStatus
from telegram.ext import ExtBot

from adapters.telegram_chat import texts
from adapters.telegram_chat.events import Said, Spot
from adapters.telegram_chat.mapping import Failure
from adapters.telegram_chat.sending import Sender
from bot.domain.turn_taking import PERCENT, speaks_unasked
from bot.ports.telegram_state import TelegramState

CHATS_KEPT = 4096
_MANAGES = frozenset({ChatMemberStatus.OWNER, ChatMemberStatus.ADMINISTRATOR})


class GroupTurns:
    """Whose turn it is in a group, for all bots of this process.

    `_percents` is what the store says, for groups that were heard of lately.
    """

    def __init__(self, state: TelegramState) -> None:
        self._state = state
        self._percents: dict[str, dict[str, int]] = {}

    async def speaks(self, bot: str, said: Said) -> bool:
        """Return whether a bot answers a message that is addressed to nobody.

        Of several talkative bots in a group one has the turn, and for one message it is always the
        same: they are told of it with the same number, as groups of today (supergroups, whose
        numbers are below -10^12) number their messages for all alike. Elsewhere the first has it.
        """
        chat = str(said.spot.chat)
        if chat not in self._percents:
            if len(self._percents) >= CHATS_KEPT:
                self._percents.clear()
            self._percents[chat] = await self._state.talkative(chat)
        percents = self._percents[chat]
        if bot not in percents:
            return False
        bots = sorted(percents)
        turn = said.message_id % len(bots) if _is_supergroup(said.spot) else 0
        return bots[turn] == bot and speaks_unasked(f"{chat}/{said.message_id}", percents[bot])

    async def change(self, bot: str, chat: str, percent: int) -> None:
        """Keep a new percentage."""
        await self._state.set_talkative(bot, chat, percent)
        self._percents.pop(chat, None)


class Talkativeness:
    """The command of one bot."""

    def __init__(self, *, bot: ExtBot[Any], sender: Sender, turns: GroupTurns) -> None:
        self._bot = bot
        self._sender = sender
        self._turns = turns

    async def command(self, said: Said) -> None:
        """Change the percentage, if an administrator says so and it can have an effect."""
        text = await self._change(said)
        reply_to = 0 if said.spot.is_private else said.message_id
        await self._sender.say(said.spot, text, reply_to=reply_to)

    async def _change(self, said: Said) -> str:
        if said.spot.is_private:
            return texts.TALKATIVE_IN_GROUPS
        wanted = (said.text or "").strip().removesuffix("%")
        if not (wanted.isascii() and wanted.isdecimal() and int(wanted) <= PERCENT):
            return texts.TALKATIVE_HOW
        if not self._bot.bot.can_read_all_group_messages:
            return texts.TALKATIVE_BLIND
        member = await self._sender.attempt(
            "getChatMember", lambda: self._bot.get_chat_member(said.spot.chat, said.spot.fan)
        )
        if isinstance(member, Failure):
            return texts.TALKATIVE_UNSEEN
        if member.status not in _MANAGES:
            return texts.TALKATIVE_ADMINS
        await self._turns.change(str(self._bot.id), str(said.spot.chat), int(wanted))
        return texts.talkative(int(wanted))


def _is_supergroup(spot: Spot) -> bool:
    return spot.chat <= -(10**12)
