"""Export weights as GGUF with Q8_0 matrices; the same weights give the same bytes."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

from personas.starter.prompt import CHAT_TEMPLATE, CONTEXT, END, PAD, SPECIALS
from personas.starter.reference import EPSILON, ROPE_BASE, Array, layers_of

AUTHORS = "Twinproof contributors"
DESCRIPTION = "Small model to try the service and for tests; not for production."
BLOCK = 32
DATASET = "https://arxiv.org/abs/2312.10007"


def add_general(writer: gguf.GGUFWriter) -> None:
    """Write name, licence and origin; nothing depends on time or machine."""
    writer.add_name("Twinproof starter")
    writer.add_author(AUTHORS)
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_string(
        "general.dataset.attribution", f"Synthetic-Persona-Chat, CC BY 4.0, {DATASET}"
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def add_shape(writer: gguf.GGUFWriter, weights: Mapping[str, Array], heads: int) -> None:
    """Write the hyperparameters of arch llama, read off the weights."""
    vocabulary, width = weights["token_embd.weight"].shape
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(layers_of(weights))
    writer.add_feed_forward_length(len(weights["blk.0.ffn_gate.weight"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_rope_dimension_count(width // heads)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(vocabulary)


def add_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """Write the byte-level BPE vocabulary, its merges, special tokens and chat template."""
    model = json.loads(path.read_text(encoding="utf-8"))["model"]
    ids: dict[str, int] = model["vocab"]
    tokens = sorted(ids, key=lambda token: ids[token])
    kinds = [gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_bos_token_id(ids[END])
    writer.add_eos_token_id(ids[END])
    writer.add_eot_token_id(ids[END])
    writer.add_pad_token_id(ids[PAD])
    writer.add_add_bos_token(value=False)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensors(writer: gguf.GGUFWriter, weights: Mapping[str, Array]) -> None:
    """Write matrices as Q8_0 (32 weights share a half-precision scale), vectors as F32.

    Raises:
        ValueError: a row is no multiple of 32 long, so that the file would not be pure Q8_0.
    """
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, values in weights.items():
        if values.ndim == 1:
            writer.add_tensor(name, values)
            continue
        if values.shape[1] % BLOCK:
            raise ValueError(f"{name}: rows of {values.shape[1]} are no multiple of {BLOCK}")
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def read_weights(path: Path) -> tuple[dict[str, Array], int]:
    """Return the weights that train.py stored, and the number of attention heads."""
    with np.load(path) as arrays:
        weights = {name: arrays[name].astype(np.float32) for name in arrays if name != "heads"}
        return weights, int(arrays["heads"])


def export(weights: Path, tokenizer: Path, out: Path) -> str:
    """Write the GGUF beside its place, move it there and return its SHA-256."""
    arrays, heads = read_weights(weights)
    beside = out.with_suffix(".part")
    writer = gguf.GGUFWriter(beside, "llama")
    add_general(writer)
    add_shape(writer, arrays, heads)
    add_tokenizer(writer, tokenizer)
    add_tensors(writer, arrays)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    beside.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main() -> None:
    """Export and write the checksum file beside the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="weights.npz of train.py")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--out", type=Path, required=True, help="the .gguf file to write")
    arguments = parser.parse_args()
    digest = export(arguments.weights, arguments.tokenizer, arguments.out)
    line = f"{digest}  {arguments.out.name}\n"
    (arguments.out.parent / "starter.sha256").write_text(line, encoding="utf-8")
    print(line, end="")


if __name__ == "__main__":
    main()
