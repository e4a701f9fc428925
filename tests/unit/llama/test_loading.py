"""Model files that can't be used are refused with one sentence, and the library never aborts."""

import struct
from collections.abc import Callable
from pathlib import Path

import gguf
import llama_cpp
import numpy as np
import pytest

from adapters.llama.library import prepare_environment
from adapters.llama.memory import Wishes
from bot.domain.errors import ConfigurationError
from tests.fakes.gguf_model import write_model

prepare_environment()  # before the library loads

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "whole.gguf"
    write_model(path)
    return path


def _open(path: Path, *, wishes: Wishes | None = None, room: int = 2**31) -> object:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    wishes = wishes or Wishes(parallel=1)
    return LlamaModel(path, threads=1, name="m", portable=True, wishes=wishes, room_bytes=room)


def test_whole_model_is_opened(whole: Path) -> None:
    assert _open(whole)


@pytest.mark.parametrize("kept", [0, 3, 4, 20, 100, 3000, 8000, -1, -1000, -60_000])
def test_cut_file_is_refused(whole: Path, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(whole.read_bytes()[:kept])

    with pytest.raises(ConfigurationError, match=r"not a model that llama\.cpp can load"):
        _open(path)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        _open(tmp_path / "none.gguf")
    with pytest.raises(ConfigurationError, match=r"llama\.cpp can load"):
        _open(tmp_path)


def _write(path: Path, fill: Callable[[gguf.GGUFWriter], None], architecture: str) -> Path:
    writer = gguf.GGUFWriter(path, architecture)
    fill(writer)
    writer.add_tensor("token_embd.weight", np.ones((32, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_unknown_architecture_is_refused_by_its_name(tmp_path: Path) -> None:
    path = _write(tmp_path / "odd.gguf", lambda writer: writer.add_name("odd"), "oddity9")

    with pytest.raises(ConfigurationError, match="oddity9"):
        _open(path)


def test_known_architecture_without_its_numbers_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "empty.gguf", lambda writer: writer.add_name("empty"), "llama")

    with pytest.raises(ConfigurationError, match="can load"):
        _open(path)


def test_model_without_chat_template_is_refused(whole: Path, tmp_path: Path) -> None:
    # The key is renamed in place, so that nothing else of the file changes.
    key = b"tokenizer.chat_template"
    data = whole.read_bytes()
    assert data.count(struct.pack("<Q", len(key)) + key) == 1
    path = tmp_path / "plain.gguf"
    path.write_bytes(data.replace(key, b"tokenizer.chat_templatX"))

    with pytest.raises(ConfigurationError, match="no chat template"):
        _open(path)


def test_model_too_big_for_memory_is_refused_before_it_is_loaded(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", never)

    with pytest.raises(ConfigurationError, match="MiB of memory are free"):
        _open(whole, room=whole.stat().st_size - 1)


def test_conversations_too_big_for_memory_are_refused(whole: Path) -> None:
    room = whole.stat().st_size + 200_000

    with pytest.raises(ConfigurationError, match="parallel"):
        _open(whole, wishes=Wishes(parallel=100), room=room)


@pytest.mark.parametrize("layers", [0, 7, -1])
def test_gpu_layers_are_passed_through(
    whole: Path, layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    load = llama_cpp.llama_model_load_from_file

    def spy(path: bytes, params: llama_cpp.llama_model_params) -> object:
        seen.append(params.n_gpu_layers)
        return load(path, params)

    monkeypatch.setattr(llama_cpp, "llama_model_load_from_file", spy)
    _open(whole, wishes=Wishes(parallel=1, gpu_layers=layers))

    assert seen == [layers]


def test_context_is_the_operators_within_what_the_model_was_trained_for(whole: Path) -> None:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    found = []
    for context in (0, 300, 9999):
        model = LlamaModel(
            whole, threads=1, name="m", portable=True, wishes=Wishes(2, context), room_bytes=2**31
        )
        found.append(model.info().context_tokens)

    assert found == [1024, 300, 1024]
