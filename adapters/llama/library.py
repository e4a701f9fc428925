"""Which llama.cpp build this is: recorded at installation, checked at start.

The exact profile is a promise about one library version built for x86-64-v3 without run-time
dispatch. `scripts/install_engine.py` records the flags and a digest of the shared libraries; this
module compares the record with what is loaded and with what the library says of itself.
"""

import ctypes
import hashlib
import json
import os
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from bot.domain.errors import ConfigurationError

RECORD = Path(sys.prefix) / "share" / "twinproof" / "engine-build.json"
LIBRARIES = ("libggml-base.so", "libggml-cpu.so", "libggml.so", "libllama.so")
ISA = "x86-64-v3"
_NATIVE_MARKS = ("AVX512", "AVX_VNNI", "AMX")


@dataclass(frozen=True, slots=True)
class LibraryBuild:
    """The engine's library as it is installed here.

    Attributes:
        library: distribution name and version.
        digest: SHA-256 over the shared libraries, hex.
        portable: whether the build is the recorded portable one.
        remark: one sentence for the operator.
    """

    library: str
    digest: str
    portable: bool
    remark: str


def prepare_environment() -> None:
    """Set what must stand in the environment before the library loads.

    libgomp's barriers spin by default and starve a shared machine; passive waiting was measured
    12 times faster there.
    """
    os.environ["OMP_WAIT_POLICY"] = "passive"


def library_folder() -> Path:
    """Return the folder of the shared libraries, without loading them.

    Raises:
        ConfigurationError: llama-cpp-python is not installed.
    """
    try:
        found = metadata.distribution("llama-cpp-python").locate_file("llama_cpp/lib")
    except metadata.PackageNotFoundError as error:
        raise ConfigurationError("llama-cpp-python is not installed: run `make demo`.") from error
    return Path(str(found))


def digest_libraries(folder: Path) -> str:
    """Return the SHA-256 over the shared libraries in `folder`, in a fixed order."""
    digest = hashlib.sha256()
    for name in LIBRARIES:
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()


def inspect_build(record: Path = RECORD) -> LibraryBuild:
    """Compare the installed library with the record that its installation left."""
    folder = library_folder()
    library = f"llama-cpp-python {metadata.version('llama-cpp-python')}"
    try:
        digest = digest_libraries(folder)
    except FileNotFoundError:
        return LibraryBuild(library, "0" * 64, portable=False, remark="unknown library layout")
    try:
        recorded = dict(json.loads(record.read_text()))
    except (OSError, TypeError, ValueError):
        remark = "no build record: replies are marked tolerant; reinstall with `make install`"
        return LibraryBuild(library, digest, portable=False, remark=remark)
    if recorded.get("digest") != digest or recorded.get("library") != library:
        remark = "the library differs from its build record: replies are marked tolerant"
        return LibraryBuild(library, digest, portable=False, remark=remark)
    portable = "-DGGML_NATIVE=OFF" in recorded.get("cmake_args", "").split()
    remark = f"{ISA} build, as recorded" if portable else "native build: replies are tolerant"
    return LibraryBuild(library, digest, portable=portable, remark=remark)


def built_portably(system_info: bytes) -> bool:
    """Return whether the library's own account of itself is free of newer instruction sets."""
    text = system_info.decode("ascii", errors="replace")
    return not any(mark in text for mark in _NATIVE_MARKS)


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux `PR_SET_PDEATHSIG`)."""
    pr_set_pdeathsig, sigkill = 1, 9
    libc = ctypes.CDLL(None, use_errno=True)
    prctl = getattr(libc, "prctl", None)
    if prctl is not None:
        prctl(pr_set_pdeathsig, sigkill, 0, 0, 0)
