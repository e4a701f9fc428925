"""Secret keys on disk: 32 random bytes each, in files that only the owner can read."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from bot.domain.errors import ConfigurationError

KEY_SIZE = 32


class Keyring:
    """A folder of keys, each made the first time that it is asked for."""

    def __init__(self, folder: Path, *, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._folder = folder
        self._random_bytes = random_bytes

    def load(self, name: str) -> bytes:
        """Return the 32 bytes of a key that must be there.

        Raises:
            ConfigurationError: the file is missing or damaged, or can't be read.
        """
        path = self._folder / f"{name}.key"
        if not path.exists():
            raise ConfigurationError(
                f"The key {path} is missing: restore it from your backup. Twinproof does not "
                "replace it, because receipts and money depend on it."
            )
        return self.load_or_create(name)

    def load_or_create(self, name: str) -> bytes:
        """Return the 32 bytes of a key.

        A crash while a key is made leaves either no key or the whole one: it is written beside its
        place, synced, and linked there, and an existing key is never replaced.

        Raises:
            ConfigurationError: the file is damaged or can't be read or written.
        """
        path = self._folder / f"{name}.key"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                self._create(path)
            text = path.read_text(encoding="ascii").strip()
            key = bytes.fromhex(text)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"The key {path} can't be used: {error}.") from error
        if len(key) != KEY_SIZE:
            raise ConfigurationError(
                f"The key {path} is damaged: restore it from your backup. Twinproof does not "
                "replace it, because receipts and money depend on it."
            )
        return key

    def _create(self, path: Path) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(self._random_bytes(KEY_SIZE).hex() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        finally:
            Path(temporary).unlink()
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the folder's own list of names durable: a synced file without a name is lost."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
