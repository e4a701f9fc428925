"""A creator's folder of recounts: what was published, kept so that a rewriting is found out."""

import os
import re
import tempfile
from pathlib import Path

from bot.domain.errors import UserError
from bot.domain.twin_log import ENTRY_BYTES, MAX_ENTRIES
from bot.ports.recount import PublishedSettlement

MAX_PUBLICATION_BYTES = 32 * 1024 * 1024
MAX_LOOKS = 4_096
"""The oldest ones are forgotten: what was seen with them was seen with younger ones too."""
_LOOK = re.compile(r"([1-9][0-9]{0,11}) ([1-9][0-9]{0,8})", re.ASCII)
_LOOK_BYTES = 23
_EPOCH = re.compile(r"([1-9][0-9]{0,8})\.json", re.ASCII)


class RecountFolder(PublishedSettlement):
    """`epochs/<number>.json`, `twins/<twin>.log` and `twins/<twin>.looks`.

    Files are replaced whole, or not at all.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def epochs(self) -> list[int]:
        """Return the numbers of the epochs that are kept."""
        names = [_EPOCH.fullmatch(path.name) for path in self._folder.glob("epochs/*.json")]
        return sorted(int(name[1]) for name in names if name)

    async def publication(self, epoch: int | None) -> bytes | None:
        """Return a kept publication."""
        known = self.epochs()
        number = epoch if epoch is not None else (known[-1] if known else 0)
        return self._read(self._epoch(number), MAX_PUBLICATION_BYTES)

    async def twin_log(self, twin: bytes, entries: int | None) -> bytes | None:
        """Return a kept twin log's first entries."""
        data = self._read(self._log(twin), MAX_ENTRIES * ENTRY_BYTES)
        if data is None or entries is None:
            return data
        return None if entries * ENTRY_BYTES > len(data) else data[: entries * ENTRY_BYTES]

    def looks(self, twin: bytes) -> list[tuple[int, int]]:
        """Return when it was first seen that the twin log has so many entries, oldest first.

        Each is seconds since 1970, by this machine's clock, and a number of entries.

        Raises:
            UserError: the file can't be read.
        """
        path = self._looks(twin)
        data = self._read(path, MAX_LOOKS * _LOOK_BYTES) or b""
        found = [_LOOK.fullmatch(line) for line in data.decode("ascii", "replace").splitlines()]
        if not all(found):
            raise UserError(f"{path} is damaged: put back a copy of it, or take it away.")
        return [(int(one[1]), int(one[2])) for one in found if one]

    def keep_look(self, twin: bytes, at: int, entries: int) -> None:
        """Keep that the twin log has so many entries by now, unless that was known before.

        Raises:
            UserError: the folder can't be written.
        """
        known = self.looks(twin)
        if any(seen >= entries for _, seen in known):
            return
        lines = [f"{time} {seen}\n" for time, seen in [*known, (at, entries)][-MAX_LOOKS:]]
        try:
            self._write(self._looks(twin), "".join(lines).encode("ascii"))
        except OSError as error:
            raise UserError(f"{self._folder} can't be written ({error.strerror}).") from error

    def keep(self, twin: bytes, publications: dict[int, bytes], twin_log: bytes) -> None:
        """Keep what was recounted; of a twin log the longest one.

        Raises:
            UserError: the folder can't be written.
        """
        before = self._read(self._log(twin), MAX_ENTRIES * ENTRY_BYTES) or b""
        try:
            for number, data in publications.items():
                self._write(self._epoch(number), data)
            if len(twin_log) > len(before):
                self._write(self._log(twin), twin_log)
        except OSError as error:
            raise UserError(f"{self._folder} can't be written ({error.strerror}).") from error

    def _epoch(self, number: int) -> Path:
        return self._folder / "epochs" / f"{number}.json"

    def _log(self, twin: bytes) -> Path:
        return self._folder / "twins" / f"{twin.hex()}.log"

    def _looks(self, twin: bytes) -> Path:
        return self._folder / "twins" / f"{twin.hex()}.looks"

    def _read(self, path: Path, limit: int) -> bytes | None:
        try:
            with path.open("rb") as file:
                data = file.read(limit + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UserError(f"{path} can't be read ({error.strerror}).") from error
        if len(data) > limit:
            raise UserError(f"{path} is larger than what it should be.")
        return data

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
