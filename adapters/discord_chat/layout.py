"""How a reply looks: parts of at most 2,000 characters, code fences whole, the label last."""

import re
from dataclasses import dataclass

from bot.domain.money import format_nano
from bot.domain.wording import AI_LABEL
from bot.ports.chat import ReplyShown

PLATFORM_CHARACTERS = 2000
# Room for the label of the last part. Cutting at a fixed length keeps parts as they are while the
# text grows: only the last one changes.
PART_CHARACTERS = 1700
MIN_PART_CHARACTERS = 850
NAME_CHARACTERS = 80
# Discord ends a code block at the next three backticks, wherever they stand.
_FENCE = re.compile(r"```([A-Za-z0-9_+.#-]*)")
_BREAKS = ("\n\n", "\n", ". ", " ")
_ENDS = {"stopped": " · stopped", "cut": " · cut off by its creator"}
_FORBIDDEN_IN_NAMES = re.compile(r"(cly|disc)(de|ord)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """What stands around a reply's text.

    Attributes:
        name: the twin's display name.
        header: lines above the text, with their line end, or empty.
        private: whether only the fan reads this place, so that the link may carry its key.
    """

    name: str
    header: str
    private: bool

    def growing(self, text: str) -> list[str]:
        """Return the parts of a reply that is not finished."""
        return self._parts(text, f"-# {AI_LABEL} {self.name} is writing …")

    def final(self, reply: ReplyShown) -> list[str]:
        """Return the parts of a finished reply."""
        link = reply.link if self.private else reply.public_link
        fee = f"{format_nano(reply.fee_nano)} {reply.token}"
        end = _ENDS.get(reply.finish, "")
        label = f"-# {AI_LABEL} {self.name}{end} · [proof](<{link}>) · {fee}"
        return self._parts(reply.text, label + (" refunded" if reply.finish == "cut" else ""))

    def _parts(self, text: str, label: str) -> list[str]:
        parts = split_text(self.header + text)
        if len(parts[-1]) + 1 + len(label) > PLATFORM_CHARACTERS:
            return [*parts, label]
        parts[-1] = f"{parts[-1]}\n{label}".lstrip()
        return parts


def split_text(text: str) -> list[str]:
    """Cut a text into parts; a code fence that is cut is closed and opened again.

    The parts of a longer text begin with the same ones, but for the last.
    """
    parts: list[str] = []
    rest = text.strip()
    reopened = ""
    while len(reopened) + len(rest) > PART_CHARACTERS:
        room = PART_CHARACTERS - len(reopened)
        cut = _cut(rest, room)
        part, rest = reopened + rest[:cut].rstrip(), rest[cut:].lstrip("\n")
        reopened = _open_fence(part)
        parts.append(_closed(part))
    parts.append(_closed(reopened + rest))
    return parts


def _cut(rest: str, room: int) -> int:
    """Return where to cut: after a paragraph, line, sentence or word; else at the end."""
    for mark in _BREAKS:
        found = rest.rfind(mark, MIN_PART_CHARACTERS, room)
        if found >= 0:
            return found + len(mark)
    while room > 1 and rest[room - 1] == rest[room] == "`":
        room -= 1
    return room


def _open_fence(part: str) -> str:
    """Return the line that opens the fence in which a part ends; empty outside of fences."""
    fences = _FENCE.findall(part)
    return f"```{fences[-1]}\n" if len(fences) % 2 else ""


def _closed(part: str) -> str:
    return f"{part}\n```" if _open_fence(part) else part


def webhook_name(name: str) -> str:
    """Return a name that the platform takes for a webhook: no word that it keeps for itself."""
    shown = _FORBIDDEN_IN_NAMES.sub("\\1\u200a\\2", name).strip()
    suffix = f" ({AI_LABEL})"
    return shown[: NAME_CHARACTERS - len(suffix)] + suffix
