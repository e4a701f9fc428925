"""llama.cpp's own source, as the locked llama-cpp-python package carries it, and how to compile it.

For what the engine's installation leaves out: the server that the bench compares with, and the CPU
library of a native build. Kept under the user's cache folder. Standard library only.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from scripts.install_engine import LOCK, VERSION, default_cache
from scripts.progress_bar import ProgressBar, say

# What llama.cpp's CMake files set on Linux for shared libraries.
DEFINES = (
    "-DNDEBUG",
    "-D_GNU_SOURCE",
    "-D_XOPEN_SOURCE=600",
    "-DGGML_SHARED",
    "-DGGML_BACKEND_SHARED",
    "-DGGML_SCHED_MAX_COPIES=4",
)
QUIET = "-w"  # somebody else's warnings


def fetch_source() -> Path:
    """Return the folder of llama.cpp's source, fetched once.

    Raises:
        OSError: it can't be fetched or unpacked.
    """
    folder = default_cache() / f"source-{VERSION}"
    root = folder / f"llama_cpp_python-{VERSION}" / "vendor" / "llama.cpp"
    if root.is_dir():
        return root
    say(f"Fetching the source of llama-cpp-python {VERSION}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        working = Path(name)
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(working)]
        command += ["--no-binary", "llama-cpp-python", "--require-hashes", "-r", str(LOCK)]
        subprocess.run(command, check=False, stdout=sys.stderr)
        archives = list(working.glob("*.tar.gz"))
        if not archives:
            raise OSError(f"The source of llama-cpp-python {VERSION} could not be fetched.")
        unpacked = working / "unpacked"
        with tarfile.open(archives[0]) as archive:
            archive.extractall(unpacked, filter="data")
        # Into place by one rename; another process may have been quicker.
        if not folder.exists():
            unpacked.rename(folder)
    return root


def compile_files(
    sources: Sequence[Path], flags: Sequence[str], folder: Path, *, title: str
) -> list[Path]:
    """Compile C and C++ files side by side, showing a bar, and return the object files.

    Raises:
        OSError: there is no compiler, or it refused a file.
    """
    if shutil.which("cc") is None or shutil.which("c++") is None:
        raise OSError("There is no C/C++ compiler (Debian: apt-get install build-essential).")
    say(title)
    folder.mkdir(parents=True, exist_ok=True)
    objects = [folder / f"{number}-{source.name}.o" for number, source in enumerate(sources)]
    bar = ProgressBar("files")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        running = [
            pool.submit(_compile, source, made, flags)
            for source, made in zip(sources, objects, strict=True)
        ]
        try:
            for done, one in enumerate(as_completed(running), start=1):
                one.result()
                bar.show(done, len(objects))
        finally:
            bar.end()
            pool.shutdown(cancel_futures=True)
    return objects


def _compile(source: Path, made: Path, flags: Sequence[str]) -> None:
    compiler = ["cc", "-std=gnu11"] if source.suffix == ".c" else ["c++", "-std=gnu++17"]
    run_tool([*compiler, *DEFINES, QUIET, *flags, "-c", str(source), "-o", str(made)])


def run_tool(command: Sequence[str]) -> None:
    """Run a compiler or linker.

    Raises:
        OSError: it refused; with the end of what it said.
    """
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise OSError(f"{command[0]} failed: {done.stdout[-2000:]}")


def compiler_version() -> str:
    """Return what the C++ compiler says of itself; empty where there is none."""
    compiler = shutil.which("c++")
    if compiler is None:
        return ""
    return subprocess.run(
        [compiler, "--version"], check=False, capture_output=True, text=True
    ).stdout
