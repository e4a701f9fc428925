"""Verdict thresholds on disk: `NAME.verdicts.json` beside the model file `NAME.gguf`."""

from pathlib import Path

from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError
from bot.generation.calibration import parse_calibration
from bot.generation.verdict import Calibration

SUFFIX = ".verdicts.json"


def load_calibration(model: Path, *, digest: bytes, default: Path) -> Calibration:
    """Return a model's thresholds, or another model's where none were made for it.

    Args:
        model: the GGUF.
        digest: its SHA-256.
        default: the model whose thresholds stand in; `Calibration.model` tells whose they are.

    Raises:
        ConfigurationError: a file can't be read.
    """
    own = model.with_suffix(SUFFIX)
    if own.exists() and (found := _read(own)).model == digest:
        return found
    return _read(default.with_suffix(SUFFIX))


def _read(path: Path) -> Calibration:
    try:
        return parse_calibration(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, FormatError) as error:
        raise ConfigurationError(
            f"The verdict thresholds {path} can't be used ({error}): restore the file, or remove "
            "it to use those of the starter model."
        ) from error
