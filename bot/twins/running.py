"""Replies that are being made now, and whoever asks for their end."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bot.domain.fields import Finish
from bot.ports.chat import Surface
from bot.ports.stores import Intent


@dataclass(slots=True, eq=False)
class Halt:
    """One running reply's end, should somebody ask for it.

    The first one who asks is named; but that nothing is to be kept counts whenever it is said.

    Attributes:
        asked: set when the engine has to stop after the token at hand.
        finish: `stopped`, `cut`, or None: then nothing of the reply is kept.
        by: id of the event that halts it (field `event.halt`).
    """

    intent: Intent
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    finish: Finish | None = None
    by: str = ""

    @property
    def dropped(self) -> bool:
        """Whether nothing of the reply may be kept, even if it is complete."""
        return self.asked.is_set() and self.finish is None


class RunningReplies:
    """Every reply that is being made, by its intent's key; owned by the event loop."""

    def __init__(self) -> None:
        self._halts: dict[str, Halt] = {}
        self._barred: dict[bytes, str] = {}  # twins that rest, and what ended them

    @contextmanager
    def running(self, intent: Intent) -> Iterator[Halt]:
        """Have an intent's reply among those that can be halted, for the block."""
        halt = self._halts[intent.key] = Halt(intent)
        if intent.twin in self._barred:  # admitted a moment before its twin was put to rest
            self._end(intent.key, Finish.CUT, self._barred[intent.twin])
        try:
            yield halt
        finally:
            del self._halts[intent.key]

    def all(self) -> list[Intent]:
        """Return the intents whose replies are being made."""
        return [halt.intent for halt in self._halts.values()]

    def answering(self, surface: Surface, message_id: str) -> list[Intent]:
        """Return those that answer a platform message, alone or with others."""
        return [
            intent
            for intent in self.all()
            if intent.message.surface == surface
            and message_id in {part.id for part in intent.parts}
        ]

    def stop(self, key: str, *, by: str) -> bool:
        """End a reply as its fan wishes; return False if it is not being made."""
        return self._end(key, Finish.STOPPED, by)

    def drop(self, key: str) -> bool:
        """End a reply of which nothing is to be kept; return False if it is not being made."""
        return self._end(key, None, "")

    def cut(self, twin: bytes, *, by: str, manifest: bytes | None = None) -> int:
        """End every reply of a twin, or of one version, as its creator orders; return how many."""
        keys = [
            key
            for key, halt in self._halts.items()
            if halt.intent.twin == twin and manifest in {None, halt.intent.manifest}
        ]
        return sum(self._end(key, Finish.CUT, by) for key in keys)

    def bar(self, twin: bytes, *, by: str) -> int:
        """Cut a twin's replies, and those that begin later, until `unbar`; return how many now."""
        self._barred[twin] = by
        return self.cut(twin, by=by)

    def unbar(self, twin: bytes) -> None:
        """Let a twin's replies be made again."""
        self._barred.pop(twin, None)

    def _end(self, key: str, finish: Finish | None, by: str) -> bool:
        halt = self._halts.get(key)
        if halt is None:
            return False
        if finish is None or not halt.asked.is_set():
            halt.finish, halt.by = finish, by
            halt.asked.set()
        return True
