"""A real Ethereum node (anvil) on loopback, that can be ended, brought back, and begun afresh.

`scripts/fetch_anvil.sh` puts it where this file looks for it; without it these tests are skipped.
"""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.fakes.settlement_rig import RELAYER_KEY, SETTLER_KEY, TREASURY_KEY, address_of

TOOLS = Path(os.environ.get("TWINPROOF_TOOLS", "~/.cache/twinproof-tools")).expanduser()
ANVIL = TOOLS / "anvil-1.7.1" / "anvil"
CHAIN_ID = 31337
NEEDS_ANVIL = [
    pytest.mark.slow,
    pytest.mark.skipif(not ANVIL.exists(), reason=f"no anvil at {ANVIL}: scripts/fetch_anvil.sh"),
]


@dataclass(slots=True)
class Anvil:
    """One node at one port.

    Attributes:
        state: its file of state; a node that was ended goes on from it.
    """

    port: int
    state: Path
    options: tuple[str, ...] = ()
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its JSON-RPC address."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, from its file of state where there is one."""
        command = [str(ANVIL), "--host", "127.0.0.1", "--port", str(self.port), "--silent"]
        process = subprocess.Popen([*command, "--state", str(self.state), *self.options])
        self.running.append(process)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail("anvil did not start")

    def stop(self) -> None:
        """End it in order: it writes its state."""
        process = self.running.pop()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) is not None

    def reset(self) -> None:
        """Begin another chain of the same number at the same address, as a devnet does."""
        self.stop()
        self.state.unlink()
        # The time in seconds is all that makes its first block another one.
        time.sleep(1.1)
        self.start()
        self.fund()

    def ask(self, method: str, *params: object) -> Any:  # noqa: ANN401 - JSON
        """Ask it something, and give its result."""
        question = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
        request = Request(  # noqa: S310 - loopback
            self.url, json.dumps(question).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=20) as answer:  # noqa: S310
            values = json.loads(answer.read())
        assert "error" not in values, values
        return values["result"]

    def send(self, key: bytes, **transaction: str) -> Any:  # noqa: ANN401 - JSON
        """Send a transaction as that key's account, and give its receipt."""
        sender = f"0x{address_of(key).hex()}"
        self.ask("anvil_impersonateAccount", sender)
        sent = self.ask("eth_sendTransaction", {"from": sender, **transaction})
        until = time.monotonic() + 20
        while (receipt := self.ask("eth_getTransactionReceipt", sent)) is None:
            assert time.monotonic() < until, "not mined"
            time.sleep(0.02)
        return receipt

    def fund(self) -> None:
        """Give the rig's accounts coin for gas."""
        for key in (SETTLER_KEY, RELAYER_KEY, TREASURY_KEY):
            self.ask("anvil_setBalance", f"0x{address_of(key).hex()}", hex(10**20))

    def mine(self, blocks: int) -> None:
        """Mine empty blocks."""
        self.ask("anvil_mine", hex(blocks))


@contextmanager
def anvil(folder: Path, *options: str) -> Iterator[Anvil]:
    """Run a node with funded accounts while the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    node = Anvil(port, folder / f"anvil-{port}.json", options)
    node.start()
    try:
        node.fund()
        yield node
    finally:
        for process in node.running:
            process.kill()
            process.wait()
