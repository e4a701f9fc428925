"""Train the starter model on one CPU thread or one GPU; resumable, with a step-based schedule."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.nn import functional

from personas.starter.batches import Batch, Mixture, validation
from personas.starter.model import Shape, Starter
from personas.starter.optimizer import Optimizer

MATRIX_RATE, OTHER_RATE = 0.02, 0.004
WARM_UP, DECAY_SHARE = 40, 0.5
VALIDATION_SETS = ("spc-valid", "talk-valid")
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def schedule(step: int, steps: int) -> float:
    """Return the learning-rate factor: warm-up, constant, linear decay."""
    return min(1.0, (step + 1) / WARM_UP, (steps - step) / max(1.0, steps * DECAY_SHARE))


def cross_entropy(hidden: Tensor, table: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted cross-entropy of rows of hidden states."""
    logits = functional.linear(hidden, table).float()
    each = functional.cross_entropy(logits, targets, reduction="none")
    return (each * weights).sum() / weights.sum()


def scored_loss(
    model: Starter,
    hidden: Tensor,
    targets: Tensor,
    weights: Tensor,
    head: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = cross_entropy,
) -> Tensor:
    """Return the weighted cross-entropy; logits are computed only where a token is scored."""
    places = weights.flatten().nonzero().squeeze(1)
    chosen = weights.flatten()[places]
    rows = hidden.flatten(0, 1)[places]
    return head(rows, model.token_embd.weight, targets.flatten()[places], chosen)


def make_loss(model: Starter, *, compiled: bool) -> Loss:
    """Return the weighted cross-entropy of a batch."""
    if compiled:
        # Block by block: all blocks share one compiled program for each batch length.
        torch._dynamo.config.cache_size_limit = 64  # noqa: SLF001 - no public name
        for block in model.blk:
            block.compile(dynamic=False)
    head = torch.compile(cross_entropy, dynamic=True) if compiled else cross_entropy

    def loss(inputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16):
            return scored_loss(model, model(inputs), targets, weights, head)

    return loss


def reply_loss(model: Starter, batches: list[Batch]) -> float:
    """Return the mean cross-entropy over reply tokens, each counted once."""
    total, count = 0.0, 0
    device = model.token_embd.weight.device
    with torch.no_grad():
        for batch in batches:
            tokens, replies = batch.tokens.to(device), (batch.weights >= 1).float().to(device)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                loss = scored_loss(model, model(tokens[:, :-1]), tokens[:, 1:], replies)
            scored = int(replies.sum())
            total, count = total + float(loss) * scored, count + scored
    return total / max(1, count)


class Workers:
    """Processes that share the work of a step, as torchrun starts them; one alone without it."""

    def __init__(self) -> None:
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.number = int(os.environ.get("RANK", "0"))
        if self.count > 1:
            distributed.init_process_group("gloo")

    @property
    def leads(self) -> bool:
        """Whether this process writes files and progress."""
        return self.number == 0

    def average(self, model: Starter) -> None:
        """Average the gradients over all processes."""
        if self.count == 1:
            return
        found = [p.grad for p in model.parameters() if p.grad is not None]
        joined = torch.cat([gradient.flatten() for gradient in found])
        distributed.all_reduce(joined)
        joined /= self.count
        parts = torch.split(joined, [gradient.numel() for gradient in found])
        for gradient, part in zip(found, parts, strict=True):
            gradient.copy_(part.view_as(gradient))


def save(path: Path, content: dict[str, object]) -> None:
    """Write a checkpoint beside its place and move it there."""
    beside = path.with_suffix(".part")
    torch.save(content, beside)
    beside.replace(path)


class Run:
    """One training run with everything that a checkpoint holds."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        torch.manual_seed(arguments.seed)
        torch.set_num_threads(arguments.threads)
        self.arguments = arguments
        self.device = torch.device(arguments.device)
        self.shape = Shape(
            width=arguments.width,
            layers=arguments.layers,
            heads=arguments.heads,
            feed_forward=arguments.feed_forward,
        )
        self.model = Starter(self.shape).to(self.device)
        if arguments.initial:
            self.model.load_weights(arguments.initial)
        self.optimizer = Optimizer(self.model)
        self.workers = Workers()
        self.step, self.batches, self.scored = 0, 0, 0
        self.wall, self.cpu = 0.0, 0.0
        self.checkpoint: Path = arguments.out / "checkpoint.pt"
        if self.checkpoint.exists():
            self._resume()
        self.first = self.step
        self.began = (time.monotonic(), time.process_time())

    def _resume(self) -> None:
        """Continue from the last checkpoint."""
        content = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        self.model.load_state_dict(content["model"])
        self.optimizer.load(content["optimizer"])
        self.step, self.scored = content["step"], content["scored"]
        self.batches = content.get("batches", self.step)
        self.wall, self.cpu = content["wall"], content["cpu"]

    def elapsed(self) -> tuple[float, float]:
        """Return wall and CPU seconds over all sessions."""
        wall = self.wall + time.monotonic() - self.began[0]
        return wall, self.cpu + time.process_time() - self.began[1]

    def save(self) -> None:
        """Write the checkpoint."""
        wall, cpu = self.elapsed()
        content: dict[str, object] = {
            "shape": asdict(self.shape),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state(),
            "step": self.step,
            "batches": self.batches,
            "scored": self.scored,
            "wall": wall,
            "cpu": cpu,
        }
        save(self.checkpoint, content)
        self.model.store_weights(self.checkpoint.with_name("weights.npz"))

    def report(self, loss: float, sets: dict[str, list[Batch]]) -> None:
        """Append losses and cost to the log."""
        wall, cpu = self.elapsed()
        row: dict[str, float] = {"step": self.step, "scored": self.scored, "loss": round(loss, 4)}
        row |= {name: round(reply_loss(self.model, batches), 4) for name, batches in sets.items()}
        row |= {"wall": round(wall), "cpu": round(cpu)}
        with (self.arguments.out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def progress(self, loss: float) -> None:
        """Draw a progress bar with the time left."""
        wall = time.monotonic() - self.began[0]
        done, steps = self.step - self.first, self.arguments.steps
        left = wall / max(1, done) * (steps - self.step)
        bar = "#" * int(30 * self.step / steps)
        counts = f"{self.step}/{steps} loss {loss:.3f}, {self.scored / 1e6:.2f}M tokens"
        sys.stderr.write(f"\r[{bar:<30}] {counts}, {left / 60:.1f} min left ")
        sys.stderr.flush()

    def train(self) -> None:
        """Train to the last step."""
        arguments = self.arguments
        sets = {
            name: validation(arguments.prepared, name, arguments.validation)
            for name in VALIDATION_SETS
        }
        loss_of = make_loss(self.model, compiled=not arguments.eager)
        mean = 0.0
        for number, batch in enumerate(Mixture(arguments.prepared, arguments.seed).batches()):
            if number < self.batches or number % self.workers.count != self.workers.number:
                continue
            loss = loss_of(*self._inputs(batch))
            torch.autograd.backward(loss)
            self.workers.average(self.model)
            factor = arguments.rate * schedule(self.step, arguments.steps)
            self.optimizer.step(MATRIX_RATE * factor, OTHER_RATE * factor)
            self.step += 1
            self.batches += self.workers.count
            self.scored += batch.scored * self.workers.count
            mean = float(loss.detach()) if not mean else 0.95 * mean + 0.05 * float(loss.detach())
            if self.step % 10 == 0 and self.workers.leads:
                self.progress(mean)
            due = self.step % arguments.every == 0 or self.step == arguments.steps
            if due and self.workers.leads:
                self.report(mean, sets)
                self.save()
            if self.step in {arguments.until, arguments.steps}:
                return

    def _inputs(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        tokens = batch.tokens.to(self.device)
        weights = batch.weights.to(self.device)
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), weights


def main() -> None:
    """Train or resume."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prepared", type=Path, required=True, help="folder that data.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint and log")
    parser.add_argument("--steps", type=int, default=4300, help="number of optimiser steps")
    parser.add_argument("--until", type=int, help="stop here; the schedule still ends at --steps")
    parser.add_argument("--every", type=int, default=150, help="steps between checkpoints")
    parser.add_argument("--validation", type=int, default=64, help="samples per validation set")
    parser.add_argument("--seed", type=int, default=7, help="seed of weights and batch order")
    parser.add_argument("--width", type=int, default=192, help="model width, a multiple of 32")
    parser.add_argument("--layers", type=int, default=6, help="number of blocks")
    parser.add_argument("--heads", type=int, default=3, help="attention heads")
    parser.add_argument("--feed-forward", type=int, default=512, help="inner width of the MLP")
    parser.add_argument("--initial", type=Path, help="weights.npz to start from")
    parser.add_argument("--rate", type=float, default=1.0, help="factor of both learning rates")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--eager", action="store_true", help="don't compile (slower, no compiler)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    Run(arguments).train()


if __name__ == "__main__":
    main()
