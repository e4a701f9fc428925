"""The port check refuses before anything is written."""

import socket

import pytest

from adapters.host.system import check_port
from bot.domain.errors import ConfigurationError


def test_taken_port_is_refused_and_a_free_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"Port {port}"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="can't be opened"):
        check_port("192.0.2.1", 8800)
