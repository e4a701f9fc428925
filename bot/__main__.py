"""`twinproof` and `python -m bot`: the command line's door."""

import sys

from bot.cli.commands import run
from bot.logs import keep_off_stdout


def main() -> int:
    """Run the command line on this process's arguments; return the exit code."""
    keep_off_stdout()
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
