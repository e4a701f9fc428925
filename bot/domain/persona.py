"""Personas: how a twin speaks (docs/spec/formats.md section 2)."""

import re
from dataclasses import dataclass

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.hashing import sha256
from bot.domain.errors import PersonaError
from bot.domain.reading import BREAKING, FORMATTING, ObjectReader, read_text

VERSION = "twinproof-persona/1"
MAX_NAME = 64
MAX_ROLE = 200
MAX_LINE = 1000
MAX_LINES = 100
_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange that shows how the twin speaks."""

    fan: str
    twin: str


@dataclass(frozen=True, slots=True)
class Persona:
    """A valid persona: every text is one line, not empty, not too long.

    Name and role stand in what people read and sign: no invisible formatting character either.

    Raises:
        PersonaError: a rule is broken; one sentence for the creator.
    """

    name: str
    role: str
    facts: tuple[str, ...] = ()
    off_limits: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()

    def __post_init__(self) -> None:
        _check_title("name", self.name, MAX_NAME)
        _check_title("role", self.role, MAX_ROLE)
        _check_lines("facts", self.facts)
        _check_lines("off_limits", self.off_limits)
        _check_lines("examples", tuple(example.fan for example in self.examples))
        _check_lines("examples", tuple(example.twin for example in self.examples))

    def text(self) -> str:
        """Return the persona text of rendering program `typed-spans/1`."""
        lines = [f"You are {self.name}, {self.role}."]
        if self.facts:
            lines += ["About you:", *(f"- {fact}" for fact in self.facts)]
        if self.off_limits:
            lines.append(f"You don't talk about: {', '.join(self.off_limits)}.")
        if self.examples:
            lines.append("Examples:")
            for example in self.examples:
                lines += [f"Fan: {example.fan}", f"{self.name}: {example.twin}"]
        return "\n".join(lines)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return sha256(encode_persona(self))


def persona_to_json(persona: Persona) -> JsonValue:
    """Turn a persona into its JSON object."""
    return {
        "v": VERSION,
        "name": persona.name,
        "role": persona.role,
        "facts": persona.facts,
        "off_limits": persona.off_limits,
        "examples": [{"fan": one.fan, "twin": one.twin} for one in persona.examples],
    }


def persona_from_json(value: JsonValue) -> Persona:
    """Read a persona from its parsed JSON object.

    Raises:
        FormatError: the JSON is of another shape.
        PersonaError: the persona breaks a rule.
    """
    reader = ObjectReader(value, "persona", "v name role facts off_limits examples")
    reader.constant("v", VERSION)
    return Persona(
        name=reader.text("name"),
        role=reader.text("role"),
        facts=reader.items("facts", read_text),
        off_limits=reader.items("off_limits", read_text),
        examples=reader.items("examples", _read_example),
    )


def encode_persona(persona: Persona) -> bytes:
    """Encode as canonical JSON."""
    return encode_canonical(persona_to_json(persona))


def parse_persona(data: bytes) -> Persona:
    """Parse canonical JSON.

    Raises:
        FormatError: the bytes are not a persona of version 1.
        PersonaError: the persona breaks a rule.
    """
    return persona_from_json(parse_canonical(data))


def _read_example(value: JsonValue, path: str) -> Example:
    reader = ObjectReader(value, path, "fan twin")
    return Example(fan=reader.text("fan"), twin=reader.text("twin"))


def _check_lines(field: str, lines: tuple[str, ...]) -> None:
    if len(lines) > MAX_LINES:
        raise PersonaError(f"The persona has more than {MAX_LINES} {field}.")
    for number, line in enumerate(lines, start=1):
        _check_line(f"{field} number {number}", line, MAX_LINE)


def _check_title(field: str, line: str, maximum: int) -> None:
    _check_line(field, line, maximum)
    if found := FORMATTING.search(line):
        raise PersonaError(
            f"The persona's {field} holds an invisible formatting character "
            f"(U+{ord(found[0]):04X}); take it out."
        )


def _check_line(field: str, line: str, maximum: int) -> None:
    if not line.strip():
        raise PersonaError(f"The persona's {field} is empty.")
    if len(line) > maximum:
        raise PersonaError(f"The persona's {field} is longer than {maximum} characters.")
    if BREAKING.search(line):
        raise PersonaError(f"The persona's {field} must be one line without control characters.")
    if _LONE_SURROGATE.search(line):
        raise PersonaError(f"The persona's {field} holds half a character (a lone surrogate).")
