"""Make a trained network deeper without changing what it computes, to go on training from there."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from personas.starter.export import read_weights
from personas.starter.reference import Array, layers_of

FIRST = 2
SILENT = ("attn_output.weight", "ffn_down.weight")


def sources(layers: int, wanted: int) -> list[tuple[int, bool]]:
    """Return for each block of the deeper network its source, and whether it is a new copy.

    The first blocks, which look at neighbouring tokens, get no copies; the rest get them in turn,
    the last ones first.

    Raises:
        ValueError: the network would not become deeper, or more than twice as deep.
    """
    added = wanted - layers
    if not 0 <= added <= layers - min(FIRST, layers - 1):
        raise ValueError(f"{layers} blocks can't grow to {wanted}")
    copied = range(layers - added, layers)
    return [(n, new) for n in range(layers) for new in (False, True) if not new or n in copied]


def grow(weights: Mapping[str, Array], wanted: int) -> dict[str, Array]:
    """Return weights with `wanted` blocks; a new block adds nothing until it is trained."""
    grown = {name: value for name, value in weights.items() if not name.startswith("blk.")}
    for number, (source, new) in enumerate(sources(layers_of(weights), wanted)):
        at = f"blk.{source}."
        for name, value in weights.items():
            if name.startswith(at):
                kind = name.removeprefix(at)
                silent = new and kind in SILENT
                grown[f"blk.{number}.{kind}"] = np.zeros_like(value) if silent else value.copy()
    return grown


def main() -> None:
    """Grow a weights.npz."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="weights.npz to start from")
    parser.add_argument("--layers", type=int, required=True, help="number of blocks afterwards")
    parser.add_argument("--out", type=Path, required=True, help="weights.npz to write")
    arguments = parser.parse_args()
    weights, heads = read_weights(arguments.weights)
    grown = grow(weights, arguments.layers)
    np.savez(arguments.out, heads=np.array(heads), **grown)  # type: ignore[arg-type]
    print(f"{layers_of(grown)} blocks, {sum(value.size for value in grown.values())} parameters")


if __name__ == "__main__":
    main()
