"""Which messages are being answered, were answered, or were taken back; all by their ids."""

import asyncio
from collections import OrderedDict
from contextlib import suppress
from typing import TypeVar

from bot.ports.chat import Surface

REMEMBERED = 4096
_T = TypeVar("_T")


class Claims:
    """Lets each message be answered by one task, once, and never after it was deleted.

    `_seen`, `_withdrawn` and `_merged` hold the last ids, so that events which come twice or in
    the wrong order do nothing.
    """

    def __init__(self) -> None:
        self._running: dict[str, Surface] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._withdrawn: OrderedDict[str, None] = OrderedDict()
        self._merged: OrderedDict[str, str] = OrderedDict()
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def claim(self, asked: str, surface: Surface) -> bool:
        """Take a message for answering; False if it was taken before, or nothing is taken now."""
        if self._is_closed or asked in self._seen or asked in self._withdrawn:
            return False
        _remember(self._seen, asked, None)
        return self.hold(asked, surface)

    def hold(self, asked: str, surface: Surface) -> bool:
        """Take a message whose answer is to be changed; False if somebody is at it."""
        if self._is_closed or asked in self._running:
            return False
        self._running[asked] = surface
        self._idle.clear()
        return True

    def release(self, asked: str) -> None:
        """Say that a message is done with."""
        self._running.pop(asked, None)
        if not self._running:
            self._idle.set()

    def is_running(self, asked: str) -> bool:
        """Say whether a message is being answered."""
        return asked in self._running

    def running_in(self, chat: str, thread: str | None) -> list[tuple[str, Surface]]:
        """Return what is being answered in a channel; None: in it and all its threads."""
        return [
            (asked, surface)
            for asked, surface in self._running.items()
            if surface.chat == chat and thread in {None, surface.thread}
        ]

    def merge(self, asked: str, into: str) -> None:
        """Remember that a message is answered together with an earlier one."""
        _remember(self._merged, asked, into)

    def withdraw(self, asked: str) -> list[str]:
        """Mark a message as taken back; return it and the one that it was answered with."""
        turn = [asked, self._merged[asked]] if asked in self._merged else [asked]
        for one in turn:
            _remember(self._withdrawn, one, None)
        return turn

    def is_withdrawn(self, asked: str) -> bool:
        """Say whether a message was taken back."""
        return asked in self._withdrawn

    async def drain(self, *, within_s: float) -> None:
        """Take nothing more and wait until nothing is being answered, but not for ever."""
        self._is_closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()


def _remember(memory: OrderedDict[str, _T], key: str, value: _T) -> None:
    memory[key] = value
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
