"""Build llama-cpp-python for x86-64-v3 once, keep the wheel, install it, record what was built.

The wheel is kept under the user's cache folder, keyed by version, flags, Python and C library,
because pip's own wheel cache does not look at CMAKE_ARGS. Standard library only: this runs before
anything is installed.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from scripts.progress_bar import ProgressBar, say

LOCK = Path(__file__).resolve().parent.parent / "requirements-engine.lock"
VERSION = LOCK.read_text(encoding="ascii").partition("==")[2].split()[0]
# The Makefile sets them; other flags make a profile of its own, whose replies are marked tolerant.
CMAKE_ARGS = os.environ.get("CMAKE_ARGS", "-DGGML_NATIVE=OFF")
LIBRARIES = ("libggml-base.so", "libggml-cpu.so", "libggml.so", "libllama.so")


def main() -> int:
    """Install the engine; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=default_cache(), help="where wheels are kept")
    cache: Path = parser.parse_args().cache
    library = f"llama-cpp-python {VERSION}"
    if is_installed(library):
        return 0
    folder = cache / build_key()
    wheels = sorted(folder.glob("llama_cpp_python-*.whl"))
    if not wheels:
        if shutil.which("cc") is None or shutil.which("c++") is None:
            say("There is no C/C++ compiler: install one (Debian: apt-get install build-essential)")
            return 1
        if not build(folder):
            return 1
        wheels = sorted(folder.glob("llama_cpp_python-*.whl"))
    say(f"Installing the engine from {wheels[0].name}")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall"]
    if subprocess.run([*pip, str(wheels[0])], check=False).returncode:
        return 1
    write_record(library)
    return 0


def default_cache() -> Path:
    """Return the user's cache folder for engine wheels."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "twinproof" / "engine"


def build_key() -> str:
    """Name everything that the wheel depends on."""
    parts = (
        VERSION,
        CMAKE_ARGS,
        platform.python_version(),
        platform.machine(),
        *platform.libc_ver(),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def library_folder() -> Path:
    """Return where the engine's shared libraries are installed."""
    return Path(sysconfig.get_path("platlib")) / "llama_cpp" / "lib"


def record_path() -> Path:
    """Return where the build record is kept (adapters/llama/library.py reads it)."""
    return Path(sys.prefix) / "share" / "twinproof" / "engine-build.json"


def digest_libraries() -> str:
    """Return the SHA-256 over the shared libraries, in a fixed order."""
    digest = hashlib.sha256()
    for name in LIBRARIES:
        digest.update(hashlib.sha256((library_folder() / name).read_bytes()).digest())
    return digest.hexdigest()


def is_installed(library: str) -> bool:
    """Return whether the recorded build is what is installed."""
    try:
        record = json.loads(record_path().read_text())
        return bool(
            record["library"] == library
            and record["cmake_args"] == CMAKE_ARGS
            and record["digest"] == digest_libraries()
        )
    except (OSError, TypeError, ValueError, KeyError):
        return False


def write_record(library: str) -> None:
    """Write down what was installed and how it was built."""
    record = {"library": library, "cmake_args": CMAKE_ARGS, "digest": digest_libraries()}
    record_path().parent.mkdir(parents=True, exist_ok=True)
    record_path().write_text(json.dumps(record, indent=2) + "\n")


def build(folder: Path) -> bool:
    """Compile the wheel into `folder`, showing a bar; return whether it worked."""
    say(f"Compiling the engine, llama-cpp-python {VERSION} ({CMAKE_ARGS}): some minutes, once")
    working = folder.with_name(f"{folder.name}.{os.getpid()}")
    working.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "wheel", "-v", "--no-deps", "--no-cache-dir"]
    command += ["--no-binary", "llama-cpp-python", "-w", str(working)]
    command += ["--require-hashes", "-r", str(LOCK)]
    environment = {**os.environ, "CMAKE_ARGS": CMAKE_ARGS, "FORCE_CMAKE": "1"}
    log = working / "build.log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        bar = ProgressBar("files")
        for line in process.stdout or ():
            file.write(line)
            if step := re.search(r"\[(\d+)/(\d+)\]", line):
                bar.show(int(step[1]), int(step[2]))
        bar.end()
    if process.returncode:
        say(f"The engine could not be compiled; the compiler's words are in {log}")
        return False
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in working.glob("*.whl"):
        wheel.replace(folder / wheel.name)
    shutil.rmtree(working)
    return True


if __name__ == "__main__":
    sys.exit(main())
