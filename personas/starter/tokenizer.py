"""Train the byte-level BPE tokenizer on the Synthetic-Persona-Chat training split."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from personas.starter.prompt import SPECIALS
from personas.starter.spc import TRAIN_SPLITS, read_conversations

VOCABULARY = 4096


def plain_ids(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """Return a function from plain text to ids; a fan who types a control token types letters."""
    tokenizer.encode_special_tokens = True

    def tokenise(text: str) -> list[int]:
        ids: list[int] = tokenizer.encode(text).ids
        return ids

    return tokenise


def _texts(data: Path) -> Iterator[str]:
    """Yield every fact and message with the leading space that spans carry."""
    for conversation in read_conversations(data, TRAIN_SPLITS):
        for fact in (*conversation.facts[0], *conversation.facts[1]):
            yield f" {fact}"
        for _, text in conversation.messages:
            yield f" {text}"


def train_tokenizer(data: Path) -> Tokenizer:
    """Train byte-level BPE (Sennrich et al. 2016, GPT-2 variant) with 4,096 tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIALS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(data), trainer)
    return tokenizer


def main() -> None:
    """Write the tokenizer file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the dialogue data")
    parser.add_argument("--out", type=Path, required=True, help="tokenizer.json to write")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    train_tokenizer(arguments.data).save(str(arguments.out))


if __name__ == "__main__":
    main()
