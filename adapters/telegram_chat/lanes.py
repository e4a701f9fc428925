"""The replies in the works, by who asked for them where: their order, and whom a wish hits."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from adapters.telegram_chat.events import Spot
from bot.ports.chat import IncomingMessage

MAX_WAITING = 5  # replies to one fan in one place, the one being written included


@dataclass(slots=True, eq=False)
class Job:
    """One reply in the works.

    Attributes:
        message: what is answered.
        replaces: receipt of the reply that this one stands in for; empty for a first one.
        begun: set when the replies before it are in the chat.
        is_withdrawn: set when the fan has taken the message back: then nothing is shown.
    """

    message: IncomingMessage
    replaces: str = ""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_withdrawn: bool = False


class Lanes:
    """One lane for each fan in each place.

    The core decides what is answered together, so it gets all of a lane's messages at once; but
    their replies come into the chat one after the other. `_lanes` has the jobs in their order.
    """

    def __init__(self) -> None:
        self._lanes: dict[Spot, list[Job]] = {}

    def is_full(self, spot: Spot) -> bool:
        """Return whether a fan has to wait before more is taken."""
        return len(self._lanes.get(spot, ())) >= MAX_WAITING

    def jobs(self, spot: Spot) -> list[Job]:
        """Return what is in the works for a fan in a place, oldest first."""
        return list(self._lanes.get(spot, ()))

    def jobs_of(self, fan: int) -> list[Job]:
        """Return what is in the works for a fan anywhere."""
        return [job for spot, jobs in self._lanes.items() if spot.fan == fan for job in jobs]

    def is_written(self, chat: int, message_id: str) -> bool:
        """Return whether a reply to a message is in the works, whoever asked."""
        return any(
            job.message.message_id == message_id
            for spot, jobs in self._lanes.items()
            if spot.chat == chat
            for job in jobs
        )

    @asynccontextmanager
    async def lane(self, spot: Spot, job: Job) -> AsyncIterator[None]:
        """Have a job in a fan's lane; `job.begun` is set when those before it are over."""
        lane = self._lanes.setdefault(spot, [])
        before = lane[-1] if lane else None
        lane.append(job)
        follower = None
        if before is None:
            job.begun.set()
        else:
            follower = asyncio.create_task(_follow(before, job))
        try:
            yield
        finally:
            if follower is not None:
                if not job.begun.is_set():  # whoever comes next waits for those before as well
                    await asyncio.wait({follower})
                follower.cancel()
            lane.remove(job)
            if not lane:
                self._lanes.pop(spot, None)
            job.over.set()


@contextmanager
def withdrawn(jobs: Iterable[Job]) -> Iterator[None]:
    """Have jobs withdrawn if the block succeeds, and from its beginning."""
    marked = [job for job in jobs if not job.is_withdrawn]
    for job in marked:
        job.is_withdrawn = True
    try:
        yield
    except BaseException:
        for job in marked:
            job.is_withdrawn = False
        raise


async def _follow(before: Job, job: Job) -> None:
    await before.over.wait()
    job.begun.set()
