"""Engines: the model file is checked, a process started around it, and that process's inside."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.config import ModelSettings
from bot.domain.terms import ModelTerms
from bot.ports.inference import InferenceEngine

ROOT = Path(__file__).resolve().parents[2]
STARTER = ROOT / "personas" / "starter" / "starter-q8_0.gguf"
STARTER_DIGEST = ROOT / "personas" / "starter" / "starter.sha256"
STARTER_NAME = "Twinproof starter"

Progress = Callable[[str, float | None], None]
"""Told the title of a long step, and the fraction that is done where that is known."""


def no_progress(_title: str, _fraction: float | None) -> None:
    """Show nothing."""


@dataclass(frozen=True, slots=True)
class CheckedModel:
    """A model file whose hash is known; `starter` if it is the one of this tree."""

    path: Path
    terms: ModelTerms
    starter: bool


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine process and what its library is.

    Attributes:
        library: name and version.
        build: SHA-256 of the shared libraries, 32 bytes.
        remark: one sentence on the build, for the operator.
    """

    engine: InferenceEngine
    library: str
    build: bytes
    remark: str


async def check_model(settings: ModelSettings, progress: Progress) -> CheckedModel:
    """Check the model file that the settings name, or the starter model.

    Raises:
        ConfigurationError: missing, damaged, or another file than expected.
    """
    from adapters.files import models

    starter = not settings.path
    path = STARTER if starter else Path(settings.path)
    expected = models.read_digest(STARTER_DIGEST) if starter else settings.sha256 or None
    file = await asyncio.to_thread(
        models.check_model,
        path,
        expected_sha256=expected,
        progress=lambda fraction: progress("Checking the model", fraction),
    )
    name = STARTER_NAME if starter else settings.name or path.stem[:64]
    terms = ModelTerms(name=name, gguf=bytes.fromhex(file.sha256), size_bytes=file.size_bytes)
    return CheckedModel(path=path, terms=terms, starter=starter)


@asynccontextmanager
async def open_engine(path: Path, *, threads: int) -> AsyncIterator[RunningEngine]:
    """Start an engine process on a model file; it ends with the block.

    Args:
        path: a checked GGUF.
        threads: 0 for all cores but one.

    Raises:
        ConfigurationError: the model can't be used.
    """
    from adapters.llama.library import inspect_build
    from adapters.llama.process import EngineProcess

    build = await asyncio.to_thread(inspect_build)
    count = threads or max(1, (os.cpu_count() or 1) - 1)
    command = [sys.executable, "-m", "bot", "engine", "--model", str(path)]
    engine = EngineProcess(command=[*command, "--threads", str(count)])
    try:
        await engine.start()
        yield RunningEngine(engine, build.library, bytes.fromhex(build.digest), build.remark)
    finally:
        await engine.close()


def run_engine(path: Path, *, threads: int) -> int:
    """Be an engine process: load the model and answer on the pipe; return the exit code."""
    from adapters.llama.child import serve_pipe
    from adapters.llama.library import inspect_build, prepare_environment
    from bot.inference.engine import Engine

    prepare_environment()

    def build() -> Engine:
        # The library reads the environment when it loads, so it is imported only here.
        from adapters.llama.model import LlamaModel

        portable = inspect_build().portable
        return Engine(model=LlamaModel(path, threads=threads, name=path.stem, portable=portable))

    return serve_pipe(build)
