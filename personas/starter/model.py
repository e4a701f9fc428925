"""The Llama architecture with query/key biases, small enough for one CPU thread."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from personas.starter.prompt import CONTEXT

QUERY_BLOCK = 128


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model; every width is a multiple of 32 so that Q8_0 is pure."""

    vocabulary: int = 4096
    width: int = 192
    layers: int = 6
    heads: int = 3
    feed_forward: int = 512
    rope_base: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def rope_tables(shape: Shape, length: int = CONTEXT) -> tuple[Tensor, Tensor]:
    """Return cosine and sine (length, head/2) of rotary embeddings (Su et al. 2021)."""
    pairs = torch.arange(0, shape.head, 2, dtype=torch.float32) / shape.head
    angles = torch.outer(torch.arange(length, dtype=torch.float32), shape.rope_base**-pairs)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate interleaved pairs of (batch, heads, length, head), as llama.cpp's arch llama does."""
    even, odd = x[..., 0::2], x[..., 1::2]
    turned = torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1)
    return turned.flatten(-2).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return causal attention (batch, heads, length, head).

    On a CPU by blocks of queries, each with the keys up to its end: a whole training step is 1.4 to
    1.5 times as fast (lengths 256 and 512) as with PyTorch's flash attention for CPUs.
    """
    if q.is_cuda:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    q = q * (1 / math.sqrt(q.shape[-1]))
    parts = []
    for start in range(0, q.shape[2], QUERY_BLOCK):
        stop = min(start + QUERY_BLOCK, q.shape[2])
        scores = q[:, :, start:stop] @ k[:, :, :stop].mT
        hidden = torch.full((stop - start, stop), -1e4).triu(start + 1)
        chances = torch.softmax(scores.float() + hidden, -1).to(v.dtype)
        parts.append(chances @ v[:, :, :stop])
    return torch.cat(parts, 2)


class Norm(nn.Module):
    """Root mean square normalisation (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension in float32."""
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)
        return (scaled * self.weight).to(x.dtype)


class Layer(nn.Module):
    """One pre-norm transformer block: causal attention, then SwiGLU (Shazeer 2020)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        width, inner = shape.width, shape.feed_forward
        self.attn_norm = Norm(width, shape.norm_epsilon)
        self.attn_q = nn.Linear(width, width)
        self.attn_k = nn.Linear(width, width)
        self.attn_v = nn.Linear(width, width, bias=False)
        self.attn_output = nn.Linear(width, width, bias=False)
        self.ffn_norm = Norm(width, shape.norm_epsilon)
        self.ffn_gate = nn.Linear(width, inner, bias=False)
        self.ffn_up = nn.Linear(width, inner, bias=False)
        self.ffn_down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Return the residual stream (batch, length, width) after this block."""
        batch, length, width = x.shape
        h = self.attn_norm(x)

        def split(projected: Tensor) -> Tensor:
            return projected.view(batch, length, self.heads, -1).transpose(1, 2)

        attended = attend(
            rotate(split(self.attn_q(h)), cosine, sine),
            rotate(split(self.attn_k(h)), cosine, sine),
            split(self.attn_v(h)),
        )
        x = x + self.attn_output(attended.transpose(1, 2).reshape(batch, length, width))
        h = self.ffn_norm(x)
        added: Tensor = self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x + added


class Starter(nn.Module):
    """A decoder with tied embeddings."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.norm_epsilon)
        cosine, sine = rope_tables(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Draw the weights; outputs of residual branches start smaller."""
        for name, parameter in self.named_parameters():
            if parameter.dim() == 1:
                nn.init.zeros_(parameter) if name.endswith("bias") else nn.init.ones_(parameter)
                continue
            deviation = 0.02 if "token_embd" in name else 1 / math.sqrt(parameter.shape[1])
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                deviation /= math.sqrt(2 * self.shape.layers)
            nn.init.normal_(parameter, std=deviation)
        for layer, head, distance in ((0, 0, 1), (0, 1, 1), (0, 2, 2), (1, 0, 1)):
            if layer < self.shape.layers and head < self.shape.heads:
                self._look_back(layer, head, distance)

    def _look_back(self, layer: int, head: int, distance: int) -> None:
        """Bias one head towards the token `distance` back, on its fastest rotary pairs."""
        size, scale = self.shape.head, 8.0
        pairs = min(12, size // 2)
        frequencies = self.shape.rope_base ** (-torch.arange(pairs) * 2 / size)
        first = head * size
        even = slice(first, first + 2 * pairs, 2)
        odd = slice(first + 1, first + 2 * pairs, 2)
        block = self.blk.get_submodule(str(layer))
        if not isinstance(block, Layer):
            raise TypeError
        with torch.no_grad():
            block.attn_q.bias[even] = scale
            block.attn_k.bias[even] = scale * (frequencies * distance).cos()
            block.attn_k.bias[odd] = scale * (frequencies * distance).sin()

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the normalised hidden state (batch, length, width) of token ids."""
        length = tokens.shape[1]
        cosine, sine = self.cosine[:length], self.sine[:length]
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, cosine, sine)
        hidden: Tensor = self.output_norm(x)
        return hidden

    def store_weights(self, path: Path) -> None:
        """Write the weights as .npz for the export; the head count tells the shape."""
        arrays = {name: tensor.float().cpu().numpy() for name, tensor in self.state_dict().items()}
        beside = path.with_suffix(".part.npz")
        np.savez(beside, heads=np.array(self.shape.heads), **arrays)
        beside.replace(path)

    def load_weights(self, path: Path) -> None:
        """Read weights that `store_weights` wrote for a model of the same shape."""
        with np.load(path) as arrays:
            state = {name: torch.from_numpy(arrays[name]) for name in arrays if name != "heads"}
        self.load_state_dict(state)

    def logits(self, tokens: Tensor) -> Tensor:
        """Return next-token logits (batch, length, vocabulary)."""
        return functional.linear(self.forward(tokens), self.token_embd.weight)
