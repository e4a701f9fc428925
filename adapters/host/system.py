"""The system's clock and entropy."""

import os
import resource
import socket
from contextlib import suppress
from datetime import UTC, datetime

from bot.domain.errors import ConfigurationError
from bot.ports.clock import Clock, Entropy


class SystemClock(Clock):
    """The system's wall clock."""

    def now(self) -> datetime:
        """Return the present as an aware UTC time."""
        return datetime.now(UTC)  # noqa: TID251 - this is the port's one implementation


class SystemEntropy(Entropy):
    """The operating system's random source."""

    def random_bytes(self, size: int) -> bytes:
        """Return `size` bytes fit for keys."""
        return os.urandom(size)


def check_port(host: str, port: int) -> None:
    """Refuse to start when a port is taken, before anything is written.

    Raises:
        ConfigurationError: the port is taken, or the address is not this machine's.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} on {host} can't be opened ({error.strerror}): stop the program that "
                "holds it, or choose another port with --port."
            ) from error


def raise_file_limit() -> None:
    """Let this process have as many open files as the system allows it.

    Idle connections of strangers then don't keep real visitors out so soon.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # a system that refuses leaves us what we had
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
