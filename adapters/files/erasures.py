"""Tombstones in a file of their own: one line of JSON each, appended and synced.

A line that a crash cut short was never acknowledged, so it is ignored and written over.
"""

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path

from bot.crypto.encoding import parse_hex
from bot.domain.errors import ConfigurationError, StoreBusyError
from bot.ports.erasures import Tombstone, Tombstones

DIGEST_BYTES = 32
TAIL_BYTES = 4096  # many lines


class TombstoneFile(Tombstones):
    """The list in one file; made with the first line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def add(self, tombstone: Tombstone) -> None:
        """Add one; durable when the call returns."""
        line = {"at": tombstone.at.isoformat(), "digest": tombstone.digest.hex()}
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, json.dumps(line).encode() + b"\n")
            except OSError as error:
                raise StoreBusyError(
                    f"forgetting can't be written down now: {error.strerror}"
                ) from error

    async def all(self) -> list[Tombstone]:
        """Return all, oldest first."""
        async with self._lock:
            try:
                return await asyncio.to_thread(self._read)
            except OSError as error:
                raise ConfigurationError(
                    f"The list of erasures {self._path} can't be read: {error.strerror}."
                ) from error

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            end = start + file.read().rfind(b"\n") + 1
            file.seek(end)
            file.write(line)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        if not end:
            _sync_folder(self._path.parent)

    def _read(self) -> list[Tombstone]:
        if not self._path.exists():
            return []
        *lines, _cut_short = self._path.read_bytes().split(b"\n")
        return [self._parse(number, line) for number, line in enumerate(lines, start=1)]

    def _parse(self, number: int, line: bytes) -> Tombstone:
        try:
            found = json.loads(line)
            at = datetime.fromisoformat(found["at"]).astimezone(UTC)
            return Tombstone(parse_hex(found["digest"], DIGEST_BYTES), at)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"The list of erasures {self._path} is damaged in line {number}: restore it from "
                "your newest backup of it. Without it, people who asked to be forgotten could "
                "come back."
            ) from error


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable, too."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
