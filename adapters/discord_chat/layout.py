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
# What opens or closes a span, what is never cut (links), and what ends all spans (a paragraph).
_TOKEN = re.compile(
    r"(?P<atom>\\[\\*_~|`\[]|<?https?://[^\s<>)]+>?|\[[^\]\n]{1,300}\]\([^)\s]{1,600}\))"
    r"|(?P<code>```(?:[A-Za-z0-9_+.#-]{0,20}\n)?|``?)"
    r"|(?P<mark>\*\*|__|~~|\|\||\*|(?<![^\W_])_|_(?![^\W_]))"
    r"|(?P<paragraph>\n\n)"
)
# A link whose end lies beyond the limit.
_CUT_LINK = re.compile(r"\[[^\]\n]{0,300}(?:\](?:\([^)\s]{0,600})?)?\Z")
MARK_OF_FENCE = 3
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


@dataclass(frozen=True, slots=True)
class _Span:
    """What is better not cut: code, emphasis, a link; `end` is None while it is open."""

    start: int
    mark: str
    end: int | None = None

    @property
    def is_fence(self) -> bool:
        return self.mark.startswith("```")

    @property
    def closing(self) -> str:
        return "\n```" if self.is_fence else self.mark

    @property
    def opening(self) -> str:
        return self.mark.rstrip() + "\n" if self.is_fence else self.mark


def split_text(text: str) -> list[str]:
    """Cut a text into parts, outside of Markdown's spans; one that is too long is opened again.

    The parts of a longer text begin with the same ones, but for the last.
    """
    parts: list[str] = []
    rest = text.strip()
    reopened = ""
    while len(rest) > PART_CHARACTERS:
        cut = _cut(rest[: PART_CHARACTERS + 1])
        part, rest = rest[:cut].rstrip(), rest[cut:].lstrip("\n")
        still_open = [span for span in _spans(part) if span.end is None]
        parts.append(part + "".join(span.closing for span in reversed(still_open)))
        reopened = "".join(span.opening for span in still_open)
        rest = reopened + rest
    # A lone mark in the text stays as it was written; one that we have written is closed.
    ours = [s for s in _spans(rest) if s.end is None and (s.is_fence or s.start < len(reopened))]
    parts.append(rest + "".join(span.closing for span in reversed(ours)))
    return parts


def _cut(window: str) -> int:
    """Return where to cut: after a paragraph, line, sentence or word; else at the end."""
    spans = _spans(window)
    kept = [(s.start, s.end or len(window)) for s in spans if not s.is_fence]
    if link := _CUT_LINK.search(window):
        kept.append((link.start(), len(window)))
    for inside in (False, True):
        for mark in _BREAKS:
            found = window.rfind(mark, MIN_PART_CHARACTERS, PART_CHARACTERS)
            while found >= 0:
                cut = found + len(mark)
                if inside or not any(start < cut < end for start, end in kept):
                    return cut
                found = window.rfind(mark, MIN_PART_CHARACTERS, found)
        starts = [start for start, end in kept if start < PART_CHARACTERS < end]
        if starts and min(starts) >= MIN_PART_CHARACTERS:
            return min(starts)
    cut = PART_CHARACTERS
    while window[cut - 1] == window[cut] and window[cut] in "`*_~|":  # no mark in two
        cut -= 1
    return cut if cut >= MIN_PART_CHARACTERS else PART_CHARACTERS


def _spans(text: str) -> list[_Span]:
    """Find the spans of a text, in order of their end; those that are open come last."""
    closed: list[_Span] = []
    still_open: list[_Span] = []
    at = 0
    while found := _TOKEN.search(text, at):
        at, mark = found.end(), found[0]
        if found["atom"]:
            closed.append(_Span(found.start(), "", at))
        elif found["paragraph"]:
            still_open.clear()
        elif found["code"]:
            # Discord ends code at the next such mark, wherever it stands.
            end = text.find(mark.rstrip() if len(mark) < MARK_OF_FENCE else "```", at)
            if end >= 0:
                at = end + min(len(mark), MARK_OF_FENCE)
                closed.append(_Span(found.start(), mark, at))
            elif mark.startswith("```") or "\n\n" not in text[at:]:
                return [*closed, *still_open, _Span(found.start(), mark)]
        else:
            _take_mark(text, found, closed, still_open)
    return closed + still_open


def _take_mark(
    text: str, found: re.Match[str], closed: list[_Span], still_open: list[_Span]
) -> None:
    """Close the span that a mark closes, or open the one that it opens."""
    before, after = text[: found.start()][-1:], text[found.end() :][:1]
    marks = [span.mark for span in still_open]
    if found[0] in marks:
        if before.strip():
            place = marks.index(found[0])
            closed.append(_Span(still_open[place].start, found[0], found.end()))
            del still_open[place:]
    elif after.strip():
        still_open.append(_Span(found.start(), found[0]))


def webhook_name(name: str) -> str:
    """Return a name that the platform takes for a webhook: no word that it keeps for itself."""
    shown = _FORBIDDEN_IN_NAMES.sub("\\1\u200a\\2", name).strip()
    suffix = f" ({AI_LABEL})"
    return shown[: NAME_CHARACTERS - len(suffix)] + suffix
