"""The service's data folder: made once, writable, and held by one process at a time."""

import fcntl
import os
import shutil
from pathlib import Path
from typing import Self

from bot.domain.errors import ConfigurationError


class DataFolder:
    """A locked data folder; the lock ends with the process, however that ends.

    One that was made here and never used is gone again when it is released.
    """

    def __init__(self, path: Path, descriptor: int, made: Path | None = None) -> None:
        self.path = path
        self._descriptor = descriptor
        self._made = made

    @classmethod
    def claim(cls, path: Path) -> Self:
        """Make the folder if need be and lock it for this process.

        Raises:
            ConfigurationError: it can't be written, or another process holds it.
        """
        missing = [one for one in (path, *path.parents) if not one.exists()]
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Chats and opening keys lie here; a folder made by somebody else may be open to all.
            path.chmod(0o700)
            os.umask(0o077)
            descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The data folder {path} can't be written ({error.strerror}): "
                "choose another one with --data or mend its permissions."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConfigurationError(
                f"Another Twinproof runs on the data folder {path}: "
                "stop it first, or choose another folder with --data."
            ) from error
        return cls(path, descriptor, missing[-1] if missing else None)

    def use(self) -> None:
        """Say that what is kept here from now on matters."""
        self._made = None

    def release(self) -> None:
        """Let another process have the folder."""
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)
        os.close(self._descriptor)
