"""Install a lock file's packages into the running Python's environment, showing a bar.

Standard library only: this runs before anything is installed.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.progress_bar import ProgressBar, say

SEEN = ("Collecting ", "Processing ", "Ignoring ", "Requirement already satisfied")


def main() -> int:
    """Install the lock file that the command line names; return the exit code."""
    lock = Path(sys.argv[1])
    total = len(re.findall(r"^[A-Za-z0-9]\S*==", lock.read_text(), re.MULTILINE))
    say(f"Installing {total} locked packages ({lock.name})")
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--no-input", "-r", str(lock)]
    bar = ProgressBar("packages")
    done, lines = 0, []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            lines.append(line)
            done += line.startswith(SEEN)
            bar.show(min(done, total), total)
    bar.end()
    if process.returncode:
        say("".join(line for line in lines if not line.startswith("WARNING"))[-4000:])
        log = Path(tempfile.gettempdir()) / "twinproof-install.log"
        log.write_text("".join(lines))
        say(f"The packages could not be installed; pip's words are above and in {log}")
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
