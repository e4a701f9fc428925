"""Secrets that the operator was given: one line in a file that only they can read."""

import stat
from pathlib import Path

from bot.domain.errors import ConfigurationError

MAX_BYTES = 4096


def read_secret(path: Path, meaning: str) -> str:
    """Return the one line of a secret's file.

    Args:
        path: the file.
        meaning: what it holds, for the sentence to the operator.

    Raises:
        ConfigurationError: the file can't be read, is open to others, or holds no single line.
    """
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise ConfigurationError(
                f"The {meaning} in {path} can be read by others: run chmod 600 {path}."
            )
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"The {meaning} {path} can't be read: {error.strerror}."
        ) from error
    lines = data.decode("ascii", errors="replace").split()
    if len(lines) != 1 or len(data) > MAX_BYTES:
        raise ConfigurationError(f"The file {path} must hold the {meaning} and nothing else.")
    return lines[0]
