"""The twins as this surface sees them: who there is, who speaks where, with which face."""

from dataclasses import dataclass

from adapters.discord_chat import texts
from bot.domain.errors import UnknownTwinError, UserError
from bot.ports.chat import ChatInbox
from bot.ports.discord_state import DiscordState
from bot.ports.views import TwinCard


@dataclass(frozen=True, slots=True)
class Face:
    """How a twin's messages look: its name, and where Discord finds its picture; empty for none."""

    name: str
    picture: str = ""


class Cards:
    """Asks the core for the live twins and the state for who was picked.

    Attributes:
        names: display names by slug as last seen, for what can't wait for a store.
    """

    def __init__(self, *, inbox: ChatInbox, state: DiscordState, public_base_url: str) -> None:
        self._inbox = inbox
        self._state = state
        self._base = public_base_url.rstrip("/")
        self.names: dict[str, str] = {}
        self._pictures: dict[str, str] = {}

    async def all(self) -> list[TwinCard]:
        """Return the live twins, and remember how they look."""
        cards = await self._inbox.twins()
        self.names = {card.slug: card.name for card in cards}
        self._pictures = {
            card.slug: f"{self._base}/twin/{card.slug}/avatar?v={card.version}"
            for card in cards
            if card.avatar
        }
        return cards

    async def card(self, slug: str) -> TwinCard:
        """Return a live twin.

        Raises:
            UnknownTwinError: there is none of that name.
        """
        for card in await self.all():
            if card.slug == slug:
                return card
        raise UnknownTwinError(texts.NO_SUCH_TWIN)

    async def name_of(self, slug: str) -> str:
        """Return the display name of a live twin; of others the slug.

        Why those don't answer, paused or revoked or never there, the core says when it is asked.
        """
        await self.all()
        return self.names.get(slug, slug)

    async def card_for(self, guild: str, chat: str) -> TwinCard:
        """Return the live twin of a place.

        Raises:
            UserError: none was picked and there are several, or the one picked is not live.
        """
        return await self.card(await self.slug_for(guild, chat))

    async def slug_for(self, guild: str, chat: str) -> str:
        """Return the twin of a place: the channel's, the server's, or the only one.

        Raises:
            UserError: none was picked and there are several.
        """
        picked = await self._state.picked(guild, chat)
        if picked is None and guild:
            picked = await self._state.picked(guild, "")
        if picked is not None:
            return picked
        cards = await self.all()
        if len(cards) == 1:
            return cards[0].slug
        raise UserError(texts.choose(cards))

    def face(self, slug: str, name: str) -> Face:
        """Return how a twin looks, by what was last seen of it."""
        return Face(name, self._pictures.get(slug, ""))
