"""The model in plain NumPy: logits to compare the exported file with, and gradients to learn from.

Written apart from model.py on purpose: two ways to the same numbers find mistakes in either. It is
slow and handles one sequence at a time; the short run in CI needs nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Weights = Mapping[str, Array]
ROPE_BASE, EPSILON = 10000.0, 1e-5


def layers_of(weights: Weights) -> int:
    """Return the number of blocks."""
    return 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blk."))


@dataclass(slots=True)
class _Tape:
    """What the forward pass keeps of one block for the way back."""

    x: Array
    normed: Array
    q: Array
    k: Array
    v: Array
    p: Array
    mixed: Array
    middle: Array
    normed2: Array
    gate: Array
    up: Array


def _norm(x: Array, weight: Array) -> Array:
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON) * weight


def _norm_back(x: Array, weight: Array, dy: Array) -> tuple[Array, Array]:
    r = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + EPSILON)
    scaled = dy * weight
    dx = r * scaled - x * r**3 * np.mean(scaled * x, axis=-1, keepdims=True)
    return dx, (dy * x * r).sum(axis=0)


def _silu(x: Array) -> Array:
    return x / (1 + np.exp(-x))


def _flip(x: Array) -> Array:
    return np.ascontiguousarray(x.transpose(0, 2, 1))


@dataclass(slots=True)
class Reference:
    """The network for one set of weights, named as in the GGUF."""

    weights: dict[str, Array]
    heads: int
    gradients: dict[str, Array] = field(default_factory=dict)

    def logits(self, ids: list[int]) -> Array:
        """Return next-token logits (length, vocabulary)."""
        hidden, _ = self._forward(ids)
        return self._output(hidden)

    def loss(self, ids: list[int]) -> float:
        """Return the mean cross-entropy of every next token, and leave the gradients."""
        w = self.weights
        hidden, tapes = self._forward(ids[:-1])
        logits = self._output(hidden).astype(np.float64)
        logits -= logits.max(axis=-1, keepdims=True)
        chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        places = np.arange(len(ids) - 1)
        loss = -float(np.log(chances[places, ids[1:]]).mean())
        chances[places, ids[1:]] -= 1
        d_logits = (chances / len(places)).astype(np.float32)
        self.gradients = {name: np.zeros_like(value) for name, value in w.items()}
        final = _norm(hidden, w["output_norm.weight"])
        self.gradients["token_embd.weight"] += d_logits.T @ final
        d_final = d_logits @ w["token_embd.weight"]
        dx, self.gradients["output_norm.weight"] = _norm_back(
            hidden, w["output_norm.weight"], d_final
        )
        for number in reversed(range(len(tapes))):
            dx = self._block_back(number, tapes[number], dx)
        np.add.at(self.gradients["token_embd.weight"], ids[:-1], dx)
        return loss

    def _output(self, hidden: Array) -> Array:
        w = self.weights
        found: Array = _norm(hidden, w["output_norm.weight"]) @ w["token_embd.weight"].T
        return found

    def _forward(self, ids: list[int]) -> tuple[Array, list[_Tape]]:
        x = self.weights["token_embd.weight"][ids]
        tapes = []
        for number in range(layers_of(self.weights)):
            x, tape = self._block(number, x)
            tapes.append(tape)
        return x, tapes

    def _turn(self, x: Array, *, back: bool = False) -> Array:
        """Rotate interleaved pairs of (heads, length, size) by their place, or back."""
        size = x.shape[-1]
        rates = ROPE_BASE ** (-np.arange(0, size, 2) / size)
        angles = np.outer(np.arange(x.shape[1]), rates) * (-1 if back else 1)
        cosine, sine = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        even, odd = x[..., 0::2], x[..., 1::2]
        turned = np.empty_like(x)
        turned[..., 0::2] = even * cosine - odd * sine
        turned[..., 1::2] = even * sine + odd * cosine
        return turned

    def _split(self, x: Array) -> Array:
        # Contiguous: NumPy multiplies strided stacks without BLAS, a hundred times slower.
        return np.ascontiguousarray(x.reshape(len(x), self.heads, -1).transpose(1, 0, 2))

    def _join(self, x: Array) -> Array:
        return x.transpose(1, 0, 2).reshape(x.shape[1], -1)

    def _block(self, number: int, x: Array) -> tuple[Array, _Tape]:
        w, at = self.weights, f"blk.{number}."
        normed = _norm(x, w[f"{at}attn_norm.weight"])
        q = self._turn(self._split(normed @ w[f"{at}attn_q.weight"].T + w[f"{at}attn_q.bias"]))
        k = self._turn(self._split(normed @ w[f"{at}attn_k.weight"].T + w[f"{at}attn_k.bias"]))
        v = self._split(normed @ w[f"{at}attn_v.weight"].T)
        scores = q @ _flip(k) / math.sqrt(q.shape[-1])
        scores += np.triu(np.full((len(x), len(x)), -1e30, np.float32), 1)
        p = np.exp(scores - scores.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        mixed = self._join(p @ v)
        middle = x + mixed @ w[f"{at}attn_output.weight"].T
        normed2 = _norm(middle, w[f"{at}ffn_norm.weight"])
        gate, up = normed2 @ w[f"{at}ffn_gate.weight"].T, normed2 @ w[f"{at}ffn_up.weight"].T
        tape = _Tape(x, normed, q, k, v, p, mixed, middle, normed2, gate, up)
        return middle + (_silu(gate) * up) @ w[f"{at}ffn_down.weight"].T, tape

    def _block_back(self, number: int, tape: _Tape, dx: Array) -> Array:
        w, g, at = self.weights, self.gradients, f"blk.{number}."
        inner = _silu(tape.gate) * tape.up
        g[f"{at}ffn_down.weight"] = dx.T @ inner
        d_inner = dx @ w[f"{at}ffn_down.weight"]
        sigmoid = 1 / (1 + np.exp(-tape.gate))
        d_gate = d_inner * tape.up * sigmoid * (1 + tape.gate * (1 - sigmoid))
        d_up = d_inner * _silu(tape.gate)
        g[f"{at}ffn_gate.weight"] = d_gate.T @ tape.normed2
        g[f"{at}ffn_up.weight"] = d_up.T @ tape.normed2
        d_normed = d_gate @ w[f"{at}ffn_gate.weight"] + d_up @ w[f"{at}ffn_up.weight"]
        d_middle, g[f"{at}ffn_norm.weight"] = _norm_back(
            tape.middle, w[f"{at}ffn_norm.weight"], d_normed
        )
        d_middle += dx
        return d_middle + self._attention_back(at, tape, d_middle)

    def _attention_back(self, at: str, tape: _Tape, d_middle: Array) -> Array:
        w, g = self.weights, self.gradients
        g[f"{at}attn_output.weight"] = d_middle.T @ tape.mixed
        d_mixed = self._split(d_middle @ w[f"{at}attn_output.weight"])
        dv = _flip(tape.p) @ d_mixed
        dp = d_mixed @ _flip(tape.v)
        ds = tape.p * (dp - (dp * tape.p).sum(axis=-1, keepdims=True))
        ds /= math.sqrt(tape.q.shape[-1])
        dq = self._join(self._turn(ds @ tape.k, back=True))
        dk = self._join(self._turn(_flip(ds) @ tape.q, back=True))
        d_normed = np.zeros_like(tape.normed)
        for name, d in (("attn_q", dq), ("attn_k", dk), ("attn_v", self._join(dv))):
            g[f"{at}{name}.weight"] = d.T @ tape.normed
            d_normed += d @ w[f"{at}{name}.weight"]
            if name != "attn_v":
                g[f"{at}{name}.bias"] = d.sum(axis=0)
        dx, g[f"{at}attn_norm.weight"] = _norm_back(tape.x, w[f"{at}attn_norm.weight"], d_normed)
        return dx
