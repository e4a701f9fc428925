"""Average the weights of trained networks that began from the same ones.

Source: Wortsman et al., "Model soups", arXiv:2203.05482 (the uniform soup). Networks that went on
from one file lie so close together that their mean is a network as well, and often a better one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from personas.starter.export import read_weights
from personas.starter.reference import Array


def average(networks: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Return the mean of each weight, summed in float64.

    Raises:
        ValueError: there are none, or they have not the same shape.
    """
    if not networks:
        raise ValueError("there is nothing to average")
    shapes = [{name: value.shape for name, value in weights.items()} for weights in networks]
    if any(shape != shapes[0] for shape in shapes):
        raise ValueError("networks of different shapes have no average")
    mean = {}
    for name, value in networks[0].items():
        total = sum(weights[name].astype(np.float64) for weights in networks)
        mean[name] = (np.asarray(total) / len(networks)).astype(value.dtype)
    return mean


def main() -> None:
    """Average weights.npz files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+", help="weights.npz of each network")
    parser.add_argument("--out", type=Path, required=True, help="weights.npz to write")
    arguments = parser.parse_args()
    read = [read_weights(path) for path in arguments.weights]
    if len({heads for _, heads in read}) != 1:
        raise SystemExit("Networks with different numbers of heads have no average.")
    mean = average([weights for weights, _ in read])
    np.savez(arguments.out, heads=np.array(read[0][1]), **mean)  # type: ignore[arg-type]
    print(f"{len(read)} networks, {sum(value.size for value in mean.values())} parameters")


if __name__ == "__main__":
    main()
