"""What of the generated tokens becomes text: output policy `stop-repeat/1` (formats.md section 5).

The same code streams a reply and recomputes it in a replay. Streaming runs a little behind
generation: nothing is shown that a stop string, an unfinished character or trimming takes back.
"""

from dataclasses import dataclass, field

EMPTY_REPLY = "…"


def decode_text(data: bytes) -> str:
    """Return the text of joined token bytes: malformed UTF-8 dropped, outer whitespace removed."""
    return data.decode("utf-8", errors="ignore").strip()


def _earliest_stop(text: str, stop_strings: tuple[str, ...]) -> int | None:
    found = [at for at in (text.find(stop) for stop in stop_strings) if at >= 0]
    return min(found) if found else None


def _held_back(text: str, stop_strings: tuple[str, ...]) -> int:
    """Count the trailing characters that may still turn out to begin a stop string."""
    longest = 0
    for stop in stop_strings:
        for size in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:size]):
                longest = size
                break
    return longest


@dataclass(slots=True)
class OutputText:
    """Text of one generation as it grows; owned by the loop that generates.

    Attributes:
        stop_strings: texts before which the reply is cut.
    """

    stop_strings: tuple[str, ...]
    _data: bytearray = field(default_factory=bytearray)
    _shown: int = 0

    def append(self, piece: bytes) -> bool:
        """Take the bytes of one more token; return whether a stop string is now complete."""
        self._data += piece
        return _earliest_stop(decode_text(bytes(self._data)), self.stop_strings) is not None

    def showable(self) -> str:
        """Return text that may be shown now and has not been returned before."""
        text = decode_text(bytes(self._data))
        safe = text[: len(text) - _held_back(text, self.stop_strings)].rstrip()
        piece, self._shown = safe[self._shown :], max(self._shown, len(safe))
        return piece

    def final(self) -> str:
        """Return the whole reply, cut and trimmed; never empty."""
        text = decode_text(bytes(self._data))
        cut = _earliest_stop(text, self.stop_strings)
        if cut is not None:
            text = text[:cut].rstrip()
        return text or EMPTY_REPLY

    def rest(self) -> str:
        """Return what of the final text has not been shown yet."""
        return self.final()[self._shown :]
