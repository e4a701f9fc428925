"""How a reply becomes Telegram messages: label, entities, and cuts within the platform's limits.

Telegram counts UTF-16 units: 4,096 a message, and 100 entities. The words of the reply stay as they
are, down to its Markdown marks: they are what the receipt proves. Code is only set in its own type.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from telegram import MessageEntity
from telegram.constants import MessageEntityType, MessageLimit

from bot.domain.wording import AI_LABEL

MAX_UNITS = int(MessageLimit.MAX_TEXT_LENGTH)
MAX_ENTITIES = int(MessageLimit.MESSAGE_ENTITIES)
_COUNTER_UNITS = len(" (999/999)\n")
_CODE = re.compile(r"(?P<pre>```.+?```)|(?P<code>`[^`\n]+`)", re.DOTALL)
_JOINERS = frozenset({"\u200d", "\ufe0e", "\ufe0f"})
_BREAKS = ("\n\n", "\n", ". ", "! ", "? ", " ")  # the best place for a cut comes first


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text in a type of its own; offsets count characters."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one platform message, with its marks."""

    text: str
    marks: tuple[Mark, ...] = ()

    @property
    def entities(self) -> list[MessageEntity]:
        """The marks as the platform wants them, in UTF-16 units."""
        return [
            MessageEntity(
                mark.kind,
                offset=count_units(self.text[: mark.start]),
                length=count_units(self.text[mark.start : mark.end]),
            )
            for mark in self.marks
        ]


def count_units(text: str) -> int:
    """Return the length in UTF-16 units."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)  # noqa: PLR2004 - the BMP


def compose_reply(name: str, text: str, *, small: str = "", note: str = "") -> list[Piece]:
    """Lay out a whole reply.

    Args:
        name: the twin's display name.
        text: the reply, never empty.
        small: small print below the last part, set in italics.
        note: a line below that.
    """
    below = "".join(f"\n\n{line}" for line in (small, note) if line)
    room = MAX_UNITS - count_units(_label(name) + below) - _COUNTER_UNITS
    own = 2 if small else 1
    bodies = split_text(Piece(text, find_code(text)), max_units=room, max_marks=MAX_ENTITIES - own)
    count = len(bodies)
    pieces = []
    for number, body in enumerate(bodies, start=1):
        counter = f" ({number}/{count})" if count > 1 else ""
        pieces.append(_labelled(name, counter, body))
    last = pieces[-1]
    marks = last.marks
    if small:
        start = len(last.text) + 2
        marks = (*marks, Mark(MessageEntityType.ITALIC, start, start + len(small)))
    return [*pieces[:-1], Piece(last.text + below, marks)]


def compose_preview(name: str, text: str) -> Piece:
    """Lay out a reply that still grows: its end, where the whole is too long for one message."""
    room = MAX_UNITS - count_units(_label(name)) - _COUNTER_UNITS
    while count_units(text) > room:
        text = "…" + text[count_units(text) - room + 1 :]
    return _labelled(name, "", Piece(text))


def find_code(text: str) -> tuple[Mark, ...]:
    """Return the stretches between backticks, the backticks included."""
    return tuple(
        Mark(
            MessageEntityType.PRE if match["pre"] else MessageEntityType.CODE,
            match.start(),
            match.end(),
        )
        for match in _CODE.finditer(text)
    )


def split_text(piece: Piece, *, max_units: int, max_marks: int) -> list[Piece]:
    """Cut a text into parts within both limits, at the end of a paragraph, sentence or word.

    No mark is cut unless it alone is too long; whitespace around a cut is dropped, nothing else.
    """
    parts, start = [], 0
    while start < len(piece.text):
        end = _reach(piece, start, max_units, max_marks)
        if end < len(piece.text):
            end = _cut(piece, start, end)
        part = _slice(piece, start, end)
        if part.text:
            parts.append(part)
        start = end
    return parts or [Piece("…")]


def _label(name: str) -> str:
    return f"{name} [{AI_LABEL}]"


def _labelled(name: str, counter: str, body: Piece) -> Piece:
    label = _label(name)
    head = f"{label}{counter}\n"
    moved = (
        replace(mark, start=mark.start + len(head), end=mark.end + len(head)) for mark in body.marks
    )
    return Piece(head + body.text, (Mark(MessageEntityType.BOLD, 0, len(label)), *moved))


def _reach(piece: Piece, start: int, max_units: int, max_marks: int) -> int:
    """Return how far a part that begins at `start` can go."""
    units, end = 0, start
    while end < len(piece.text):
        units += count_units(piece.text[end])
        if units > max_units:
            break
        end += 1
    inside = [mark for mark in piece.marks if mark.end > start]
    if len(inside) > max_marks:
        end = min(end, inside[max_marks].start)
    return end


def _cut(piece: Piece, start: int, limit: int) -> int:
    """Return the best place for a cut, at `limit` or before it."""
    for mark in piece.marks:
        if mark.start < limit < mark.end and mark.start > start:
            limit = mark.start
    floor = start + (limit - start) // 2
    for sign in _BREAKS:
        at = piece.text.rfind(sign, floor, limit)
        while at > floor and _is_inside_mark(piece, at + len(sign)):
            at = piece.text.rfind(sign, floor, at)
        if at > floor:
            return min(at + len(sign), limit)
    at = limit
    while at > floor and _holds_together(piece.text, at):
        at -= 1
    return at if at > floor else limit


def _is_inside_mark(piece: Piece, at: int) -> bool:
    return any(mark.start < at < mark.end for mark in piece.marks)


def _holds_together(text: str, at: int) -> bool:
    """Return whether the characters before and after `at` are drawn as one."""
    before, after = text[at - 1], text[at]
    return (
        unicodedata.combining(after) != 0
        or after in _JOINERS
        or before == "\u200d"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    )


def _slice(piece: Piece, start: int, end: int) -> Piece:
    """Return one part without the whitespace around it, its marks moved and clipped."""
    raw = piece.text[start:end]
    text = raw.strip()
    origin = start + len(raw) - len(raw.lstrip())
    marks = []
    for mark in piece.marks:
        first = max(mark.start - origin, 0)
        last = min(mark.end - origin, len(text))
        if first < last:
            marks.append(Mark(mark.kind, first, last))
    return Piece(text, tuple(marks))
