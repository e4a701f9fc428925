"""First signs of life: in a rush everybody gets theirs before anything else is worked on.

One process answers all bots. When many people write at the same moment, asking the core for the
first of them would keep the last ones waiting for so much as a "typing"; so the core waits, for a
second at most, until all but a few have seen a sign, and so do the later drafts of others.
"""

import asyncio

FEW = 16  # so many may wait for their first sign before it is a rush
RUSH_S = 1.0
DRAFTS_AT_ONCE = 16  # of all bots together; a quarter of their connections

Key = tuple[str, str, str]  # bot, chat and number of the message that is answered


class Signs:
    """Who waits for a first sign, and how many previews are under way, of all bots together."""

    def __init__(self) -> None:
        self._waiting: set[Key] = set()
        self._calm = asyncio.Event()
        self._calm.set()
        self._under_way = 0

    @property
    def is_rush(self) -> bool:
        """Whether more than a few wait for their first sign."""
        return not self._calm.is_set()

    @property
    def is_crowded(self) -> bool:
        """Whether there is no room for drafts that are not first signs."""
        return self.is_rush or self._under_way >= DRAFTS_AT_ONCE

    def expect(self, key: Key) -> None:
        """Note that somebody has written and waits for a sign."""
        self._waiting.add(key)
        if len(self._waiting) > FEW:
            self._calm.clear()

    def seen(self, key: Key) -> None:
        """Note that they have seen one, or that none will come; as often as one likes."""
        self._waiting.discard(key)
        if len(self._waiting) <= FEW:
            self._calm.set()

    def forget(self, bot: str) -> None:
        """Note that nobody waits for this bot any more."""
        for key in [key for key in self._waiting if key[0] == bot]:
            self.seen(key)

    async def wait_for_calm(self) -> None:
        """Wait until a rush is over, for a moment at most; whoever comes first goes on first."""
        if self._calm.is_set():
            await asyncio.sleep(0)  # behind those whom the end of a rush has just woken
            return
        try:
            async with asyncio.timeout(RUSH_S):
                await self._calm.wait()
        except TimeoutError:
            return

    def __enter__(self) -> None:
        """Count a preview that is under way."""
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        """Count it no more."""
        self._under_way -= 1
