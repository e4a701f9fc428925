"""An engine process as the service starts it, with the limits that a measurement asks for."""

import argparse
import sys
from pathlib import Path

from adapters.llama.child import Ready, serve_pipe
from adapters.llama.library import inspect_build, prepare_environment
from adapters.llama.state_file import StateKey
from adapters.llama.states import DiskStates, NoStates
from bot.inference.engine import Engine
from bot.inference.limits import Limits
from bot.inference.selfcheck import check_profile, settle

STATES_BYTES = 2**31


def main() -> int:
    """Answer on the pipe until it is closed; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=8)
    parser.add_argument("--context", type=int, default=512)
    parser.add_argument("--chunk", type=int, default=Limits().chunk)
    parser.add_argument("--states", type=Path, help="a folder for saved states; none are kept")
    options = parser.parse_args()
    prepare_environment()

    def build() -> Ready:
        return Ready(
            open_worker(
                options.model,
                threads=options.threads,
                parallel=options.parallel,
                context=options.context,
                chunk=options.chunk,
                states=options.states,
            )
        )

    return serve_pipe(build)


def open_worker(
    path: Path,
    *,
    threads: int = 1,
    parallel: int = 8,
    context: int = 512,
    chunk: int = Limits().chunk,
    states: Path | None = None,
) -> Engine:
    """Load a model in this process, check the exact profile and return the engine."""
    # The library reads the environment when it loads, so it is imported only here.
    from adapters.llama.memory import Wishes  # noqa: PLC0415
    from adapters.llama.model import LlamaModel  # noqa: PLC0415

    build = inspect_build()
    model = LlamaModel(
        path,
        threads=threads,
        name=path.stem,
        portable=build.portable,
        wishes=Wishes(parallel=parallel, context=context),
    )
    if model.portable and settle(check_profile(model), None).exact:
        model.confirm_profile()
    sizes = model.sizes
    limits = Limits(parallel=sizes.parallel, prefixes=sizes.prefixes, chunk=chunk)
    key = StateKey(model="0" * 64, build=build.digest)
    kept = NoStates() if states is None else DiskStates(states, key, budget_bytes=STATES_BYTES)
    return Engine(model=model, states=kept, limits=limits)


if __name__ == "__main__":
    sys.exit(main())
