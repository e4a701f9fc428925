"""An engine is put together: options, folders, the verdict of the self-check."""

from pathlib import Path

import pytest

from adapters.llama.answers import answer_line
from adapters.llama.library import inspect_build, prepare_environment
from bot.config import ModelSettings
from bot.domain.errors import ConfigurationError
from bot.domain.terms import ModelTerms
from bot.wiring.engine import STARTER, CheckedModel, open_engine, options_of
from bot.wiring.engine_process import NO_OPTIONS, EngineOptions, build_engine
from tests.fakes.gguf_model import write_model

prepare_environment()  # before the library loads

SHA = "ab" * 32
ANSWERS = "known-answers"


def _build(path: Path, folder: Path, **options: int) -> tuple[bool, str]:
    """Return whether the engine says that it is exact, and its remark."""
    chosen = EngineOptions(sha256=SHA, folder=str(folder), state_disk_mb=1, **options)
    engine, remark = build_engine(path, threads=1, options=chosen)
    return engine.info().profile_exact, remark


def test_options_survive_the_command_line(tmp_path: Path) -> None:
    settings = ModelSettings(parallel=3, context=900, gpu_layers=-1, state_disk_mb=7)
    terms = ModelTerms(name="m", gguf=bytes.fromhex(SHA), size_bytes=5)

    options = options_of(settings, CheckedModel(STARTER, terms, starter=False), tmp_path)

    assert EngineOptions.parse(options.text()) == options
    assert options == EngineOptions(SHA, str(tmp_path), 3, 900, -1, 7)
    assert EngineOptions.parse("") == NO_OPTIONS


@pytest.mark.slow
def test_first_start_notes_the_answer_and_later_ones_compare(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    portable = inspect_build().portable

    assert _build(STARTER, folder) == _build(STARTER, folder)
    assert _build(STARTER, folder)[0] is portable
    noted = (folder / ANSWERS).read_text()
    assert noted.count("\n") == int(portable)

    (folder / ANSWERS).write_text(answer_line(SHA, inspect_build().library, bytes(32)) + "\n")
    exact, remark = _build(STARTER, folder)
    assert not exact
    assert not portable or "on record" in remark


@pytest.mark.slow
def test_operators_numbers_reach_the_model() -> None:
    options = EngineOptions(parallel=3, context=300)

    engine, _ = build_engine(STARTER, threads=1, options=options)

    assert engine.info().context_tokens == 300


@pytest.mark.slow
def test_folder_that_can_not_be_used_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "states").write_text("not a folder")

    with pytest.raises(ConfigurationError, match="can't be used"):
        _build(STARTER, tmp_path / "engine")


@pytest.mark.slow
async def test_process_with_a_model_of_its_own_says_that_it_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    write_model(path)
    options = EngineOptions(sha256=SHA, folder=str(tmp_path / "engine"), state_disk_mb=1)

    async with open_engine(path, threads=1, options=options) as running:
        info = await running.engine.info()
        await running.engine.prepare_prefix(tuple(range(40)))

        assert info.name == "own"
        assert info.profile_exact is inspect_build().portable
        assert len(list((tmp_path / "engine" / "states").rglob("prefix-*"))) == 1


@pytest.mark.slow
async def test_process_of_a_damaged_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(STARTER.read_bytes()[:5000])

    with pytest.raises(ConfigurationError, match="not a model"):
        async with open_engine(path, threads=1):
            pass
