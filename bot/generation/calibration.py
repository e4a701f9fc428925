"""The file that states a model's verdict thresholds (docs/spec/formats.md section 11.2)."""

import json
import re
from decimal import Decimal

from bot.crypto.canonical import JsonValue
from bot.crypto.errors import FormatError
from bot.crypto.json_depth import is_deeper
from bot.domain.reading import ObjectReader, read_integer
from bot.generation.verdict import Calibration, Counts, Measured, Other

VERSION = "twinproof-verdicts/1"
MAX_CLASSES = 32
MAX_WORDS = 200
MAX_DEPTH = 16
_KEYS = "v model noise false_alarm miss room margin honest others measured"
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?", re.ASCII)


def encode_calibration(calibration: Calibration) -> str:
    """Write the file's text, which people can read."""
    value = {
        "v": VERSION,
        "model": calibration.model.hex(),
        "noise": calibration.noise,
        "false_alarm": _decimal(calibration.false_alarm),
        "miss": _decimal(calibration.miss),
        "room": [_decimal(end) for end in calibration.rooms],
        "margin": [_decimal(end) for end in calibration.margins],
        "honest": calibration.honest,
        "others": [
            {"name": other.name, "needed": other.needed, "counts": other.counts}
            for other in calibration.others
        ],
        "measured": [
            {
                "what": one.what,
                "replies": one.replies,
                "consistent": one.consistent,
                "undecided": one.undecided,
                "inconsistent": one.inconsistent,
            }
            for one in calibration.measured
        ],
    }
    text = json.dumps(value, indent=1)
    return re.sub(r"\[\s+([0-9\",. \n]+?)\s+\]", lambda m: _one_line(m[1]), text) + "\n"


def parse_calibration(text: str) -> Calibration:
    """Read the file's text.

    Raises:
        FormatError: it is not such a file; one sentence.
    """
    try:
        # CPython's parser overflows the stack before it counts.
        value: JsonValue = None if is_deeper(text.encode(), MAX_DEPTH) else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError("not JSON") from error
    reader = ObjectReader(value, "thresholds", _KEYS)
    reader.constant("v", VERSION)
    rooms, margins = (reader.items(key, _read_decimal) for key in ("room", "margin"))
    if not (_rising(rooms) and _rising(margins)):
        raise FormatError("thresholds: the classes' ends do not rise")
    shape = (len(rooms) + 1, len(margins) + 2)
    others = reader.items("others", lambda v, path: _read_other(v, path, shape))
    if not any(other.needed for other in others):
        raise FormatError("thresholds.others: nothing that has to be ruled out")
    return Calibration(
        model=reader.hex("model", 32),
        noise=reader.title("noise", maximum=MAX_WORDS),
        false_alarm=_read_chance(reader, "false_alarm"),
        miss=_read_chance(reader, "miss"),
        rooms=rooms,
        margins=margins,
        honest=_read_counts(reader.value("honest"), "thresholds.honest", shape),
        others=others,
        measured=reader.items("measured", _read_measured),
    )


def _read_other(value: JsonValue, path: str, shape: tuple[int, int]) -> Other:
    reader = ObjectReader(value, path, "name needed counts")
    needed = reader.value("needed")
    if not isinstance(needed, bool):
        raise FormatError(f"{path}.needed: not true or false")
    return Other(
        name=reader.title("name", maximum=MAX_WORDS),
        needed=needed,
        counts=_read_counts(reader.value("counts"), f"{path}.counts", shape),
    )


def _read_measured(value: JsonValue, path: str) -> Measured:
    reader = ObjectReader(value, path, "what replies consistent undecided inconsistent")
    return Measured(
        what=reader.title("what", maximum=MAX_WORDS),
        replies=reader.integer("replies"),
        consistent=reader.integer("consistent"),
        undecided=reader.integer("undecided"),
        inconsistent=reader.integer("inconsistent"),
    )


def _read_counts(value: JsonValue, path: str, shape: tuple[int, int]) -> Counts:
    rows, columns = shape
    if not isinstance(value, list) or len(value) != rows:
        raise FormatError(f"{path}: not {rows} rows")
    for row in value:
        if not isinstance(row, list) or len(row) != columns:
            raise FormatError(f"{path}: not {columns} counts a row")
    return tuple(
        tuple(read_integer(count, path) for count in row) for row in value if isinstance(row, list)
    )


def _read_chance(reader: ObjectReader, key: str) -> float:
    chance = reader.convert(key, _parse_decimal)
    if not 0 < chance < 1:
        raise FormatError(f"thresholds.{key}: not between 0 and 1")
    return chance


def _read_decimal(value: JsonValue, path: str) -> float:
    if not isinstance(value, str):
        raise FormatError(f"{path}: not a decimal number as a string")
    return _parse_decimal(value)


def _parse_decimal(text: str) -> float:
    if not _DECIMAL.fullmatch(text):
        raise FormatError("not a decimal number")
    return float(text)


def _rising(ends: tuple[float, ...]) -> bool:
    return 0 < len(ends) < MAX_CLASSES and list(ends) == sorted(set(ends))


def _decimal(value: float) -> str:
    return f"{Decimal(repr(value)):f}"


def _one_line(items: str) -> str:
    return "[" + ", ".join(part.strip() for part in items.split(",")) + "]"
