"""Files of a set-up: each written whole or not at all, readable by their owner alone."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bot.domain.errors import ConfigurationError


def write_files(files: Mapping[Path, str]) -> None:
    """Write texts, each beside its place and then moved there, in the given order.

    If one can't be written, or the person presses Ctrl-C, those that are new are taken away again.

    Raises:
        ConfigurationError: a place can't be written.
    """
    made: list[Path] = []
    try:
        for path, text in files.items():
            is_new = not path.exists()
            _write(path, text)
            if is_new:
                made.append(path)
    except OSError as error:
        _remove(made)
        raise ConfigurationError(f"{error.filename} can't be written: {error.strerror}.") from error
    except BaseException:
        _remove(made)
        raise


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # of mode 600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
