"""Who handles what: presses, commands, words, and what has no words."""

from collections import deque

from adapters.telegram_chat import wording
from adapters.telegram_chat.commands import Commands
from adapters.telegram_chat.events import Event, Pressed, Said
from adapters.telegram_chat.picker import Picker
from adapters.telegram_chat.talking import Talking

ALBUMS_KEPT = 64


class Desk:
    """Sends each event of one bot to the right place; `_albums` are those already spoken of."""

    def __init__(self, *, picker: Picker, commands: Commands, talking: Talking) -> None:
        self._picker = picker
        self._commands = commands
        self._talking = talking
        self._albums: deque[str] = deque(maxlen=ALBUMS_KEPT)

    async def handle(self, event: Event, *, is_late: bool) -> None:
        """Handle one event to its end."""
        match event:
            case Pressed():
                await self._picker.press(event)
            case Said(command="" | "talk"):
                await self._talk(event, is_late=is_late)
            case Said():
                await self._commands.run(event)

    async def _talk(self, said: Said, *, is_late: bool) -> None:
        if said.album:
            if said.album in self._albums:
                return  # one sentence for an album, not one for each of its photos
            self._albums.append(said.album)
        twin = await self._picker.current(said.spot)
        if twin is None:
            cards = await self._picker.cards()
            reply_to = 0 if said.spot.is_private else said.message_id
            question = wording.CHOOSE_FIRST if cards else wording.NOBODY
            await self._picker.show(said.spot, question, reply_to=reply_to)
            return
        await self._talking.talk(said, twin, is_late=is_late)
