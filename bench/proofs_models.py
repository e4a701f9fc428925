"""What a cheating operator runs in the place of what was promised: other weights, another cache.

The weights are made from the promised GGUF. Those that keep its format are changed in a copy, block
by block, so that everything else in the file stays as it is.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from adapters.llama.library import inspect_build, prepare_environment
from adapters.llama.states import NoStates
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.inference.selfcheck import check_profile, settle

F16_FILE, Q4_0_FILE, Q4_K_M_FILE = 1, 2, 15
F16, Q8_0 = 1, 8
RANK, SHARE = 8, 0.01
LEFT_OUT = 8  # of so many layers, one
Floats = NDArray[np.float32]
Change = Callable[[str, Floats], Floats | None]


@dataclass(frozen=True, slots=True)
class Cache:
    """How keys and values are kept, where not as the exact profile says."""

    keys: int
    values: int
    flash: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """How an engine divides its work; none of it may change a reply.

    Attributes:
        parallel: replies that are written at once.
        chunk: tokens of new contexts that a step evaluates.
    """

    parallel: int = 8
    chunk: int = Limits().chunk
    threads: int = 1


USUAL = Schedule()


@contextmanager
def open_engine(
    path: Path, schedule: Schedule, context: int, *, cache: Cache | None, promised: bool
) -> Iterator[Engine]:
    """Load a model for as long as the block lasts.

    Args:
        path: a GGUF.
        schedule: how the engine works.
        context: longest context with its output, in tokens.
        cache: None for the exact profile's.
        promised: whether it has to be what was promised, under the exact profile.

    Raises:
        RuntimeError: the profile does not hold on this machine, so that nothing can be said of it.
    """
    prepare_environment()
    # The library reads the environment when it loads, so it is imported only here.
    from adapters.llama.memory import Wishes  # noqa: PLC0415
    from bench.proofs_cache import OperatorModel  # noqa: PLC0415

    build = inspect_build()
    model = OperatorModel(
        path,
        cache=cache,
        wishes=Wishes(parallel=schedule.parallel, context=context),
        threads=schedule.threads,
        portable=build.portable,
    )
    try:
        if promised:
            verdict = settle(check_profile(model), None)
            if not (verdict.exact and model.portable):
                raise RuntimeError(f"no exact profile here: {verdict.remark}; {build.remark}")
            model.confirm_profile()
        sizes = model.sizes
        limits = Limits(parallel=sizes.parallel, prefixes=sizes.prefixes, chunk=schedule.chunk)
        yield Engine(model=model, states=NoStates(), limits=limits)
    finally:
        model.close()


def quantised(kind: int) -> Callable[[Path, Path], None]:
    """Return what writes a model again in another format of the library."""

    def write(source: Path, target: Path) -> None:
        prepare_environment()
        from bench.proofs_cache import quantise  # noqa: PLC0415 - loads the library

        quantise(source, target, kind)

    return write


def changed(begin: Callable[[Path], Change]) -> Callable[[Path, Path], None]:
    """Return what copies a Q8_0 model and changes matrices in the copy.

    Args:
        begin: given the source, returns the change: given a matrix's name and values, it returns
            others, or None to leave it as it is.
    """
    kind = gguf.GGMLQuantizationType.Q8_0

    def write(source: Path, target: Path) -> None:
        change = begin(source)
        shutil.copyfile(source, target)
        for tensor in gguf.GGUFReader(target, "r+").tensors:
            if tensor.tensor_type != kind:
                continue
            found = change(tensor.name, gguf.quants.dequantize(tensor.data, kind))
            if found is not None:
                tensor.data[:] = gguf.quants.quantize(found, kind)

    return write


def noisy(_source: Path | None = None) -> Change:
    """Return a change: every weight is off by one hundredth of its matrix's spread."""
    chance = np.random.default_rng(1)

    def change(_name: str, values: Floats) -> Floats:
        noise = chance.standard_normal(values.shape, np.float32)
        return values + np.float32(SHARE * values.std()) * noise

    return change


def adapted(_source: Path | None = None) -> Change:
    """Return a change: a merged LoRA on queries and values, one hundredth of their norm."""
    chance = np.random.default_rng(2)

    def change(name: str, values: Floats) -> Floats | None:
        if not name.endswith(("attn_q.weight", "attn_v.weight")):
            return None
        rows, columns = values.shape
        down = chance.standard_normal((RANK, columns), np.float32)
        delta = chance.standard_normal((rows, RANK), np.float32) @ down
        scale = SHARE * np.linalg.norm(values) / np.linalg.norm(delta)
        return values + np.float32(scale) * delta

    return change


def shortened(source: Path) -> Change:
    """Return a change: the last eighth of the layers adds nothing, as if it were left out."""
    layers = int(gguf.GGUFReader(source).fields["llama.block_count"].parts[-1][0])
    gone = tuple(f"blk.{n}." for n in range(layers - max(1, layers // LEFT_OUT), layers))

    def change(name: str, values: Floats) -> Floats | None:
        adds = name.endswith(("attn_output.weight", "ffn_down.weight"))
        return np.zeros_like(values) if adds and name.startswith(gone) else None

    return change


WEIGHTS: dict[str, Callable[[Path, Path], None]] = {
    "q4_0": quantised(Q4_0_FILE),
    "q4_k_m": quantised(Q4_K_M_FILE),
    "f16": quantised(F16_FILE),
    "noise": changed(noisy),
    "lora": changed(adapted),
    "shorter": changed(shortened),
}


def other_weights(kind: str, source: Path, folder: Path) -> Path:
    """Return the file of such weights, written if it is not there yet."""
    path = folder / f"{kind}.gguf"
    if not path.is_file():
        part = path.with_suffix(".part")
        WEIGHTS[kind](source, part)
        part.rename(path)
    return path
