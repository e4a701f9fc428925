"""Build llama-server from the engine's own source package, for bench/engine.py to compare with.

Only the server is compiled; it is linked with the engine's installed libraries, so that both sides
run the very same kernels. Kept under the user's cache folder; prints where. Standard library only.
"""

import hashlib
import sys
import sysconfig
from pathlib import Path

from scripts import llama_source
from scripts.install_engine import VERSION, default_cache, digest_libraries, library_folder
from scripts.progress_bar import say

FLAGS = (
    "-O2",
    "-pthread",
    "-DLLAMA_SHARED",
    "-DGGML_USE_CPU",
    "-DLLAMA_SUBPROCESS",
    "-DCPPHTTPLIB_FORM_URL_ENCODED_PAYLOAD_MAX_LENGTH=1048576",
    "-DCPPHTTPLIB_LISTEN_BACKLOG=512",
    "-DCPPHTTPLIB_REQUEST_URI_MAX_LENGTH=32768",
    "-DCPPHTTPLIB_TCP_NODELAY=1",
)
INCLUDES = (
    ".",
    "include",
    "ggml/include",
    "common",
    "vendor",
    "vendor/cpp-httplib",
    "tools/mtmd",
    "tools/server",
)
LIBRARIES = ("-lllama-common", "-lllama", "-lggml", "-lggml-cpu", "-lggml-base")
# The page that the server shows in a browser is left out.
PAGE_HEADER = """#pragma once
#include <array>
#include <string>
struct llama_ui_asset {
    std::string name;
    const unsigned char * data;
    std::size_t size;
    std::string etag;
    std::string type;
};
const llama_ui_asset * llama_ui_find_asset(const std::string & name);
bool llama_ui_use_gzip();
const std::array<llama_ui_asset, 0> & llama_ui_get_assets();
"""
PAGE = """#include "ui.h"
const llama_ui_asset * llama_ui_find_asset(const std::string &) { return nullptr; }
bool llama_ui_use_gzip() { return false; }
const std::array<llama_ui_asset, 0> & llama_ui_get_assets() {
    static const std::array<llama_ui_asset, 0> none{};
    return none;
}
"""
# Pictures and sound are left out too: the engine is built without that library. No request for
# text calls these.
LEFT_OUT = (
    "mtmd_batch_add_chunk",
    "mtmd_batch_encode",
    "mtmd_batch_free",
    "mtmd_batch_get_output_embd",
    "mtmd_batch_init",
    "mtmd_bitmap_free",
    "mtmd_context_params_default",
    "mtmd_free",
    "mtmd_get_cap_from_file",
    "mtmd_helper_bitmap_init_from_buf",
    "mtmd_helper_decode_image_chunk",
    "mtmd_helper_init_opt_default",
    "mtmd_helper_log_set",
    "mtmd_helper_support_video",
    "mtmd_helper_video_free",
    "mtmd_init_from_file",
    "mtmd_input_chunk_copy",
    "mtmd_input_chunk_free",
    "mtmd_input_chunk_get_id",
    "mtmd_input_chunk_get_n_pos",
    "mtmd_input_chunk_get_n_tokens",
    "mtmd_input_chunk_get_placeholder",
    "mtmd_input_chunk_get_tokens_text",
    "mtmd_input_chunk_get_type",
    "mtmd_input_chunk_load",
    "mtmd_input_chunk_save",
    "mtmd_input_chunks_free",
    "mtmd_input_chunks_get",
    "mtmd_input_chunks_init",
    "mtmd_input_chunks_size",
    "mtmd_support_audio",
    "mtmd_support_vision",
    "mtmd_tokenize",
    "_Z21mtmd_get_memory_usagePKc19mtmd_context_params",
)


def main() -> int:
    """Build; return the exit code."""
    try:
        print(llama_server())
    except OSError as error:
        say(str(error))
        return 1
    return 0


def server_libraries() -> tuple[Path, Path]:
    """Return the folders in which the server looks for its libraries, the engine's own first."""
    return library_folder(), Path(sysconfig.get_path("platlib")) / "lib"


def llama_server() -> Path:
    """Return the server's program, compiled if it is not there yet.

    Raises:
        OSError: the source can't be had, or not be compiled.
    """
    key = "\n".join((VERSION, *FLAGS, digest_libraries(), llama_source.compiler_version()))
    name = f"llama-server-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    program = default_cache() / name / "llama-server"
    if program.is_file():
        return program
    root = llama_source.fetch_source()
    folder = program.parent
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ui.h").write_text(PAGE_HEADER)
    (folder / "ui.cpp").write_text(PAGE)
    stubs = "".join(f"long {symbol}(void) {{ return 0; }}\n" for symbol in LEFT_OUT)
    (folder / "left_out.c").write_text(stubs)
    sources = [
        *sorted((root / "tools" / "server").glob("*.cpp")),
        root / "vendor" / "cpp-httplib" / "httplib.cpp",
        folder / "ui.cpp",
        folder / "left_out.c",
    ]
    flags = [*FLAGS, f"-I{folder}", *(f"-I{root / include}" for include in INCLUDES)]
    title = "Compiling llama-server: two minutes, once"
    objects = llama_source.compile_files(sources, flags, folder / "objects", title=title)
    part = folder / "llama-server.part"
    search = [f"-L{one}" for one in server_libraries()]
    found = [f"-Wl,-rpath-link,{one}" for one in server_libraries()]
    command = ["c++", "-pthread", *map(str, objects), *search, *found, *LIBRARIES]
    llama_source.run_tool([*command, "-o", str(part)])
    part.rename(program)
    return program


if __name__ == "__main__":
    sys.exit(main())
