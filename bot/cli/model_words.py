"""A model's record as people and programs read it."""

import json

from bot.domain.model_record import ModelRecord, encode_record
from bot.domain.printable import printable

THOUSAND = 1000
_UNITS = ("", "K", "M", "B", "T")


def describe(record: ModelRecord) -> dict[str, object]:
    """Return a record as JSON values."""
    values: dict[str, object] = json.loads(encode_record(record))
    return values


def model_words(record: ModelRecord) -> str:
    """Return what is known of a model, a few lines."""
    verdict = "the exact profile's" if record.is_exact else "not the exact profile's Q8_0"
    licence = record.licence or "the file names none: look where it came from"
    if record.licence_link:
        licence += f" ({record.licence_link})"
    size = short_number(record.parameters)
    lines = [
        record.name,
        f"  file      {record.file}, {record.size_bytes / 2**20:.0f} MiB",
        f"  SHA-256   {record.sha256.hex()}",
        f"  tensors   {record.tensors}, root {record.tensors_root.hex()}",
        f"  model     {record.architecture}, {size} parameters, {record.quantisation} ({verdict})",
        f"  context   {record.context_tokens} tokens, {record.kv_bytes} bytes of cache a token",
        f"  licence   {licence}",
    ]
    if record.source:
        lines.append(f"  source    {record.source}")
    if record.gpu_layers is not None:
        lines.append(f"  GPU       {'all' if record.gpu_layers < 0 else record.gpu_layers} layers")
    return "\n".join(printable(line) for line in lines)


def short_number(number: int) -> str:
    """Return a number with three digits and a unit."""
    value, unit = float(number), 0
    while value >= THOUSAND and unit < len(_UNITS) - 1:
        value, unit = value / THOUSAND, unit + 1
    return f"{value:.3g}{_UNITS[unit]}"
