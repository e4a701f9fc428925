"""Look at somebody's model file in a process of its own, with limits on time, memory and files.

The library that reads a file's metadata, and the template in it, may crash, run for ever or take
all memory: then that process ends, and the file is refused in a sentence.
"""

import asyncio
import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from bot.domain.errors import BotError, ConfigurationError
from bot.domain.model_record import TemplateIds, template_of

MEMORY_BYTES = 2 * 2**30
PROCESSOR_S = 15
PATIENCE_S = 60.0
MAX_ANSWER_BYTES = 4 * 2**20
ARGUMENTS = 2


async def inspect_file(path: Path, *, patience_s: float = PATIENCE_S) -> tuple[TemplateIds, int]:
    """Return a model file's chat template as token ids, and the size of its vocabulary.

    Raises:
        ConfigurationError: the file can't be used; one sentence.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # whatever lies in the working directory is no part of the program
        "-m",
        __name__,
        str(path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=MAX_ANSWER_BYTES,
    )
    try:
        async with asyncio.timeout(patience_s):
            answer, _ = await process.communicate()
    except TimeoutError as error:
        raise _broken(path, "does not come to an end") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        found = json.loads(answer)
        if "error" in found:
            raise ConfigurationError(str(found["error"]))
        return template_of(found["template"]), int(found["vocabulary"])
    except (ValueError, KeyError, TypeError) as error:
        raise _broken(path, "makes the program that reads it fail") from error


def _broken(path: Path, what: str) -> ConfigurationError:
    return ConfigurationError(
        f"The metadata or the chat template of {path.name} {what}: choose another file."
    )


def main(path: Path) -> int:
    """Be the process that looks; print one JSON object and return the exit code."""
    _limit()
    from adapters.llama.inspection import compile_file_template

    answer: dict[str, object]
    try:
        template, size = compile_file_template(path)
        answer = {"template": asdict(template), "vocabulary": size}
    except BotError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
    return 0


def _limit() -> None:
    """Take away what a hostile file could use up; nothing may be written but to the pipe."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, PROCESSOR_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(
            what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
        )


if __name__ == "__main__":
    if len(sys.argv) != ARGUMENTS:
        sys.exit(2)
    sys.exit(main(Path(sys.argv[1])))
