"""How often each address has asked for what does not work, lately.

It hides nothing and guards no secret; it tells a broken client to slow down.
"""

import asyncio
from collections import OrderedDict
from typing import Final

from adapters.web.guard import Refusal, RefusedRequestError

TRIES: Final = 30
WITHIN_S: Final = 60.0
_MAX_ADDRESSES = 1024


class WrongTries:
    """Counts by address; `sentence` is what one hears who has to wait."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, address: str | None) -> None:
        """Refuse an address with too many wrong tries."""
        wrong = self._recent(address)
        if len(wrong) < TRIES:
            return
        wait = wrong[0] + WITHIN_S - _now()
        raise RefusedRequestError(Refusal(429, self._sentence, retry_after_s=wait))

    def count(self, address: str | None) -> None:
        """Remember one wrong try."""
        self._wrong[address or ""] = [*self._recent(address), _now()]
        self._wrong.move_to_end(address or "")
        if len(self._wrong) > _MAX_ADDRESSES:
            self._wrong.popitem(last=False)

    def _recent(self, address: str | None) -> list[float]:
        since = _now() - WITHIN_S
        return [moment for moment in self._wrong.get(address or "", []) if moment > since]


def _now() -> float:
    return asyncio.get_running_loop().time()
