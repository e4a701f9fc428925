"""Compare the logits of a checkpoint in PyTorch with those of its GGUF in llama.cpp."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from llama_cpp import Llama
from tokenizers import Tokenizer

from personas.starter.model import Shape, Starter
from personas.starter.prompt import ASSISTANT, CONTEXT, END, Turn, persona_text, spans
from personas.starter.tokenizer import special_id

PROMPTS = (
    ("Ada Holm", "a lighthouse keeper", ("My boat is called Tern.",), "hi, who are you?"),
    ("Bo Lind", "a piano tuner", ("I have a dog called Fado.",), "do you have any pets?"),
    ("Cai Ito", "a kite maker", ("I fly kites every Sunday.",), "are you a bot"),
    ("Dea Roy", "a potter", ("I use a kick wheel.",), "what's your favourite film?"),
)


def token_ids(tokenizer: Tokenizer, turns: list[Turn]) -> list[int]:
    """Tokenise turns span by span and open the reply."""
    ids: list[int] = []
    for special, text in spans(turns):
        plain = tokenizer.encode(text).ids
        ids += [special_id(tokenizer, special), *plain, special_id(tokenizer, END)]
    return [*ids, special_id(tokenizer, ASSISTANT)]


def main() -> None:
    """Print the largest logit difference and whether the best tokens agree, per prompt."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of train.py")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    content = torch.load(arguments.checkpoint, weights_only=True)
    reference = Starter(Shape(**content["shape"]))
    reference.load_state_dict(content["model"])
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    model = Llama(str(arguments.model), n_ctx=CONTEXT, n_threads=1, logits_all=True, verbose=False)
    for name, role, facts, question in PROMPTS:
        turns = [Turn("system", persona_text(name, role, facts)), Turn("user", question)]
        ids = token_ids(tokenizer, turns)
        for (_, text), span in zip(spans(turns), turns, strict=True):
            plain = model.tokenize(text.encode(), add_bos=False, special=False)
            if plain != tokenizer.encode(text).ids:
                message = f"tokenisation of the {span.role} span differs"
                raise ValueError(message)
        model.n_tokens = 0
        model.eval(ids)
        found = np.array(model.scores[: len(ids)])
        with torch.no_grad():
            expected = reference.logits(torch.tensor([ids]))[0].numpy()
        largest = float(np.abs(found[-1] - expected[-1]).max())
        agree = float((found.argmax(-1) == expected.argmax(-1)).mean())
        print(
            f"{name}: last position max |difference| {largest:.4f}, "
            f"best token equal at {agree:.1%} of {len(ids)} positions"
        )


if __name__ == "__main__":
    main()
