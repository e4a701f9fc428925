"""Who may use the one connection, and which writers' work is committed together.

One coroutine at a time has the turn. Writers that wait while a group is open join it, one after the
other; when none is left, or the group is full, the group ends. Whoever must see committed work
alone, as readers must, gets a turn between groups. Among those who may go, the oldest goes first,
so that neither readers nor writers starve.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

from bot.domain.errors import BotError, StoreBusyError

MAX_MEMBERS = 256
MAX_OPEN_S = 0.05  # the first member waits for the last: it must not wait long


class Group:
    """Writers whose work is one transaction of the file; owned by whoever has the turn."""

    def __init__(self) -> None:
        self.members = 0
        self._begun = asyncio.get_running_loop().time()
        self._done = asyncio.Event()
        self._error: tuple[type[BotError], str] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nobody else may join."""
        age = asyncio.get_running_loop().time() - self._begun
        return self.members >= MAX_MEMBERS or age >= MAX_OPEN_S

    def end(self, error: BotError | None = None) -> None:
        """Tell the members that their work is durable, or why none of it is there."""
        if error is not None:
            self._error = (type(error), str(error))
        self._done.set()

    async def wait(self) -> None:
        """Return when the members' work is durable.

        Whoever is cancelled meanwhile learns of it after the end: their work stays in the group.

        Raises:
            BotError: nothing of the group is there.
        """
        cancelled: asyncio.CancelledError | None = None
        while not self._done.is_set():
            try:
                await self._done.wait()
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            kind, sentence = self._error
            raise kind(sentence)


class Turns:
    """Hands the connection on.

    Args:
        end: ends the group that is open; it is called with the turn, in a task of its own, so that
            nobody's cancellation stops it.
    """

    def __init__(self, end: Callable[[Group], Coroutine[None, None, None]]) -> None:
        self.group: Group | None = None
        self._end = end
        self._is_taken = False
        self._tickets = 0
        self._alone: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._joining: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._ending: asyncio.Task[None] | None = None  # kept: the loop holds tasks weakly

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Have the turn between two groups."""
        await self._take(self._alone)
        try:
            yield
        finally:
            self._pass_on()

    @asynccontextmanager
    async def joining(self) -> AsyncIterator[None]:
        """Have the turn in the group that is open, or in none."""
        await self._take(self._joining)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, queue: deque[tuple[int, asyncio.Future[None]]]) -> None:
        if not self._is_taken:  # then no group is open: who leaves one open has it ended
            self._is_taken = True
            return
        self._tickets += 1
        waiting = asyncio.get_running_loop().create_future()
        queue.append((self._tickets, waiting))
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():  # the turn was given to us meanwhile
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        """Give the turn to who is next: with a group open a writer, else whoever waits longest."""
        for queue in (self._alone, self._joining):
            while queue and queue[0][1].done():  # they were cancelled
                queue.popleft()
        if self.group is None:
            waiting = [queue for queue in (self._alone, self._joining) if queue]
            oldest = min(waiting, key=lambda queue: queue[0][0], default=None)
        else:
            oldest = self._joining if self._joining and not self.group.is_full else None
        if oldest is not None:
            oldest.popleft()[1].set_result(None)
        elif self.group is None:
            self._is_taken = False
        else:
            self._ending = asyncio.create_task(self._run_end(self.group))
            self._ending.add_done_callback(self._after_end)

    async def _run_end(self, group: Group) -> None:
        """End the group, unless somebody has come between the last member's leaving and now.

        That is the rule under load: all members of the group before go on at the same time.
        """
        if group.is_full or all(waiting.done() for _, waiting in self._joining):
            self.group = None
            await self._end(group)

    def _after_end(self, ending: asyncio.Task[None]) -> None:
        """Pass the turn on, whatever has become of the end; nobody waits for one that never ran."""
        if ending.cancelled() and self.group is not None:
            group, self.group = self.group, None
            group.end(StoreBusyError("the program ended before this was written"))
        self._pass_on()
