"""The whole recipe in seconds, without PyTorch: data, a tiny model, training, export, comparison.

Templates and lessons in turn; half way the network grows by one block. It shows that the parts fit;
what it learns is of no use. The tokenizer is taken from a model file.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llama_cpp import Llama

from personas.starter.compare import differences
from personas.starter.encoding import Encoder
from personas.starter.export import export
from personas.starter.fans import Fans, load_fans
from personas.starter.grounded import Grounded
from personas.starter.grow import grow
from personas.starter.lesson_chats import LessonWriter
from personas.starter.lesson_scenes import LessonScenes
from personas.starter.lessons import load_lesson_roles, load_lessons
from personas.starter.persona import Creators
from personas.starter.reference import Array, Reference
from personas.starter.samples import Writer
from personas.starter.unpack import unpack

FACTS = (
    "I restore old accordions in a shed behind my house.",
    "My neighbour feeds seventeen swans every morning.",
    "I have swum across the lake near Vaasa twice.",
    "I can't stand the smell of wet cardboard.",
    "I keep a diary about clouds and their shapes.",
    "I sold my first quilt to a train driver.",
)
PAIR = Grounded("What do you restore?", FACTS[0], FACTS[0])
WIDTH, LAYERS, HEADS, INNER = 64, 2, 2, 96
STEPS, LONGEST, RATE, SEED = 60, 160, 0.01, 5
FEWER_LESSONS = 9


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the short run found: losses of first and last steps, and the files."""

    first: float
    last: float
    weights: Path
    model: Path
    digest: str


def new_weights(vocabulary: int, seed: int) -> dict[str, Array]:
    """Draw the weights of a tiny model."""
    draw = np.random.default_rng(seed)
    shapes: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, WIDTH)}
    for number in range(LAYERS):
        at = f"blk.{number}."
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            shapes[f"{at}{name}.weight"] = (WIDTH, WIDTH)
        shapes |= {f"{at}{name}.bias": (WIDTH,) for name in ("attn_q", "attn_k")}
        shapes |= {f"{at}{name}.weight": (INNER, WIDTH) for name in ("ffn_gate", "ffn_up")}
        shapes[f"{at}ffn_down.weight"] = (WIDTH, INNER)
        shapes |= {f"{at}{name}.weight": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
    shapes["output_norm.weight"] = (WIDTH,)
    weights: dict[str, Array] = {}
    for name, shape in shapes.items():
        values = draw.normal(0, 0.02 if "embd" in name else WIDTH**-0.5, shape)
        weights[name] = values.astype(np.float32)
        if len(shape) == 1:
            weights[name] = np.full(shape, float("norm" in name), np.float32)
    return weights


def lesson_writer(every: int = 1) -> LessonWriter:
    """Return a writer of conversations from every so many-th lesson."""
    lessons = load_lessons()[::every]
    creators = Creators(validation=False)
    topics = creators.values["avoid"]
    scenes = LessonScenes(lessons, load_lesson_roles(), creators, [PAIR], topics)
    return LessonWriter(scenes, lessons, Fans(load_fans()))


def samples(tokeniser: Llama, count: int, seed: int) -> Iterator[list[int]]:
    """Yield token ids of conversations, from templates and from lessons in turn."""
    writers = (Writer(list(FACTS), [PAIR] * 5, validation=False), lesson_writer(FEWER_LESSONS))
    encoder = Encoder(
        lambda text: tokeniser.tokenize(text.encode(), add_bos=False, special=False),
        tokeniser.n_vocab(),
    )
    rng = random.Random(seed)
    for number in range(count):
        turns = writers[number % 2].conversation(rng)
        yield encoder.encode(turns, free=False)[0][:LONGEST]


def train(weights: dict[str, Array], data: list[list[int]]) -> Iterator[float]:
    """Take one Adam step (Kingma and Ba 2015) for each sample, in place; yield the losses."""
    model = Reference(weights, HEADS)
    first = {name: np.zeros_like(value) for name, value in weights.items()}
    second = {name: np.zeros_like(value) for name, value in weights.items()}
    for step, ids in enumerate(data, start=1):
        yield model.loss(ids)
        for name, gradient in model.gradients.items():
            first[name] += 0.1 * (gradient - first[name])
            second[name] += 0.05 * (gradient**2 - second[name])
            size = np.sqrt(second[name] / (1 - 0.95**step)) + 1e-8
            weights[name] -= RATE * first[name] / (1 - 0.9**step) / size


def short_run(source: Path, out: Path, steps: int = STEPS) -> Outcome:
    """Do everything once, with the tokenizer of `source`."""
    unpack(source, out / "source")
    tokeniser = Llama(str(source), vocab_only=True, verbose=False)
    weights = new_weights(tokeniser.n_vocab(), SEED)
    data = list(samples(tokeniser, steps, SEED))
    losses = list(train(weights, data[: steps // 2]))
    weights = grow(weights, LAYERS + 1)
    losses += train(weights, data[steps // 2 :])
    tokeniser.close()
    stored = out / "weights.npz"
    np.savez(stored, heads=np.array(HEADS), **weights)  # type: ignore[arg-type]
    model = out / "tiny-q8_0.gguf"
    digest = export(stored, out / "source" / "tokenizer.json", model)
    edge = max(1, steps // 6)
    return Outcome(
        first=float(np.mean(losses[:edge])),
        last=float(np.mean(losses[-edge:])),
        weights=stored,
        model=model,
        digest=digest,
    )


def main() -> None:
    """Run and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    source = Path(__file__).with_name("starter-q8_0.gguf")
    parser.add_argument("--model", type=Path, default=source, help="whose tokenizer to use")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    arguments = parser.parse_args()
    outcome = short_run(arguments.model, arguments.out)
    print(f"loss {outcome.first:.3f} -> {outcome.last:.3f} in {STEPS} steps")
    print(f"{outcome.digest}  {outcome.model.name}")
    for one in differences(outcome.weights, outcome.model):
        print(f"{one.name}: max |difference| {one.largest:.4f} of a spread of {one.spread:.2f}")


if __name__ == "__main__":
    main()
