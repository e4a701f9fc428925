"""What proofs cost: issuing, verifying by both Python verifiers, bytes, appends to the log."""

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Protocol, runtime_checkable

import structlog

from bench import log as log_bench
from bench.measuring import Figure, tell
from bench.proofs_bundle import KEY, POLICY, POLICY_JSON, SIZE, Made, make_bundle, make_intent
from bench.proofs_subjects import Extent
from bot.crypto.canonical import encode_canonical
from bot.receipts.bundle import ProofBundle, bundle_to_json, encode_bundle
from bot.receipts.verify import verify_bundle

ROOT = Path(__file__).resolve().parent.parent
STANDALONE = ROOT / "docs" / "verify_receipt.py"
ROUNDS, QUICK_ROUNDS, REPEATS = 15, 5, 10
APPENDS, QUICK_APPENDS = 20_000, 1_000
ISSUE_MS, VERIFY_MS, PUBLIC_BYTES, APPENDS_PER_S = 5.0, 20.0, 4_000.0, 1_000.0
NAME = "verify_receipt"
Task = Callable[[int], object]


@runtime_checkable
class Cached(Protocol):
    """A function that remembers what it has returned."""

    def cache_clear(self) -> None:
        """Forget all of it."""
        ...


def cost(extent: Extent) -> list[Figure]:
    """Return what one reply's proof costs."""
    made = make_bundle()
    rounds, appends = (QUICK_ROUNDS, QUICK_APPENDS) if extent.quick else (ROUNDS, APPENDS)
    return [*_times(made, rounds), *_bytes(made), *_commands(made), *_appends(appends)]


def _times(made: Made, rounds: int) -> list[Figure]:
    """Measure issuing and verifying, taking turns."""
    sealed, public = encode_bundle(made.bundle), encode_bundle(made.public)
    standalone = _load(STANDALONE)
    tasks: dict[str, tuple[Task, float | None]] = {
        "issue: slot, VRF and seed": (make_intent, None),
        "issue: VRF, fields, seal, signature, leaf": (made.issue, ISSUE_MS),
        "verify, L0 and L1, without the key": (
            lambda _: verify_bundle(public, key=None, policy=POLICY),
            VERIFY_MS,
        ),
        "verify, L0 and L1, with the key": (
            lambda _: verify_bundle(sealed, key=made.key, policy=POLICY),
            VERIFY_MS,
        ),
        "verify_receipt.py, without the key": (
            lambda _: standalone.verify(public, None, POLICY_JSON, None),
            None,
        ),
        "verify_receipt.py, with the key": (
            lambda _: standalone.verify(sealed, made.key, POLICY_JSON, None),
            None,
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in tasks}
    caches = _caches()
    for number in range(rounds):
        for name, (task, _) in tasks.items():
            times[name].append(_cpu_ms(task, number * REPEATS, caches if "verify" in name else []))
    return [
        tell(Figure(name, median(times[name]), "CPU ms", target, note=_spread(times[name])))
        for name, (_, target) in tasks.items()
    ]


def _cpu_ms(task: Task, first: int, caches: list[Cached]) -> float:
    """Return the CPU time of one call: no other call has left anything in a cache."""
    total = 0
    for number in range(first, first + REPEATS):
        for cache in caches:
            cache.cache_clear()
        began = time.process_time_ns()
        task(number)
        total += time.process_time_ns() - began
    return total / 1e6 / REPEATS


def _caches() -> list[Cached]:
    """Return what verifiers remember from one bundle to the next, which a command never can."""
    names = [name for name in sys.modules if name.startswith(("bot.", NAME))]
    values = [value for name in names for value in vars(sys.modules[name]).values()]
    return [value for value in values if isinstance(value, Cached)]


def _spread(values: list[float]) -> str:
    return f"{min(values):.3g} to {max(values):.3g} in {len(values)} rounds"


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(NAME, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def _bytes(made: Made) -> list[Figure]:
    note = f"three witnesses, {SIZE:,} leaves"
    manifest = len(made.bundle.manifest)
    return [
        tell(
            Figure(
                "public bundle, receipt and log proof, manifest apart",
                _without_manifest(made.public),
                "bytes",
                PUBLIC_BYTES,
                note=note,
            )
        ),
        tell(Figure("... with its outcome", _without_manifest(made.delivered), "bytes", note=note)),
        tell(Figure("manifest", manifest, "bytes")),
        tell(Figure("receipt, canonical JSON", len(made.bundle.receipt.payload), "bytes")),
        tell(Figure("whole bundle with sealed openings", len(encode_bundle(made.bundle)), "bytes")),
    ]


def _without_manifest(bundle: ProofBundle) -> int:
    value = bundle_to_json(bundle)
    if not isinstance(value, dict):
        raise TypeError("a bundle is a JSON object")
    return len(encode_bundle(bundle)) - len(encode_canonical(value["manifest"]))


def _commands(made: Made) -> list[Figure]:
    """Measure the standalone file as somebody runs it."""
    with tempfile.TemporaryDirectory() as working:
        bundle, policy = Path(working) / "bundle.json", Path(working) / "policy.json"
        bundle.write_bytes(encode_bundle(made.bundle))
        policy.write_text(json.dumps(POLICY_JSON))
        command = [sys.executable, str(STANDALONE), f"{bundle}{KEY}", "--policy", str(policy)]
        times = []
        for _ in range(5):
            before = os.times()
            subprocess.run(command, check=True, capture_output=True)
            after = os.times()
            times.append(
                after.children_user
                + after.children_system
                - before.children_user
                - before.children_system
            )
    seconds = median(times)
    return [tell(Figure("verify_receipt.py, the whole command", seconds, "CPU s"))]


def _appends(leaves: int) -> list[Figure]:
    """Take the appends of the log's own bench."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    with tempfile.TemporaryDirectory() as working:
        found = asyncio.run(log_bench.measure(Path(working), leaves))
    figures = []
    for one in found:
        name, unit = str(one["name"]), str(one["unit"])
        if unit != "1/s" or not name.startswith(("appends", "replies")):
            continue
        batched = not name.startswith(("appends, 1 ", "replies, 1 ")) and "readings" not in name
        target = APPENDS_PER_S if batched else None
        figures.append(tell(Figure(f"log: {name}", one["value"], unit, target, most=False)))
    return figures
