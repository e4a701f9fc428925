"""How often a twin speaks unasked in a channel, as those who manage it want."""

from bot.domain.turn_taking import speaks_unasked
from bot.ports.discord_state import DiscordState

REMEMBERED = 65_536


class Talkativeness:
    """Percentages by channel, kept in memory: every message in every channel asks for one."""

    def __init__(self, state: DiscordState) -> None:
        self._state = state
        self._percents: dict[tuple[str, str], int] = {}

    async def of(self, guild: str, channel: str) -> int:
        """Return how many of a hundred messages a twin answers unasked."""
        place = (guild, channel)
        if place not in self._percents:
            if len(self._percents) >= REMEMBERED:
                self._percents.clear()
            self._percents[place] = await self._state.talkativeness(guild, channel)
        return self._percents[place]

    async def choose(self, guild: str, channel: str, percent: int) -> None:
        """Keep another percentage."""
        await self._state.set_talkativeness(guild, channel, percent)
        self._percents[guild, channel] = percent

    async def speaks(self, guild: str, channel: str, message: str) -> bool:
        """Say whether a twin answers a message that was not meant for it."""
        percent = await self.of(guild, channel)
        return percent > 0 and speaks_unasked(message, percent)
