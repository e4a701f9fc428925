"""A draft's texts as the fields of windows, and back."""

import re
from dataclasses import dataclass

from adapters.discord_chat.windows import FIELD_CHARACTERS, Field
from bot.domain.errors import UserError
from bot.domain.persona import MAX_NAME, MAX_ROLE, Example
from bot.ports.creators import DraftEdit, DraftText

TEXTS, EXAMPLES, SAMPLING, REPETITION = "texts", "examples", "sampling", "repetition"
PARTS = (TEXTS, EXAMPLES, SAMPLING, REPETITION)
_NUMBER_CHARACTERS = 12
_LABELS = {
    "twin": "Short name",
    "top_p": "Top-p",
    "top_k": "Top-k",
    "min_p": "Min-p",
    "max_tokens": "Longest reply, in tokens",
}
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a window, and the labels of the texts that are too long for one."""

    fields: list[Field]
    left_out: list[str]


def form_of(part: str, draft: DraftText) -> Form:
    """Return the window for a part of a draft.

    Texts that are longer than a window's field are left out: changing the rest must not cut them.
    """
    match part:
        case "texts":
            fields = [
                Field("name", "Name", draft.name, MAX_NAME, required=True, lines=False),
                Field(
                    "role", "Role, in one line", draft.role, MAX_ROLE, required=True, lines=False
                ),
                Field("facts", "Facts", "\n".join(draft.facts), hint="One fact per line"),
                Field(
                    "off_limits",
                    "Off limits",
                    "\n".join(draft.off_limits),
                    hint="One topic per line that the twin does not talk about",
                ),
            ]
        case "examples":
            hint = "Pairs of lines: 'Fan: …', then 'Twin: …'"
            fields = [Field("examples", "Examples", write_examples(draft.examples), hint=hint)]
        case "sampling":
            fields = [
                _number("temperature", "Temperature", draft.temperature),
                _number("top_p", "Top-p", draft.top_p),
                _number("top_k", "Top-k", str(draft.top_k)),
                _number("max_tokens", "Longest reply, in tokens", str(draft.max_tokens)),
            ]
        case "repetition":  # a window of its own: Discord's hold five fields
            fields = [
                _number("min_p", "Min-p", draft.min_p),
                _number("presence_penalty", "Presence penalty", draft.presence_penalty),
                _number("frequency_penalty", "Frequency penalty", draft.frequency_penalty),
            ]
        case _:
            raise UserError("Choose one of: " + ", ".join(PARTS) + ".")
    fitting = [field for field in fields if len(field.value) <= FIELD_CHARACTERS]
    return Form(fitting, [field.label for field in fields if field not in fitting])


def _number(name: str, label: str, value: str) -> Field:
    return Field(name, label, value, _NUMBER_CHARACTERS, required=True, lines=False)


def edit_of(values: dict[str, str]) -> DraftEdit:
    """Return the change that a window asks for; fields that it did not have stay as they are.

    Raises:
        UserError: a field does not say what it should.
    """
    return DraftEdit(
        name=_stripped(values, "name"),
        role=_stripped(values, "role"),
        facts=_lines(values, "facts"),
        off_limits=_lines(values, "off_limits"),
        examples=read_examples(values["examples"]) if "examples" in values else None,
        temperature=_stripped(values, "temperature"),
        top_p=_stripped(values, "top_p"),
        top_k=_whole(values, "top_k", "Top-k"),
        max_tokens=_whole(values, "max_tokens", "The longest reply"),
        min_p=_stripped(values, "min_p"),
        presence_penalty=_stripped(values, "presence_penalty"),
        frequency_penalty=_stripped(values, "frequency_penalty"),
    )


def _stripped(values: dict[str, str], name: str) -> str | None:
    return values[name].strip() if name in values else None


def _lines(values: dict[str, str], name: str) -> tuple[str, ...] | None:
    if name not in values:
        return None
    return tuple(line.strip() for line in values[name].splitlines() if line.strip())


def _whole(values: dict[str, str], name: str, label: str) -> int | None:
    if name not in values:
        return None
    text = values[name].strip()
    if not _WHOLE.fullmatch(text):
        raise UserError(f"{label} must be a whole number such as 40.")
    return int(text)


def write_examples(examples: tuple[Example, ...]) -> str:
    """Write examples as pairs of lines."""
    return "\n\n".join(f"Fan: {one.fan}\nTwin: {one.twin}" for one in examples)


def read_examples(text: str) -> tuple[Example, ...]:
    """Read pairs of lines; empty lines don't matter.

    Raises:
        UserError: a line begins otherwise, or a pair is not whole.
    """
    found: list[Example] = []
    fan: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        speaker, colon, words = line.partition(":")
        who = speaker.strip().casefold()
        if not line.strip():
            continue
        if not colon or who != ("fan" if fan is None else "twin"):
            wanted = "Fan:" if fan is None else "Twin:"
            raise UserError(f'Line {number} of the examples must begin with "{wanted}".')
        if fan is None:
            fan = words.strip()
        else:
            found.append(Example(fan=fan, twin=words.strip()))
            fan = None
    if fan is not None:
        raise UserError('The last example has no line that begins with "Twin:".')
    return tuple(found)


def label_of(name: str) -> str:
    """Return what a field is called in words."""
    return _LABELS.get(name, name.replace("_", " ").capitalize())
