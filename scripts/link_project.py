"""Make the `twinproof` command of this tree available in the running Python's environment.

A path file and a two-line script do what an editable installation does, without a build back end:
the tree itself is what runs. Standard library only.
"""

import sys
import sysconfig
from pathlib import Path

SCRIPT = """#!{python}
import sys

from bot.__main__ import main

sys.exit(main())
"""


def main() -> None:
    """Write the path file and the command."""
    root = Path(__file__).resolve().parent.parent
    Path(sysconfig.get_path("purelib"), "twinproof.pth").write_text(f"{root}\n")
    command = Path(sysconfig.get_path("scripts"), "twinproof")
    command.write_text(SCRIPT.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    main()
