"""Build the engine's CPU library for this very processor, beside copies of its other libraries.

A build of its own whose replies differ from the portable one's: for the bench's table, and for the
test that must find it different. llama-cpp-python loads it where `LLAMA_CPP_LIB_PATH` names the
folder, which this prints. Kept under the user's cache folder. Standard library only.
"""

import hashlib
import shutil
import sys
from pathlib import Path

from scripts import llama_source
from scripts.install_engine import VERSION, default_cache, digest_libraries, library_folder
from scripts.progress_bar import say

# As llama.cpp's CMake files have it with GGML_NATIVE=ON.
FLAGS = (
    "-O3",
    "-fPIC",
    "-march=native",
    "-fopenmp",
    "-DGGML_USE_OPENMP",
    "-DGGML_USE_LLAMAFILE",
    "-DGGML_USE_CPU_REPACK",
    "-DGGML_BACKEND_BUILD",
    "-DGGML_BUILD",
)
FOLDERS = ("ggml-cpu", "ggml-cpu/amx", "ggml-cpu/tiled", "ggml-cpu/llamafile", "ggml-cpu/arch/x86")
DISPATCH = "cpu-feats.cpp"  # only for builds that choose at run time
LIBRARY = "libggml-cpu.so"


def main() -> int:
    """Build; return the exit code."""
    try:
        print(native_libraries())
    except OSError as error:
        say(str(error))
        return 1
    return 0


def processor_flags() -> frozenset[str]:
    """Return the instruction sets of this machine's processor, as Linux names them."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def native_libraries() -> Path:
    """Return the folder of the native build's libraries, compiled if it is not there yet.

    Raises:
        OSError: the source can't be had, or not be compiled.
    """
    machine = " ".join(sorted(processor_flags()))
    compiler = llama_source.compiler_version()
    key = "\n".join((VERSION, *FLAGS, digest_libraries(), compiler, machine))
    folder = default_cache() / f"native-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    root = llama_source.fetch_source() / "ggml" / "src"
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    sources = [
        source
        for name in FOLDERS
        for source in sorted((root / name).iterdir())
        if source.suffix in {".c", ".cpp"} and source.name != DISPATCH
    ]
    flags = [*FLAGS, f"-I{root}", f"-I{root / 'ggml-cpu'}", f"-I{root.parent / 'include'}"]
    title = "Compiling the engine's CPU library for this processor: a minute, once"
    objects = llama_source.compile_files(sources, flags, part / "objects", title=title)
    made = part / "made.so"
    link = ["c++", "-shared", "-fopenmp", *map(str, objects), f"-L{library_folder()}"]
    link += ["-lggml-base", f"-Wl,-soname,{_soname()}", "-Wl,-rpath,$ORIGIN", "-o", str(made)]
    llama_source.run_tool(link)
    for library in library_folder().iterdir():
        source = made if library.name.startswith(LIBRARY) else library
        shutil.copy(source, part / library.name)
    made.unlink()
    shutil.rmtree(part / "objects")
    part.rename(folder)
    return folder


def _soname() -> str:
    """Return the name under which the other libraries ask for this one: `libggml-cpu.so.0`."""
    names = (path.name for path in library_folder().glob(f"{LIBRARY}.*"))
    return min(names, key=len)


if __name__ == "__main__":
    sys.exit(main())
