"""A model's tensors under one root: what its weights are, whatever else its file says.

Specification: docs/spec/formats.md section 15.1. Two files with the same tensors have the same
root, even where their metadata or their order differ; one tensor can be shown to belong to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.crypto.merkle import leaf_hash, root_of
from bot.domain.terms import HASH_BYTES

LEAF_TAG = b"twinproof/v1/tensor\x00"


@dataclass(frozen=True, slots=True)
class TensorKind:
    """How numbers are stored: in blocks of so many numbers, each of so many bytes."""

    name: str
    block: int
    block_bytes: int


# ggml's types by number (ggml.h, enum ggml_type), as of llama.cpp 0c1e570.
TENSOR_KINDS = {
    0: TensorKind("F32", 1, 4),
    1: TensorKind("F16", 1, 2),
    2: TensorKind("Q4_0", 32, 18),
    3: TensorKind("Q4_1", 32, 20),
    6: TensorKind("Q5_0", 32, 22),
    7: TensorKind("Q5_1", 32, 24),
    8: TensorKind("Q8_0", 32, 34),
    10: TensorKind("Q2_K", 256, 84),
    11: TensorKind("Q3_K", 256, 110),
    12: TensorKind("Q4_K", 256, 144),
    13: TensorKind("Q5_K", 256, 176),
    14: TensorKind("Q6_K", 256, 210),
    16: TensorKind("IQ2_XXS", 256, 66),
    17: TensorKind("IQ2_XS", 256, 74),
    18: TensorKind("IQ3_XXS", 256, 98),
    19: TensorKind("IQ1_S", 256, 50),
    20: TensorKind("IQ4_NL", 32, 18),
    21: TensorKind("IQ3_S", 256, 110),
    22: TensorKind("IQ2_S", 256, 82),
    23: TensorKind("IQ4_XS", 256, 136),
    24: TensorKind("I8", 1, 1),
    25: TensorKind("I16", 1, 2),
    26: TensorKind("I32", 1, 4),
    27: TensorKind("I64", 1, 8),
    28: TensorKind("F64", 1, 8),
    29: TensorKind("IQ1_M", 256, 56),
    30: TensorKind("BF16", 1, 2),
    34: TensorKind("TQ1_0", 256, 54),
    35: TensorKind("TQ2_0", 256, 66),
    39: TensorKind("MXFP4", 32, 17),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file.

    Attributes:
        kind: ggml's number of its type.
        shape: sizes of its dimensions, the fastest-running first, as the file states them.
        start: where its data begins in the file.
        size_bytes: of its data.
    """

    name: str
    kind: int
    shape: tuple[int, ...]
    start: int
    size_bytes: int

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    @property
    def is_matrix(self) -> bool:
        """Whether it has more than one dimension."""
        return sum(size > 1 for size in self.shape) > 1


def tensor_leaf(tensor: Tensor, digest: bytes) -> bytes:
    """Return a tensor's leaf data; `digest` is the SHA-256 of its data."""
    name = tensor.name.encode()
    if len(digest) != HASH_BYTES:
        raise ValueError("a digest has 32 bytes")
    parts = [LEAF_TAG, len(name).to_bytes(4), name, tensor.kind.to_bytes(4)]
    parts += [len(tensor.shape).to_bytes(4), *(size.to_bytes(8) for size in tensor.shape), digest]
    return b"".join(parts)


def tensors_root(tensors: Iterable[tuple[Tensor, bytes]]) -> bytes:
    """Return the RFC 6962 root over tensors and the digests of their data, in order of names."""
    ordered = sorted(tensors, key=lambda pair: pair[0].name.encode())
    return root_of([leaf_hash(tensor_leaf(tensor, digest)) for tensor, digest in ordered])


def name_quantisation(tensors: Iterable[Tensor]) -> str:
    """Return how the matrices are stored: one kind's name, or several, most bytes first."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        if tensor.is_matrix:
            name = TENSOR_KINDS[tensor.kind].name
            sizes[name] = sizes.get(name, 0) + tensor.size_bytes
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    return "+".join(names[:6]) or "none"
