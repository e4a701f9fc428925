"""What this machine offers a service: room on the disk, memory, who else may read its files."""

import fcntl
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

import aiohttp

from bot.ports.checks import DataFolderFacts, OpenFile

ANSWER_S = 3.0
LOCK = "lock"
MEMINFO = Path("/proc/meminfo")


def look_at_data_folder(path: Path) -> DataFolderFacts:
    """Look at a data folder, which need not be there yet; nothing is made or changed.

    Raises:
        OSError: its disk can't be asked.
    """
    exists = path.exists()
    nearest = path.absolute()
    while not nearest.exists():
        nearest = nearest.parent
    return DataFolderFacts(
        exists=exists,
        is_writable=nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        is_held=_is_held(path / LOCK),
        free_bytes=shutil.disk_usage(nearest).free,
    )


def _is_held(lock: Path) -> bool:
    """Return whether another process holds a lock; ours is given back at once."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def find_open_files(folder: Path) -> list[OpenFile]:
    """Return the folder and what is in it, as far as others than the owner may use it."""
    found = []
    for path in [folder, *sorted(folder.rglob("*"))]:
        mode = path.lstat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and not stat.S_ISLNK(mode):
            found.append(OpenFile(str(path), f"{stat.S_IMODE(mode):o}"))
    return found


def free_memory_bytes() -> int | None:
    """Return how much memory a new process can have without swapping; None where unknown."""
    with suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


async def answers_http(address: str) -> bool:
    """Return whether a server of ours says at an address that it is well."""
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(address) as answer,
        ):
            body = await answer.json()
            return isinstance(body, dict) and body.get("status") == "ok"
    except (aiohttp.ClientError, OSError, ValueError):  # a time-out is an OSError, too
        return False
