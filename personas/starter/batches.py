"""Build batches of equal length from the prepared sets, in an order fixed by the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from personas.starter.encoding import WEIGHTS

LENGTHS = (192, 256, 288, 320, 352, 384, 448, 512, 640, 1024)
SLOTS = 7168
# Of the samples drawn; what is left are conversations from the lessons.
SHARES = {
    "talk": 0.08,
    "drill": 0.02,
    "spc": 0.1,
    "spc-long": 0.01,
    "long": 0.01,
    "lesson-long": 0.05,
}
PAD_ID = 4


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (rows, length + 1) and the loss weight of each predicted token (rows, length)."""

    tokens: Tensor
    weights: Tensor

    @property
    def scored(self) -> int:
        """Number of tokens that count in the loss."""
        return int((self.weights > 0).sum())


class SampleSet:
    """One prepared set on disk."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self.ids: npt.NDArray[np.uint16] = arrays["ids"]
            self.classes: npt.NDArray[np.uint8] = arrays["classes"]
            self.offsets: npt.NDArray[np.int64] = arrays["offsets"]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.offsets) - 1

    def bounds(self, index: int) -> tuple[int, int]:
        """Return where a sample begins and ends."""
        return int(self.offsets[index]), int(self.offsets[index + 1])


Pick = tuple[SampleSet, int]


def pack(picks: list[Pick], length: int) -> Batch:
    """Pad samples to one length."""
    tokens = np.full((len(picks), length + 1), PAD_ID, dtype=np.int64)
    weights = np.zeros((len(picks), length), dtype=np.float32)
    table = np.array(WEIGHTS, dtype=np.float32)
    for row, (samples, index) in enumerate(picks):
        start, stop = samples.bounds(index)
        size = min(stop - start, length + 1)
        tokens[row, :size] = samples.ids[start : start + size]
        weights[row, : size - 1] = table[samples.classes[start + 1 : start + size]]
    return Batch(torch.from_numpy(tokens), torch.from_numpy(weights))


def bucket(size: int) -> int:
    """Return the shortest batch length that holds `size` tokens."""
    return next((length for length in LENGTHS if size <= length + 1), LENGTHS[-1])


class Mixture:
    """Draws samples from the sets without replacement within an epoch."""

    def __init__(self, folder: Path, seed: int) -> None:
        names = ("lesson", *SHARES)
        self.sets = {name: SampleSet(folder / f"{name}.npz") for name in names}
        self.rng = random.Random(seed)
        self.queues: dict[str, list[int]] = {name: [] for name in names}

    def _next(self, name: str) -> Pick:
        """Return the next sample of one set."""
        queue = self.queues[name]
        if not queue:
            queue.extend(range(len(self.sets[name])))
            self.rng.shuffle(queue)
        return self.sets[name], queue.pop()

    def _choose(self) -> str:
        """Choose a set by its share."""
        luck = self.rng.random()
        for name, share in SHARES.items():
            luck -= share
            if luck < 0:
                return name
        return "lesson"

    def batches(self) -> Iterator[Batch]:
        """Yield batches without end."""
        waiting: dict[int, list[Pick]] = {length: [] for length in LENGTHS}
        while True:
            samples, index = self._next(self._choose())
            start, stop = samples.bounds(index)
            length = bucket(stop - start)
            waiting[length].append((samples, index))
            if len(waiting[length]) * length + length > SLOTS:
                yield pack(waiting[length], length)
                waiting[length] = []


def validation(folder: Path, name: str, rows: int) -> list[Batch]:
    """Return the first samples of a validation set as batches of similar length."""
    samples = SampleSet(folder / f"{name}.npz")
    groups: dict[int, list[Pick]] = {length: [] for length in LENGTHS}
    for index in range(min(rows, len(samples))):
        start, stop = samples.bounds(index)
        groups[bucket(stop - start)].append((samples, index))
    found = []
    for length, picks in groups.items():
        size = SLOTS // length
        found += [
            pack(picks[i : i + size], length)
            for i in range(0, len(picks) - len(picks) % size, size)
        ]
    return found
