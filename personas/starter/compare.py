"""Compare the logits of the exported GGUF in llama.cpp with those of the weights in NumPy."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from llama_cpp import Llama

from personas.starter.encoding import END_ID, SPECIAL_IDS
from personas.starter.export import read_weights
from personas.starter.prompt import ASSISTANT, CONTEXT, Turn, persona_text, spans
from personas.starter.reference import Reference

PROMPTS = (
    ("Ada Holm", "a lighthouse keeper", ("My boat is called Tern.",), "hi, who are you?"),
    ("Bo Lind", "a piano tuner", ("I have a dog called Fado.",), "do you have any pets?"),
    ("Cai Ito", "a kite maker", ("I fly kites every Sunday.",), "are you a bot"),
    ("Dea Roy", "a potter", ("I use a kick wheel.",), "what's your favourite film?"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """How far the logits of one prompt are apart.

    Attributes:
        largest: the largest absolute difference at the last position.
        spread: largest minus smallest logit there.
        agreeing: share of all positions at which the best token is the same.
    """

    name: str
    largest: float
    spread: float
    agreeing: float


def token_ids(model: Llama, turns: list[Turn]) -> list[int]:
    """Tokenise turns span by span, as the service does, and open the reply."""
    ids: list[int] = []
    for special, text in spans(turns):
        plain = model.tokenize(text.encode(), add_bos=False, special=False)
        ids += [SPECIAL_IDS[special], *plain, END_ID]
    return [*ids, SPECIAL_IDS[ASSISTANT]]


def differences(weights: Path, model_file: Path) -> Iterator[Difference]:
    """Yield one difference for each of the prompts."""
    arrays, heads = read_weights(weights)
    reference = Reference(arrays, heads)
    model = Llama(str(model_file), n_ctx=CONTEXT, n_threads=1, logits_all=True, verbose=False)
    for name, role, facts, question in PROMPTS:
        turns = [Turn("system", persona_text(name, role, facts)), Turn("user", question)]
        ids = token_ids(model, turns)
        model.reset()
        model.eval(ids)
        found = np.array(model.scores[: len(ids)])
        expected = reference.logits(ids)
        yield Difference(
            name=name,
            largest=float(np.abs(found[-1] - expected[-1]).max()),
            spread=float(np.ptp(expected[-1])),
            agreeing=float((found.argmax(-1) == expected.argmax(-1)).mean()),
        )
    model.close()


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="weights.npz of train.py")
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    arguments = parser.parse_args()
    for one in differences(arguments.weights, arguments.model):
        print(
            f"{one.name}: last position max |difference| {one.largest:.4f} "
            f"of a spread of {one.spread:.1f}, best token equal at {one.agreeing:.1%}"
        )


if __name__ == "__main__":
    main()
