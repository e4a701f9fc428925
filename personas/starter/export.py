"""Export a checkpoint as GGUF with Q8_0 matrices; the same checkpoint gives the same bytes."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
import torch
from torch import Tensor

from personas.starter.model import Shape
from personas.starter.prompt import CHAT_TEMPLATE, CONTEXT, END, PAD, SPECIALS

AUTHORS = "Twinproof contributors"
DESCRIPTION = "Small model to try the service and for tests; not for production."
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


def add_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    """Write the hyperparameters of arch llama."""
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)


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


def add_tensors(writer: gguf.GGUFWriter, weights: Mapping[str, Tensor]) -> None:
    """Write matrices as Q8_0 (32 weights share a half-precision scale), vectors as F32."""
    kind = gguf.GGMLQuantizationType.Q8_0
    for name, tensor in weights.items():
        values = tensor.detach().numpy().astype(np.float32)
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)


def export(checkpoint: Path, tokenizer: Path, out: Path) -> str:
    """Write the GGUF beside its place, move it there and return its SHA-256."""
    content = torch.load(checkpoint, weights_only=True)
    beside = out.with_suffix(".part")
    writer = gguf.GGUFWriter(beside, "llama")
    add_general(writer)
    add_shape(writer, Shape(**content["shape"]))
    add_tokenizer(writer, tokenizer)
    add_tensors(writer, content["model"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    beside.replace(out)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def main() -> None:
    """Export and write the checksum file beside the model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoint", type=Path, required=True, help="checkpoint.pt of train.py")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--out", type=Path, required=True, help="the .gguf file to write")
    arguments = parser.parse_args()
    digest = export(arguments.checkpoint, arguments.tokenizer, arguments.out)
    line = f"{digest}  {arguments.out.name}\n"
    (arguments.out.parent / "starter.sha256").write_text(line, encoding="utf-8")
    print(line, end="")


if __name__ == "__main__":
    main()
