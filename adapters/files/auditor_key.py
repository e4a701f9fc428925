"""An auditor's key: 32 random bytes in a file that only they can read."""

import os
import secrets
from pathlib import Path

from adapters.files.secrets import read_secret
from bot.crypto.encoding import parse_hex
from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError, UserError

KEY_BYTES = 32
_OWN = 0o600


def make_auditor_key(path: Path) -> bytes:
    """Make a key and its file, which must not be there yet; it is durable on return.

    Raises:
        UserError: the file is there already.
        ConfigurationError: it can't be written.
    """
    key = secrets.token_bytes(KEY_BYTES)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWN)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise UserError(
            f"{path} is there already: a key that has signed verdicts is never replaced. Name "
            "another file."
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror}.") from error
    return key


def read_auditor_key(path: Path) -> bytes:
    """Return the 32 bytes of a key.

    Raises:
        ConfigurationError: the file can't be read, is open to others, or holds no such key.
    """
    text = read_secret(path, "auditor's key")
    try:
        return parse_hex(text, KEY_BYTES)
    except FormatError as error:
        raise ConfigurationError(
            f"The file {path} holds no auditor's key: make one with twinproof audit-key."
        ) from error
