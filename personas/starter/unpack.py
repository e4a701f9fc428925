"""Take a starter GGUF apart again: weights.npz to train on from, tokenizer.json to prepare with."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

from personas.starter.prompt import SPECIALS
from personas.starter.reference import Array


def read_model(path: Path) -> tuple[dict[str, Array], int]:
    """Return the weights as the engine sees them (dequantised), and the number of heads."""
    reader = gguf.GGUFReader(path)
    weights = {
        tensor.name: np.array(
            gguf.quants.dequantize(tensor.data, tensor.tensor_type), dtype=np.float32
        )
        for tensor in reader.tensors
    }
    return weights, int(reader.fields["llama.attention.head_count"].contents())


def read_tokenizer(path: Path) -> dict[str, object]:
    """Return the tokenizer of a GGUF in the JSON form of the tokenizers library."""
    fields = gguf.GGUFReader(path).fields
    tokens: list[str] = fields["tokenizer.ggml.tokens"].contents()
    merges: list[str] = fields["tokenizer.ggml.merges"].contents()
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    level["use_regex"] = True
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    added = [
        {"id": number, "content": token, **flags, "special": True}
        for number, token in enumerate(SPECIALS)
    ]
    bpe = {"dropout": None, "unk_token": None, "continuing_subword_prefix": None}
    bpe |= {"end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            **bpe,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [merge.split(" ") for merge in merges],
        },
    }


def unpack(model: Path, out: Path) -> None:
    """Write weights.npz and tokenizer.json of a GGUF."""
    out.mkdir(parents=True, exist_ok=True)
    weights, heads = read_model(model)
    np.savez(out / "weights.npz", heads=np.array(heads), **weights)  # type: ignore[arg-type]
    text = json.dumps(read_tokenizer(model), ensure_ascii=False, indent=1)
    (out / "tokenizer.json").write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """Take a model apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    parser.add_argument("--out", type=Path, required=True, help="folder for the two files")
    arguments = parser.parse_args()
    unpack(arguments.model, arguments.out)


if __name__ == "__main__":
    main()
