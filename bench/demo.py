"""Figures of the demo: start to first reply, memory at rest, sizes, time to verify and to replay.

Runs the real command as a newcomer would, on a data folder of its own, on loopback. Wall times are
noisy on a shared machine; CPU-seconds are the steadier figure.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bot.receipts.bundle import parse_bundle
from bot.receipts.link import parse_link
from bot.receipts.verify import verify_bundle

ROOT = Path(__file__).resolve().parent.parent

PORT = 18_800
COMMAND = [sys.executable, "-m", "bot"]
LINK = re.compile(r"proof (http://\S+#k=\S+)")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    runs = 1 if options.quick else 5
    with tempfile.TemporaryDirectory() as folder:
        figures = [*measure_starts(Path(folder), runs), *measure_proof(Path(folder), runs)]
    if options.json:
        sys.stdout.write(json.dumps({"figures": figures}, indent=2) + "\n")
    else:
        for figure in figures:
            print(f"{figure['name']:<44} {figure['value']:>12} {figure['unit']}")
    return 0


def figure(name: str, value: float, unit: str, target: float | None = None) -> dict[str, Any]:
    """Return one figure; `ok` says whether it is at most its target, where there is one."""
    ok = None if target is None else value <= target
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "ok": ok}


def measure_starts(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Start the demo on a new and on a used data folder, each to its first reply."""
    first = first_reply(folder)
    warm = [first_reply(folder) for _ in range(runs)]
    return [
        figure("first start to first reply (installed)", first["seconds"], "s"),
        figure("warm start to first reply", min(w["seconds"] for w in warm), "s", 10.0),
        figure("memory at rest, service process", warm[-1]["service_mib"], "MiB"),
        figure("memory at rest, engine process", warm[-1]["engine_mib"], "MiB"),
    ]


def first_reply(folder: Path) -> dict[str, float]:
    """Run the demo, say one thing, and measure at rest before leaving."""
    started = time.monotonic()
    with subprocess.Popen(
        [*COMMAND, "demo", "--data", str(folder), "--port", str(PORT), "--twin", "mira"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert process.stdout is not None  # noqa: S101
        process.stdin.write("hi, who are you?\n")
        process.stdin.flush()
        for line in process.stdout:
            if LINK.search(line):
                break
        seconds = time.monotonic() - started
        time.sleep(1)
        children = children_of(process.pid)
        result = {
            "seconds": seconds,
            "service_mib": resident_mib(process.pid),
            "engine_mib": sum(resident_mib(child) for child in children),
        }
        process.stdin.close()
        process.stdout.read()
    return result


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def resident_mib(pid: int) -> float:
    """Return a process's resident memory."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * PAGE_BYTES / 2**20


def measure_proof(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Measure receipt, bundle, verification and replay of one reply."""
    command = [*COMMAND, "demo", "--data", str(folder), "--port", str(PORT), "--twin", "theo"]
    command += ["--say", "hi, who are you?", "--say", "what is your favourite planet?", "--json"]
    output = subprocess.run(command, capture_output=True, check=True, text=True)
    reply = json.loads(output.stdout)["replies"][-1]
    bundle = Path(reply["bundle"]).read_bytes()
    link = parse_link(reply["link"])
    repetitions = 10 * runs
    before = time.process_time()
    for _ in range(repetitions):
        verify_bundle(bundle, key=link.key, policy=None, receipt_id=link.receipt_id)
    verify_ms = (time.process_time() - before) / repetitions * 1000
    replay_s = cpu_of_children([*COMMAND, "replay", f"{reply['bundle']}{key_of(reply['link'])}"])
    verify_s = cpu_of_children([*COMMAND, "verify", f"{reply['bundle']}{key_of(reply['link'])}"])
    return [
        figure("receipt, canonical JSON", len(parse_bundle(bundle).receipt.payload), "bytes"),
        figure("bundle with sealed openings", len(bundle), "bytes"),
        figure("verify a bundle, in process", verify_ms, "CPU ms", 50.0),
        figure("verify, the whole command", verify_s, "CPU s"),
        figure("replay, the whole command", replay_s, "CPU s"),
    ]


def key_of(link: str) -> str:
    """Return a link's fragment."""
    return "#" + link.partition("#")[2]


def cpu_of_children(command: list[str]) -> float:
    """Run a command and return the CPU-seconds of it and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
