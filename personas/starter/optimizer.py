"""The Muon optimiser (Jordan et al. 2024) for matrices, AdamW for the rest."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

from personas.starter.model import Starter


def orthogonalise(gradient: Tensor, steps: int = 5) -> Tensor:
    """Return the nearest semi-orthogonal (n, rows, columns) by Muon's Newton-Schulz quintic."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = gradient.shape[-2] > gradient.shape[-1]
    x = (gradient.mT if tall else gradient).bfloat16()
    x /= torch.linalg.matrix_norm(x, keepdim=True) + 1e-7
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    result: Tensor = (x.mT if tall else x).float()
    return result


class Muon:
    """Momentum with orthogonalised updates, stacked over matrices of one shape."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float = 0.95) -> None:
        self.momentum = momentum
        groups: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
        for parameter in parameters:
            groups[tuple(parameter.shape)].append(parameter)
        self.groups = list(groups.values())
        self.buffers = [torch.zeros(len(group), *group[0].shape) for group in self.groups]

    @torch.no_grad()
    def step(self, rate: float, decay: float = 0.01) -> None:
        """Apply one update with Nesterov momentum."""
        for group, buffer in zip(self.groups, self.buffers, strict=True):
            gradient = torch.stack([p.grad for p in group if p.grad is not None])
            buffer.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(buffer, self.momentum))
            rows, columns = group[0].shape
            scale = rate * max(1.0, rows / columns) ** 0.5
            for parameter, change in zip(group, update, strict=True):
                parameter.mul_(1 - rate * decay).sub_(change, alpha=scale)


class Optimizer:
    """Muon for the matrices of the blocks, AdamW for embeddings, norms and biases."""

    def __init__(self, model: Starter) -> None:
        vectors = {name for name, parameter in model.named_parameters() if parameter.dim() == 1}
        named = list(model.named_parameters())
        matrices = [p for name, p in named if "blk" in name and name not in vectors]
        others = [p for name, p in named if "blk" not in name or name in vectors]
        self.muon = Muon(matrices)
        self.adam = torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0)

    def step(self, matrix_rate: float, other_rate: float) -> None:
        """Apply one update and clear the gradients."""
        self.muon.step(matrix_rate)
        for group in self.adam.param_groups:
            group["lr"] = other_rate
        self.adam.step()
        self.adam.zero_grad(set_to_none=True)
        for members in self.muon.groups:
            for parameter in members:
                parameter.grad = None

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        return {"muon": self.muon.buffers, "adam": self.adam.state_dict()}

    def load(self, state: dict[str, object]) -> None:
        """Restore a checkpoint's state."""
        buffers = state["muon"]
        adam = state["adam"]
        if not isinstance(buffers, list) or not isinstance(adam, dict):
            message = "not an optimiser state"
            raise TypeError(message)
        self.muon.buffers = buffers
        self.adam.load_state_dict(adam)
