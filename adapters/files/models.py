"""Model files: present, whole, and the one that was meant."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bot.domain.errors import ConfigurationError

GGUF_MAGIC = b"GGUF"
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A checked GGUF on disk; `sha256` in hex, `size_bytes` of the file."""

    path: Path
    sha256: str
    size_bytes: int


def check_model(
    path: Path, *, expected_sha256: str | None, progress: Callable[[float], None]
) -> ModelFile:
    """Hash a model file and compare it with what the configuration expects.

    Args:
        path: the GGUF.
        expected_sha256: hex; None to accept any file.
        progress: told the fraction that is read, 0 to 1.

    Raises:
        ConfigurationError: missing, unreadable, not a GGUF, or another file than expected.
    """
    try:
        size = path.stat().st_size
        digest = hashlib.sha256()
        read = 0
        with path.open("rb") as file:
            if file.read(len(GGUF_MAGIC)) != GGUF_MAGIC:
                raise ConfigurationError(f"The model {path} is not a GGUF file.")
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                read += len(chunk)
                progress(read / size)
    except OSError as error:
        raise ConfigurationError(
            f"The model {path} can't be read ({error.strerror}): set [model] path to a GGUF file."
        ) from error
    found = digest.hexdigest()
    if expected_sha256 is not None and found != expected_sha256.lower():
        raise ConfigurationError(
            f"The model {path} is not the one that the configuration names: its SHA-256 is "
            f"{found}, expected {expected_sha256}. Restore the file or correct [model] sha256."
        )
    return ModelFile(path=path, sha256=found, size_bytes=size)


def read_digest(path: Path) -> str:
    """Return the hash in a file as `sha256sum` writes it.

    Raises:
        ConfigurationError: the file is missing or empty.
    """
    try:
        return path.read_text(encoding="ascii").split()[0]
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise ConfigurationError(f"The digest file {path} can't be read.") from error
