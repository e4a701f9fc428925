"""What creators write in answer to a question, read into a change of the draft."""

import re
from decimal import Decimal, InvalidOperation

from bot.domain.errors import UserError
from bot.domain.persona import Example
from bot.ports.creators import DraftEdit, DraftText

EMPTY = "-"  # says that there is nothing of it
_NUMBERS = (
    *("temperature", "top_p", "top_k", "min_p", "presence_penalty", "frequency_penalty"),
    "max_tokens",
)
_PAIR = re.compile(r"(?P<who>fan|twin)\s*:\s*(?P<words>.*\S)", re.IGNORECASE)
_SETTING = re.compile(r"(?P<name>[a-z_]+)\s*[=: ]\s*(?P<value>[0-9.]{1,12})")


def parse_lines(text: str) -> tuple[str, ...]:
    """Read one thing a line; a line that begins with `- ` is a list's."""
    lines = (line.strip().removeprefix("- ").strip() for line in text.splitlines())
    return tuple(line for line in lines if line and line != EMPTY)


def encode_lines(lines: tuple[str, ...]) -> str:
    """Write lines as they are read."""
    return "\n".join(lines) or EMPTY


def parse_examples(text: str) -> tuple[Example, ...]:
    """Read exchanges: a line `Fan: …` and a line `Twin: …`, in turns.

    Raises:
        UserError: the lines are of another shape.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip() not in {"", EMPTY}]
    found = [_PAIR.fullmatch(line) for line in lines]
    pairs = [(match["who"].lower(), match["words"]) for match in found if match is not None]
    wanted = ("fan", "twin") * (len(lines) // 2)
    if tuple(who for who, _ in pairs) != wanted or len(pairs) != len(lines):
        raise UserError(
            "Write the examples as pairs of lines, first Fan: and what is said, then Twin: and "
            "what your twin answers."
        )
    words = [said for _, said in pairs]
    return tuple(Example(fan, twin) for fan, twin in zip(words[::2], words[1::2], strict=True))


def encode_examples(examples: tuple[Example, ...]) -> str:
    """Write exchanges as they are read."""
    return "\n".join(f"Fan: {one.fan}\nTwin: {one.twin}" for one in examples) or EMPTY


def parse_sampling(text: str) -> DraftEdit:
    """Read settings such as `temperature 0.7`, one a line.

    Raises:
        UserError: a line is of another shape.
    """
    given: dict[str, str] = {}
    for line in text.lower().splitlines():
        match = _SETTING.fullmatch(line.strip())
        if match is None or match["name"] not in _NUMBERS:
            raise UserError(
                "Write one setting a line, such as temperature 0.7. There are "
                f"{', '.join(_NUMBERS)}."
            )
        given[match["name"]] = _number(match["name"], match["value"])
    return DraftEdit(
        temperature=given.get("temperature"),
        top_p=given.get("top_p"),
        top_k=int(given["top_k"]) if "top_k" in given else None,
        max_tokens=int(given["max_tokens"]) if "max_tokens" in given else None,
        min_p=given.get("min_p"),
        presence_penalty=given.get("presence_penalty"),
        frequency_penalty=given.get("frequency_penalty"),
    )


def encode_sampling(draft: DraftText) -> str:
    """Write a draft's settings as they are read."""
    return "\n".join(f"{name} {getattr(draft, name)}" for name in _NUMBERS)


def _number(name: str, value: str) -> str:
    whole = name in {"top_k", "max_tokens"}
    try:
        Decimal(value)
    except InvalidOperation:
        value = ""
    if not value or (whole and not value.isdecimal()):
        kind = "a whole number" if whole else "a number such as 0.7"
        raise UserError(f"{name} must be {kind}.")
    return value
