"""The engine process's inside: model, self-check, states and engine are put together.

Imports little: a service that starts, and one whose engine has died, wait for this module.
"""

import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bot.domain.errors import ConfigurationError
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.inference.selfcheck import check_profile, settle
from bot.ports.runner import StateStore

if TYPE_CHECKING:
    from adapters.llama.answers import AnswerBook

ROOT = Path(__file__).resolve().parents[2]
STATES = "states"
STARTER_ANSWER = ROOT / "personas" / "starter" / "starter.known-answer"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What an engine process is told beside its model; 0 leaves a number to it.

    Attributes:
        sha256: of the model file, hex; without it no state is kept.
        folder: the engine's own, for states and known answers; empty: nothing is kept.
        parallel: most replies that are written at once.
        context: longest conversation, in tokens.
        gpu_layers: how many layers a GPU takes; -1 for all.
        state_disk_mb: how much disk the states may take, in MiB.
    """

    sha256: str = ""
    folder: str = ""
    parallel: int = 0
    context: int = 0
    gpu_layers: int = 0
    state_disk_mb: int = 0

    def text(self) -> str:
        """Return them for a command line."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> "EngineOptions":
        """Read what `text` wrote; an empty text is no options."""
        return cls(**json.loads(text or "{}"))


NO_OPTIONS = EngineOptions()


def run_engine(path: Path, *, threads: int, options: EngineOptions = NO_OPTIONS) -> int:
    """Be an engine process: load the model and answer on the pipe; return the exit code."""
    from adapters.llama.child import Ready, serve_pipe
    from adapters.llama.library import prepare_environment

    prepare_environment()

    def build() -> Ready:
        engine, remark = build_engine(path, threads=threads, options=options)
        return Ready(engine, remark)

    return serve_pipe(build)


def build_engine(path: Path, *, threads: int, options: EngineOptions) -> tuple[Engine, str]:
    """Load a model in this process and check the exact profile.

    Returns:
        The engine and one sentence on the profile.

    Raises:
        ConfigurationError: the model can't be used.
    """
    from adapters.llama.library import inspect_build

    # The library reads the environment when it loads, so it is imported only here.
    from adapters.llama.memory import Wishes
    from adapters.llama.model import LlamaModel

    build = inspect_build()
    wishes = Wishes(options.parallel, options.context, options.gpu_layers)
    model = LlamaModel(
        path, threads=threads, name=path.stem, portable=build.portable, wishes=wishes
    )
    remark = build.remark
    if model.portable:
        answers = _answers(options)
        found = check_profile(model)
        verdict = settle(found, answers.find(options.sha256, build.library))
        remark = verdict.remark
        if verdict.exact:
            model.confirm_profile()
            answers.note(options.sha256, build.library, found.answer)
    model.tune()
    limits = Limits(parallel=model.sizes.parallel, prefixes=model.sizes.prefixes)
    return Engine(model=model, states=_open_states(options, build.digest), limits=limits), remark


def _answers(options: EngineOptions) -> "AnswerBook":
    from adapters.llama.answers import AnswerBook

    own = Path(options.folder) / "known-answers" if options.folder else None
    return AnswerBook(STARTER_ANSWER, own=own)


def _open_states(options: EngineOptions, build: str) -> StateStore:
    """Open the states on disk, where there is a folder for them."""
    from adapters.llama.state_file import StateKey
    from adapters.llama.states import DiskStates, NoStates

    if options.folder and not options.state_disk_mb:
        # What an earlier setting kept must not outlive a wish to be forgotten.
        shutil.rmtree(Path(options.folder) / STATES, ignore_errors=True)
    if not (options.folder and options.sha256 and options.state_disk_mb):
        return NoStates()
    key = StateKey(model=options.sha256.lower(), build=build)
    budget = options.state_disk_mb * 2**20
    try:
        return DiskStates(Path(options.folder) / STATES, key, budget_bytes=budget)
    except OSError as error:
        raise ConfigurationError(
            f"The engine's folder {options.folder} can't be used ({error.strerror}): "
            "make it this user's own."
        ) from error


if __name__ == "__main__":
    sys.exit(
        run_engine(
            Path(sys.argv[1]), threads=int(sys.argv[2]), options=EngineOptions.parse(sys.argv[3])
        )
    )
