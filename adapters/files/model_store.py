"""The store of models: one folder, for each model its file and the record beside it.

A model is in the store once its record is there, which is written last; a crash before that leaves
a file without a record, which the next `add` of that name replaces. One program at a time adds or
removes (an advisory lock); readers need none.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import ModelRecord, encode_record, parse_record

MODEL, RECORD = ".gguf", ".json"
ADDING, LOCK = ".adding", ".lock"
SPARE_BYTES = 256 * 2**20
"""Left free on the disk: the book may lie on it, too."""
CHUNK_BYTES = 4 * 2**20
MAX_RECORD_BYTES = 4 * 2**20
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StoreContent:
    """What a store holds: readable records by name, and sentences on what can't be read."""

    records: tuple[ModelRecord, ...]
    faults: tuple[str, ...]


class ModelStore:
    """A folder of models; it is made when something is added."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def content(self) -> StoreContent:
        """Read every record."""
        records, faults = [], []
        for path in sorted(self.folder.glob(f"*{RECORD}")):
            try:
                record = _read(path)
            except (OSError, FormatError) as error:
                faults.append(
                    f"The record {path} can't be used ({error}): add the model once more."
                )
                continue
            if (self.folder / record.file).is_file():
                records.append(record)
            else:
                faults.append(f"The model {record.name} has lost its file {record.file}: add it.")
        return StoreContent(tuple(records), tuple(faults))

    def find(self, name: str) -> ModelRecord | None:
        """Return the record of a name."""
        return next((one for one in self.content().records if one.name == name), None)

    def path_of(self, record: ModelRecord) -> Path:
        """Return where a model's file lies."""
        return self.folder / record.file

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the store for changes.

        Raises:
            ConfigurationError: another program adds or removes a model now, or it can't be written.
        """
        try:
            (self.folder / ADDING).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigurationError(
                f"The models' folder {self.folder} can't be written ({error.strerror}): "
                "set [model] store to a folder of your own."
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConfigurationError(
                f"Another program changes the models in {self.folder} now: wait for it."
            ) from error
        try:
            yield
        finally:
            self._clean()
            os.close(descriptor)

    def _clean(self) -> None:
        """Remove folders that hold nothing; what is in the middle of coming stays."""
        with suppress(OSError):
            (self.folder / ADDING).rmdir()
        with suppress(OSError):  # a link or a mount stays
            if [one.name for one in self.folder.iterdir()] == [LOCK]:
                (self.folder / LOCK).unlink()
                self.folder.rmdir()

    def part_of(self, name: str) -> Path:
        """Return where a model grows before it is taken in; a download stays when it is cut."""
        return self.folder / ADDING / f"{name}{MODEL}"

    def check_room(self, needed_bytes: int) -> None:
        """Refuse what does not fit on the disk.

        Raises:
            ConfigurationError: it does not.
        """
        free = shutil.disk_usage(self.folder).free - SPARE_BYTES
        if needed_bytes > free:
            raise ConfigurationError(
                f"The model needs {needed_bytes / 2**30:.1f} GiB of disk, and "
                f"{max(0, free) / 2**30:.1f} GiB are free in {self.folder}: make room, or set "
                "[model] store to a larger disk."
            )

    @contextmanager
    def copied(self, source: Path, name: str, progress: Callable[[float], None]) -> Iterator[Path]:
        """Copy a file into the folder; it is gone again at the end unless `put` has taken it.

        Raises:
            ConfigurationError: it can't be read, or does not fit.
        """
        staged = self.part_of(name)
        try:
            size = source.stat().st_size
            self.check_room(size)
            with source.open("rb") as file, staged.open("wb") as target:
                while chunk := file.read(CHUNK_BYTES):
                    target.write(chunk)
                    progress(target.tell() / max(1, size))
            yield staged
        except OSError as error:
            raise ConfigurationError(f"{source} can't be copied ({error.strerror}).") from error
        finally:
            with suppress(FileNotFoundError):
                staged.unlink()

    def put(self, staged: Path, record: ModelRecord) -> None:
        """Take a file in under its record, durably."""
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        staged.replace(self.path_of(record))
        beside = self.folder / ADDING / f"{record.name}{RECORD}"
        with beside.open("wb") as file:
            file.write(encode_record(record))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.folder / f"{record.name}{RECORD}")
        _sync(self.folder)

    def remove(self, record: ModelRecord) -> None:
        """Take a model out: its record first, so that it is never there without its file."""
        (self.folder / f"{record.name}{RECORD}").unlink()
        with suppress(FileNotFoundError):
            self.path_of(record).unlink()
        _sync(self.folder)


def _read(path: Path) -> ModelRecord:
    if path.stat().st_size > MAX_RECORD_BYTES:
        raise FormatError("it is too large")
    record = parse_record(path.read_bytes())
    if (record.name, record.file) != (path.stem, path.stem + MODEL):
        raise FormatError("it is of another name")
    return record


def check_name(name: str) -> str:
    """Return a name that a model may have.

    Raises:
        ConfigurationError: it can't be one.
    """
    if not NAME.fullmatch(name) or name.lower().endswith((MODEL, RECORD)):
        raise ConfigurationError(
            f"A model can't have the name {name!r}: give one of up to 60 letters, digits, dots, "
            "- and _ with --name."
        )
    return name


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
