"""Writes down what the starter model answers under the portable build.

    python -m scripts.known_answer

Run it after the starter model has changed, on a machine where the tests pass; every start of the
service compares its own answer with this record (bot/inference/selfcheck.py).
"""

import hashlib
import sys

from adapters.llama.answers import answer_line
from adapters.llama.library import inspect_build, prepare_environment
from bot.inference.selfcheck import check_profile
from bot.wiring.engine import STARTER
from bot.wiring.engine_process import STARTER_ANSWER


def main() -> int:
    """Check the profile and write the record."""
    prepare_environment()
    # The library reads the environment when it loads, so it is imported only here.
    from adapters.llama.model import LlamaModel  # noqa: PLC0415

    build = inspect_build()
    model = LlamaModel(STARTER, threads=1, name=STARTER.stem, portable=build.portable)
    found = check_profile(model)
    if found.failed or not model.portable:
        print(f"not written: {build.remark}; failed: {found.failed}", file=sys.stderr)
        return 1
    digest = hashlib.sha256(STARTER.read_bytes()).hexdigest()
    STARTER_ANSWER.write_text(answer_line(digest, build.library, found.answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
