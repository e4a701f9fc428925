"""A card's prose as a persona's lines: macros replaced, lines cleaned, split and counted; pure."""

import re
from collections.abc import Callable, Iterator

from bot.creators.hidden import HIDDEN
from bot.domain.persona import MAX_LINE, MAX_LINES, MAX_NAME, MAX_ROLE, Example
from bot.domain.reading import BREAKING, FORMATTING

MAX_FACT_BYTES = 40 * 1024
MAX_EXAMPLE_BYTES = 12 * 1024
MAX_TEXT = 100_000
FAN_IN_FACTS, FAN_IN_EXAMPLES = "the fan", "friend"
_LINES = re.compile(r"[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_BULLET = re.compile(r"^(?:[-*•]\s+)+")
_USER = re.compile(r"\{\{user\}\}|<user>", re.IGNORECASE)
_CHAR = re.compile(r"\{\{char\}\}|<bot>|<char>", re.IGNORECASE)
_CHOICE = re.compile(
    r"\{\{(?:random|pick):{1,2}([^{},:]{0,1000}+)[^{}]{0,1000}+\}\}", re.IGNORECASE
)
_DROPPED = re.compile(
    r"\{\{(?:roll|//|comment:|hidden_key:|reverse:|original)[^{}]{0,1000}+\}\}", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_LABEL = re.compile(r"^[\w ]{1,30}:")
_START = re.compile(r"<start>", re.IGNORECASE)
_SPEAKER = re.compile(r"^(\{\{user\}\}|<user>|\{\{char\}\}|<bot>|<char>)\s*:\s*", re.IGNORECASE)


class CardReader:
    """Reads the texts of one card; `notes` grows with what had to be changed, once each."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.notes: list[str] = []

    def note(self, sentence: str) -> None:
        """Tell the creator something, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def title(self, text: str, maximum: int, field: str) -> str:
        """Return a text as one line without invisible characters; empty if nothing is left."""
        clean = " ".join(FORMATTING.sub("", BREAKING.sub(" ", text)).split())
        if len(clean) > maximum:
            self.note(f"The {field} was cut to {maximum} characters.")
            clean = clean[:maximum].rpartition(" ")[0] or clean[:maximum]
        return clean

    def role_and_facts(self, texts: list[str]) -> tuple[str, tuple[str, ...]]:
        """Return a role (perhaps empty) and facts from a card's descriptive texts.

        The role is the first sentence, without `NAME is`, if it is a sentence; all else is facts.
        """
        lines = [line for text in texts for line in self._lines(self._bounded(text))]
        if not lines:
            return "", ()
        first, *rest = _SENTENCE_END.split(lines[0], maxsplit=1)
        role = self._role(first)
        if role:
            lines[:1] = rest
        return role, self._facts(lines)

    def examples(self, text: str) -> tuple[Example, ...]:
        """Return the exchanges of a card: a fan's words and the twin's after them."""
        found: list[Example] = []
        used = 0
        for fan, twin in self._exchanges(text):
            used += len(fan.encode()) + len(twin.encode())
            if len(found) == MAX_LINES or used > MAX_EXAMPLE_BYTES:
                self.note(f"Only the first {len(found)} examples were taken.")
                break
            found.append(Example(fan, twin))
        return tuple(found)

    def _bounded(self, text: str) -> str:
        if len(text) > MAX_TEXT:
            self.note(f"Of a text, only the first {MAX_TEXT:,} characters were read.")
        return text[:MAX_TEXT]

    def _role(self, sentence: str) -> str:
        names = rf"(?:{re.escape(self._name)}|I|you|he|she|they)"
        role = re.sub(rf"^{names}\s+(?:is|am|are)\s+", "", sentence, flags=re.IGNORECASE)
        role = self.title(role, len(role) + 1, "role").rstrip(".!…").rstrip()
        if not role or role[0] in '[{("' or _LABEL.match(role) or len(role) > MAX_ROLE:
            return ""
        return role

    def _facts(self, lines: list[str]) -> tuple[str, ...]:
        facts: list[str] = []
        used = 0
        for fact in (piece for line in lines for piece in self._pieces(line)):
            used += len(fact.encode())
            if len(facts) == MAX_LINES or used > MAX_FACT_BYTES:
                self.note(f"Only the first {len(facts)} facts were taken.")
                break
            facts.append(fact)
        return tuple(facts)

    def _pieces(self, line: str) -> Iterator[str]:
        """Yield a line in pieces of at most a fact's length, cut between sentences."""
        if len(line) <= MAX_LINE:
            yield line
            return
        self.note(f"Lines of more than {MAX_LINE} characters were split.")
        piece = ""
        for sentence in _SENTENCE_END.split(line):
            for start in range(0, len(sentence), MAX_LINE):
                part = sentence[start : start + MAX_LINE].strip()
                if piece and len(piece) + 1 + len(part) > MAX_LINE:
                    yield piece
                    piece = ""
                piece = f"{piece} {part}".strip()
        if piece:
            yield piece

    def _lines(self, text: str, fan: str = FAN_IN_FACTS) -> list[str]:
        lines = (_BULLET.sub("", line.strip()) for line in _LINES.split(self._named(text, fan)))
        cleaned = (self._seen(BREAKING.sub("", line)).strip() for line in lines)
        return [line for line in cleaned if line]

    def _seen(self, line: str) -> str:
        """Return a line without what its creator could not see."""
        seen = HIDDEN.sub("", line)
        if seen != line:
            self.note("Invisible characters were left out.")
        return seen

    def _named(self, text: str, fan: str) -> str:
        text = _CHAR.sub(self._literal(self._name), _USER.sub(self._literal(fan), text))
        plain = _DROPPED.sub("", _CHOICE.sub(lambda found: found[1], text))
        if plain != text:
            self.note("Random choices became their first one, and other macros were left out.")
        return plain

    @staticmethod
    def _literal(text: str) -> Callable[[re.Match[str]], str]:
        return lambda _found: text

    def _exchanges(self, text: str) -> Iterator[tuple[str, str]]:
        for block in _START.split(self._bounded(text)):
            fan = ""
            for speaker, words in self._turns(block):
                if speaker == "fan":
                    fan = words
                elif fan:
                    yield fan, words
                    fan = ""
                else:
                    self.note("Examples in which nobody speaks before the twin were left out.")

    def _turns(self, block: str) -> Iterator[tuple[str, str]]:
        """Yield who speaks and what, with the lines of one speaker joined."""
        speaker, words = "", ""
        for line in [*_LINES.split(block), "{{user}}:"]:
            found = _SPEAKER.match(line.strip())
            said = line.strip()[found.end() :] if found else line
            if found:
                if speaker and words:
                    yield speaker, self._example(words)
                speaker = "fan" if "user" in found[1].lower() else "twin"
                words = ""
            if len(words) <= MAX_LINE:  # more is cut anyway
                words = f"{words} {' '.join(self._lines(said, FAN_IN_EXAMPLES))}".strip()

    def _example(self, words: str) -> str:
        if len(words) > MAX_LINE:
            self.note(f"Examples were cut to {MAX_LINE} characters.")
        return words[:MAX_LINE].strip()


def card_name(text: str, reader: CardReader) -> str:
    """Return a card's name as a persona's; empty if there is nothing of it to be seen."""
    return reader.title(text, MAX_NAME, "name")
