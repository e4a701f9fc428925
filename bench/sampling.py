"""What choosing a token costs: CPU time a row, alone and in a batch, by vocabulary and policy.

The rows are normal random numbers, about as peaked as a model's at temperature 1 (a third of the
probability on the best token); no model is needed. Also counts the keyed hashes alone, and the same
noise from `hmac.digest` and from AES-256, which were the alternatives.
"""

import argparse
import hmac
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bot.generation.margins import judge
from bot.generation.sampling import Draw, Logits, SamplerPolicy, choose_tokens, noise_of

TARGET_MS = 0.1
SEED = bytes(range(32))
HISTORY = tuple(range(200))
POLICIES = {
    "top-k 40, top-p 0.95": SamplerPolicy(0.8, 40, 0.95, 256),
    "the same, min-p and both penalties": SamplerPolicy(0.8, 40, 0.95, 256, 0.05, 0.5, 0.5),
    "top-k 40, all kept": SamplerPolicy(0.8, 40, 1.0, 256),
    "top-k 256, top-p 0.95": SamplerPolicy(0.8, 256, 0.95, 256),
    "top-k 256, all kept": SamplerPolicy(0.8, 256, 1.0, 256),
}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, some seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = measure(rounds=5 if options.quick else 25)
    if options.json:
        sys.stdout.write(json.dumps({"figures": figures}, indent=2) + "\n")
    else:
        for one in figures:
            print(f"{one['name']:<72} {one['value']:>9} {one['unit']}")
    return 0


def measure(*, rounds: int) -> list[dict[str, Any]]:
    """Measure every policy, batch and vocabulary; the median of rounds that take turns."""
    tasks: dict[str, tuple[int, Callable[[], object]]] = {}
    for vocabulary in (32_000, 151_936):
        logits = rows_of(32, vocabulary)
        for words, policy in POLICIES.items():
            draws = [Draw(policy, SEED, 200, HISTORY) for _ in logits]
            for size in (32, 1):
                name = f"{vocabulary:,} tokens, {size} rows, {words}"
                tasks[name] = (size, _choose(logits[:size], draws[:size]))
        draw = Draw(POLICIES["top-k 40, top-p 0.95"], SEED, 200)
        tasks[f"{vocabulary:,} tokens, margin and room of a replayed token"] = (
            len(logits),
            _judge(logits, draw),
        )
    for name, noise in (("as used", keyed), ("hmac.digest", by_hmac), ("AES-256", by_aes)):
        tasks[f"noise of 20 tokens, {name}"] = (1, noise)
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (size, task) in tasks.items():
            times[name].append(cpu_ms(task, repeats=max(1, 32 // size)) / size)
    return [figure(name, float(np.median(found))) for name, found in times.items()]


def rows_of(count: int, vocabulary: int) -> Logits:
    """Return rows of logits."""
    rows = np.random.default_rng(1).standard_normal((count, vocabulary)) * 2.8
    logits: Logits = rows.astype(np.float32)
    return logits


def cpu_ms(task: Callable[[], object], *, repeats: int) -> float:
    """Return the CPU time of one call."""
    began = time.process_time_ns()
    for _ in range(repeats):
        task()
    return (time.process_time_ns() - began) / 1e6 / repeats


def keyed() -> list[float]:
    """Return the noise of 20 tokens."""
    noise = noise_of(SEED, 7)
    return [noise(token) for token in range(20)]


def by_hmac() -> list[bytes]:
    """Return what `keyed` is made of, by the standard library's HMAC."""
    position = (7).to_bytes(4, "big")
    return [hmac.digest(SEED, position + n.to_bytes(4, "big"), "sha256") for n in range(20)]


def by_aes() -> bytes:
    """Return as many keyed bits by AES-256, one block a token."""
    blocks = b"".join(n.to_bytes(16, "big") for n in range(20))
    return Cipher(algorithms.AES(SEED), modes.ECB()).encryptor().update(blocks)  # noqa: S305


def figure(name: str, value: float) -> dict[str, Any]:
    """Return one figure; `ok` says whether it reaches its target, where there is one."""
    aimed = name.startswith("32,000") and "256" not in name and "margin" not in name
    return {
        "name": name,
        "value": round(value, 4),
        "unit": "CPU ms",
        "target": TARGET_MS if aimed else None,
        "ok": value < TARGET_MS if aimed else None,
    }


def _choose(logits: Logits, draws: list[Draw]) -> Callable[[], object]:
    return lambda: choose_tokens(logits, draws)


def _judge(logits: Logits, draw: Draw) -> Callable[[], object]:
    return lambda: [judge(row, draw, (77,)) for row in logits]


if __name__ == "__main__":
    sys.exit(main())
