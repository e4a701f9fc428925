"""A model file's vocabulary and chat template, without its weights.

Runs in a process of its own with limits (bot/wiring/inspection): the file may be anybody's, and
both the library that reads its metadata and the template in it can be made to fail badly.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import llama_cpp as lib

from adapters.llama.vocabulary import Vocabulary
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import TemplateIds
from bot.generation.chat_template import compile_ways
from bot.generation.template_ids import bind_template

ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR
_complaints: list[str] = []


@lib.llama_log_callback  # type: ignore[untyped-decorator]  # ctypes
def _keep_complaints(level: int, text: bytes, _data: ctypes.c_void_p) -> None:
    if level == ERROR_LEVEL:
        _complaints.append(text.decode("utf-8", errors="replace").strip())


@contextmanager
def open_vocabulary(path: Path) -> Iterator[tuple[Vocabulary, str]]:
    """Open a file's vocabulary alone, beside its chat template, which may be empty.

    Raises:
        ConfigurationError: the library can't read the file, or does not know its architecture.
    """
    lib.llama_log_set(_keep_complaints, ctypes.c_void_p(0))
    lib.llama_backend_init()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    params.use_mmap = False
    _complaints.clear()
    handle = lib.llama_model_load_from_file(str(path).encode(), params)
    if not handle:
        # The first complaint has the reason, the later ones say that loading failed.
        reason = _complaints[0].split(": ", 1)[-1].rstrip(".") if _complaints else "no reason given"
        raise ConfigurationError(
            f"{path.name} is not a model that llama.cpp can load ({reason}): choose another file."
        )
    try:
        vocabulary = lib.llama_model_get_vocab(handle)
        if vocabulary is None or not lib.llama_vocab_n_tokens(vocabulary):
            raise ConfigurationError(f"{path.name} has no vocabulary: choose a chat model.")
        template = lib.llama_model_chat_template(handle, None)
        yield Vocabulary(vocabulary), (template or b"").decode("utf-8", errors="replace")
    finally:
        lib.llama_model_free(handle)


def compile_file_template(path: Path) -> tuple[TemplateIds, int]:
    """Return a file's chat template as token ids, and how many tokens its vocabulary has.

    Raises:
        ConfigurationError: the file or its template can't be used.
    """
    with open_vocabulary(path) as (vocabulary, template):
        if not template:
            raise ConfigurationError(
                f"{path.name} has no chat template: choose a chat model (often called instruct)."
            )
        ways = compile_ways(
            template, begin_text=vocabulary.begin_text, end_text=vocabulary.end_text
        )

        def tokenize(text: str, special: bool) -> tuple[int, ...]:  # noqa: FBT001 - a plain function
            return vocabulary.tokenize(text, special=special)

        found = bind_template(ways, tokenize, vocabulary.piece)
        _read_every_byte(vocabulary)
        return found, vocabulary.size


def _read_every_byte(vocabulary: Vocabulary) -> None:
    """Tokenise every byte that a text can hold: the library ends the process where one is missing.

    Here that is the process that looks at the file; later it would be the engine, at a fan's word.
    """
    for first, last, step in ((1, 0x800, 1), (0x800, 0xD800, 37), (0xE000, 0x110000, 4001)):
        for char in range(first, last, step):
            vocabulary.tokenize(chr(char), special=False)
