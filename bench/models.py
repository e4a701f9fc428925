"""Random models of real shapes, for measurements and tests that need no sense but real work.

Weights, vocabulary and so the file's digest follow from a seed by integer arithmetic alone, so they
are the same on every machine. The scales are chosen so that logits look like a language model's:
standard deviation about 4, entropy 2 to 4 nats. Files are kept under the user's cache folder.
"""

import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from scripts.progress_bar import ProgressBar, say
from tests.fakes.gguf_model import CHATML, SPECIALS, byte_characters

VOCABULARY = 32_000
LOGITS_STD = 4.2
BLOCK = 32  # weights of Q8_0 that share a scale
# Four bytes summed: nearly normal, mean 510, and a quarter of it fits into a signed byte.
BYTE_SUM_MEAN, QUARTER_STD = 510, np.sqrt((256**2 - 1) / 3) / 4
LETTERS = "etaoinshrdlucmfwypvbgkjxqz"


@dataclass(frozen=True, slots=True)
class Shape:
    """A llama's shape.

    Attributes:
        digest: SHA-256 of the file, hex.
        feed: width of the feed-forward network.
    """

    name: str
    width: int
    layers: int
    heads: int
    kv_heads: int
    feed: int
    digest: str
    vocabulary: int = VOCABULARY
    context: int = 4096
    seed: int = 7


TINY = Shape(
    "tiny", 256, 4, 4, 4, 768, "76f95b28fe37a5dab5676b20ab4415b917f8862907e10222e10ecf7d9f956e6b"
)
HALF = Shape(
    "half", 896, 24, 14, 2, 4864, "306b1ff5a7baa1503542180ff59cc4910673138aad46bf31f45f76f65a78250f"
)
# Small, but shows an AVX-512 build from a portable one within 200 tokens: the two round the
# activation of the feed-forward network differently in the last bit, which changes a logit only
# where it tips the rounding to a signed byte over, measured once in 3 to 8 million. So it takes
# many activations and little else, and a seed with which it happens early.
WIDE = Shape(
    "wide",
    64,
    4,
    2,
    1,
    8192,
    "76c7bc939fe1b210dd67de5e804925ab16d7408ac85cadf7f846ffb998a7c63c",
    vocabulary=1024,
    context=512,
    seed=1,
)
SHAPES = {shape.name: shape for shape in (TINY, HALF, WIDE)}


def random_model(shape: Shape) -> Path:
    """Return the file of a random model, written if it is not there yet.

    Raises:
        ValueError: what was written is not what it should be.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = base / "twinproof" / "models" / f"random-{shape.name}-{shape.digest[:16]}.gguf"
    if path.is_file():
        return path
    say(f"Writing the random model {path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        write_random_model(part, shape)
        found = file_digest(part)
        if found != shape.digest:
            raise ValueError(f"the random model {shape.name} has another digest: {found}")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def file_digest(path: Path) -> str:
    """Return a file's SHA-256, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_random_model(path: Path, shape: Shape) -> None:
    """Write a model of this shape."""
    writer = gguf.GGUFWriter(path, "llama", use_temp_file=shape.width > 512)
    writer.add_name(f"random {shape.name}")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_tokenizer(writer, shape.vocabulary)
    _add_tensors(writer, shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: gguf.GGUFWriter, size: int) -> None:
    tokens, merges = _byte_pairs(size - len(SPECIALS))
    kinds = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(SPECIALS)
    writer.add_vocab_size(size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*tokens, *SPECIALS])
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(size - 1)
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(CHATML)


def _byte_pairs(size: int) -> tuple[list[str], list[str]]:
    """Return a byte-level vocabulary of `size` tokens with its merges.

    Two letters, a space and one or two letters, then pairs of pairs: every merge joins two tokens
    that there are before it.
    """
    tokens = byte_characters()
    merges = []
    for left, right in _joins():
        if len(tokens) == size:
            break
        tokens.append(left + right)
        merges.append(f"{left} {right}")
    return tokens, merges


def _joins() -> Iterator[tuple[str, str]]:
    space = byte_characters()[ord(" ")]
    pairs = [a + b for a in LETTERS for b in LETTERS]
    yield from ((a, b) for a in LETTERS for b in LETTERS)
    yield from ((space, a) for a in LETTERS)
    yield from ((space, pair) for pair in pairs)
    # The commonest first, as a trained vocabulary has them.
    ranked = sorted(
        ((i + j, i, j) for i in range(len(pairs)) for j in range(len(pairs))),
    )
    yield from ((pairs[i], pairs[j]) for _, i, j in ranked)


def _add_tensors(writer: gguf.GGUFWriter, shape: Shape) -> None:
    rng = np.random.Generator(np.random.PCG64(shape.seed))
    width = shape.width
    keys = width // shape.heads * shape.kv_heads
    bar = ProgressBar("blocks")

    def matrix(name: str, rows: int, columns: int, std: float) -> None:
        data = random_q8_0(rng, rows, columns, std)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.Q8_0)

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    matrix("token_embd.weight", shape.vocabulary, width, 1.0)
    ones("output_norm.weight")
    # Normalised activations have unit variance, so this is the logits' standard deviation.
    matrix("output.weight", shape.vocabulary, width, LOGITS_STD / width**0.5)
    for block in range(shape.layers):
        name = f"blk.{block}"
        ones(f"{name}.attn_norm.weight")
        ones(f"{name}.ffn_norm.weight")
        # Sharper than chance, so that attention looks at something.
        matrix(f"{name}.attn_q.weight", width, width, 1.5 / width**0.5)
        matrix(f"{name}.attn_k.weight", keys, width, 1.5 / width**0.5)
        matrix(f"{name}.attn_v.weight", keys, width, 1.0 / width**0.5)
        matrix(f"{name}.attn_output.weight", width, width, 1.5 / width**0.5)
        matrix(f"{name}.ffn_gate.weight", shape.feed, width, 1.0 / width**0.5)
        matrix(f"{name}.ffn_up.weight", shape.feed, width, 1.0 / width**0.5)
        matrix(f"{name}.ffn_down.weight", width, shape.feed, 1.5 / shape.feed**0.5)
        bar.show(block + 1, shape.layers)
    bar.end()


def random_q8_0(rng: np.random.Generator, rows: int, columns: int, std: float) -> NDArray[np.uint8]:
    """Return a matrix of nearly normal weights in Q8_0.

    Returns:
        Shape (rows, columns / 32 * 34): for each 32 weights a binary16 scale and signed bytes.
    """
    words = rng.integers(0, 2**32, size=(rows, columns), dtype=np.uint32)
    sums = (
        words.view(np.uint8).reshape(rows, columns // BLOCK, BLOCK, 4).sum(axis=3, dtype=np.int16)
    )
    blocks = np.empty((rows, columns // BLOCK, 2 + BLOCK), np.uint8)
    blocks[:, :, :2] = np.frombuffer(np.float16(std / QUARTER_STD).tobytes(), np.uint8)
    blocks[:, :, 2:] = ((sums - BYTE_SUM_MEAN) >> 2).astype(np.int8).view(np.uint8)
    return blocks.reshape(rows, -1)


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(random_model(SHAPES[wanted]))
