"""Makes replies in a churned batch and replays them, in a process of its own; notes all logits.

`python -m tests.acceptance.emulation make MODEL FILE` writes claims and digests of the rows of
logits that made them; `… replay MODEL FILE` reads the claims, recomputes them one after the other
in an engine that knows nothing, and prints what it found as JSON. The second command runs under an
emulated processor as well: the whole interpreter, with everything that it loads.
"""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

os.environ["OMP_WAIT_POLICY"] = "passive"  # the library reads it when it loads

import llama_cpp as lib
import numpy as np
from numpy._core._multiarray_umath import __cpu_features__  # type: ignore[import-not-found]

from adapters.llama import wire
from adapters.llama.memory import Wishes
from adapters.llama.model import LlamaModel
from adapters.llama.states import NoStates
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.ports.inference import (
    Caller,
    Generated,
    GenerationRequest,
    ModelInfo,
    ReplayOutcome,
    ReplayRequest,
)
from bot.ports.runner import Capacity, Feed, Logits, ModelRunner

Tokens = tuple[int, ...]
SAMPLER = SamplerPolicy(temperature=0.9, top_k=40, top_p=0.95, max_tokens=14)
FANS, TURNS = 3, 2


@dataclass
class Recorder(ModelRunner):
    """A model that notes a digest of each row of logits by the tokens that it follows."""

    model: LlamaModel
    rows: dict[str, str] = field(default_factory=dict)
    _held: dict[int, Tokens] = field(default_factory=dict)

    @property
    def capacity(self) -> Capacity:
        return self.model.capacity

    def info(self) -> ModelInfo:
        return self.model.info()

    def tokenize(self, text: str, *, special: bool) -> Tokens:
        return self.model.tokenize(text, special=special)

    def piece(self, token: int) -> bytes:
        return self.model.piece(token)

    def decode(self, feeds: Sequence[Feed]) -> Logits:
        logits = self.model.decode(feeds)
        row = 0
        for feed in feeds:
            held = self._held[feed.sequence] = self._held.get(feed.sequence, ()) + feed.tokens
            assert len(held) == feed.start + len(feed.tokens)
            for end in range(len(held) - feed.rows + 1, len(held) + 1):
                name = sha256(np.asarray(held[:end], np.int32).tobytes()).hexdigest()
                found = sha256(logits[row].tobytes()).hexdigest()
                assert self.rows.setdefault(name, found) == found
                row += 1
        return logits

    def copy(self, source: int, target: int) -> None:
        self.model.copy(source, target)
        self._held[target] = self._held.get(source, ())

    def trim(self, sequence: int, length: int) -> None:
        self.model.trim(sequence, length)
        self._held[sequence] = self._held.get(sequence, ())[:length]

    def save(self, sequence: int) -> bytes:
        return self.model.save(sequence)

    def restore(self, sequence: int, tokens: int, state: bytes) -> bool:
        raise NotImplementedError("no states are kept here")


def _open(model: Path, *, parallel: int) -> tuple[Engine, Recorder]:
    wishes = Wishes(parallel=parallel, context=256)
    runner = LlamaModel(model, threads=1, name="emulated", portable=False, wishes=wishes)
    recorder = Recorder(runner)
    # Fewer places than fans, and small chunks: requests wait, are moved and cut up.
    limits = Limits(parallel=parallel, prefixes=1, chunk=16)
    return Engine(model=recorder, states=NoStates(), limits=limits), recorder


def make(model: Path, file: Path) -> None:
    """Write the claims of a few short conversations held at once, and the rows behind them."""
    engine, recorder = _open(model, parallel=4)
    rng = np.random.default_rng(3)

    def words(count: int) -> Tokens:
        return tuple(rng.integers(256, 1000, count).tolist())

    claims: list[ReplayRequest] = []
    asked: dict[int, GenerationRequest] = {}
    personas = (words(24), words(17))
    spoken: dict[int, Tokens] = {}
    number = 0
    for turn in range(TURNS):
        for fan in range(FANS):
            number += 1
            persona = personas[fan % len(personas)]
            request = GenerationRequest(
                context=persona + spoken.get(fan, ()) + words(4 + fan),
                prefix_tokens=len(persona),
                seed=bytes([number]) * 32,
                sampler=SAMPLER,
                stop_tokens=(),
                stop_strings=(),
            )
            asked[number] = request
            engine.generate(number, request, Caller(f"fan {fan}", "twin", f"fan {fan}"))
            for _ in range(2):  # the next one comes in the middle of these
                claims += _step(engine, asked)
        if turn == 0:
            engine.generate(99, asked.get(number) or claims[-1].request, Caller("passer-by"))
            claims += _step(engine, asked)
            engine.cancel(99)
        while not engine.idle:
            claims += _step(engine, asked)
        for claim in claims[-FANS:]:
            fan = (claim.request.seed[0] - 1) % FANS
            spoken[fan] = claim.request.context[claim.request.prefix_tokens :] + claim.tokens
    made = {"claims": [wire.encode_replay(claim) for claim in claims], "rows": recorder.rows}
    file.write_text(json.dumps(made))


def _step(engine: Engine, asked: dict[int, GenerationRequest]) -> list[ReplayRequest]:
    return [
        ReplayRequest(asked[number], event.tokens, event.finish, event.text, texts=())
        for number, event in engine.step()
        if isinstance(event, Generated)
    ]


def replay(model: Path, file: Path) -> None:
    """Print what a replay of each claim finds, and which rows of logits were another."""
    engine, recorder = _open(model, parallel=1)
    made = json.loads(file.read_text())
    exact = []
    for number, claim in enumerate(made["claims"]):
        engine.replay(number, wire.parse_replay(claim))
        while not engine.idle:
            exact += [event.exact for _, event in engine.step() if isinstance(event, ReplayOutcome)]
    same = [made["rows"].get(name) == found for name, found in recorder.rows.items()]
    found = {
        "exact": exact,
        "rows": len(same),
        "same_rows": sum(same),
        "digest": sha256(json.dumps(sorted(recorder.rows.items())).encode()).hexdigest(),
        "library": lib.llama_print_system_info().decode(),
        "avx512": __cpu_features__["AVX512F"],  # what the processor says of itself
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    {"make": make, "replay": replay}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
