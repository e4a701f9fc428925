"""A small model with random weights and a ChatML template, for tests that need another GGUF.

It speaks nonsense; what matters is that llama.cpp loads it and that its shape is the caller's.
"""

from pathlib import Path

import gguf
import numpy as np

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIALS = ["<|im_start|>", "<|im_end|>"]


def byte_characters() -> list[str]:
    """Return GPT-2's printable stand-in for each of the 256 bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    stand_ins = {byte: chr(byte) for byte in printable}
    hidden = (byte for byte in range(256) if byte not in stand_ins)
    stand_ins |= {byte: chr(256 + number) for number, byte in enumerate(hidden)}
    return [stand_ins[byte] for byte in range(256)]


def write_model(path: Path, *, width: int = 64, layers: int = 2, context: int = 1024) -> None:
    """Write a llama of `layers` blocks with one head a 32 columns, all matrices Q8_0."""
    writer = gguf.GGUFWriter(path, "llama")
    _add_shape(writer, width=width, layers=layers, context=context)
    _add_tokenizer(writer)
    _add_tensors(writer, width=width, layers=layers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, *, width: int, layers: int, context: int) -> None:
    writer.add_name("random ChatML")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(width // 32)
    writer.add_head_count_kv(width // 32)
    writer.add_rope_dimension_count(32)
    writer.add_layer_norm_rms_eps(1e-5)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    tokens = [*byte_characters(), *SPECIALS]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIALS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["h i"])
    writer.add_eos_token_id(257)
    writer.add_add_bos_token(value=False)
    writer.add_chat_template(CHATML)


def _add_tensors(writer: gguf.GGUFWriter, *, width: int, layers: int) -> None:
    rng = np.random.default_rng(7)

    def matrix(name: str, rows: int, columns: int) -> None:
        values = rng.normal(0, 1.5 / np.sqrt(columns), (rows, columns)).astype(np.float32)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)

    def ones(name: str) -> None:
        writer.add_tensor(name, np.ones(width, np.float32))

    matrix("token_embd.weight", 256 + len(SPECIALS), width)
    ones("output_norm.weight")
    for block in range(layers):
        for norm in ("attn_norm", "ffn_norm"):
            ones(f"blk.{block}.{norm}.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{block}.{name}.weight", width, width)
        matrix(f"blk.{block}.ffn_gate.weight", 2 * width, width)
        matrix(f"blk.{block}.ffn_up.weight", 2 * width, width)
        matrix(f"blk.{block}.ffn_down.weight", width, 2 * width)
