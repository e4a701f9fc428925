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
from bot.wiring.engine_process import (
    NO_OPTIONS,
    ROOT,
    STATES,
    EngineOptions,
    build_engine,
    run_engine,
)

__all__ = [
    "NO_OPTIONS",
    "ROOT",
    "CheckedModel",
    "EngineOptions",
    "RunningEngine",
    "build_engine",
    "check_model",
    "open_engine",
    "options_of",
    "run_engine",
]

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


def options_of(settings: ModelSettings, model: CheckedModel, folder: Path) -> EngineOptions:
    """Return the operator's options for a model.

    Args:
        settings: from the configuration.
        model: what is to run.
        folder: of the engine's own, in the service's data folder.
    """
    return EngineOptions(
        sha256=model.terms.gguf.hex(),
        folder=str(folder.absolute()),
        parallel=settings.parallel,
        context=settings.context,
        gpu_layers=settings.gpu_layers,
        state_disk_mb=settings.state_disk_mb,
    )


@asynccontextmanager
async def open_engine(
    path: Path, *, threads: int, options: EngineOptions = NO_OPTIONS
) -> AsyncIterator[RunningEngine]:
    """Start an engine process on a model file; it ends with the block.

    Args:
        path: a checked GGUF.
        threads: 0 for all cores but one.
        options: what it keeps and how large it is; without them it keeps nothing on disk.

    Raises:
        ConfigurationError: the model can't be used.
    """
    from adapters.llama.library import inspect_build
    from adapters.llama.process import EngineProcess

    build = await asyncio.to_thread(inspect_build)
    count = threads or max(1, (os.cpu_count() or 1) - 1)
    # Not through the command line, whose modules would double the time until it is ready.
    command = [sys.executable, "-P", "-m", "bot.wiring.engine_process", str(path), str(count)]
    command.append(options.text())
    states = Path(options.folder) / STATES if options.folder else None
    engine = EngineProcess(command=command, states=states)
    try:
        await engine.start()
        remark = f"{build.remark}; {engine.remark}" if build.portable else build.remark
        yield RunningEngine(engine, build.library, bytes.fromhex(build.digest), remark)
    finally:
        await engine.close()
