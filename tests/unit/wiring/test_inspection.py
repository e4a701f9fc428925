"""A file that anybody may have made is looked at where it can do no harm."""

import time
from pathlib import Path

import pytest

from bot.domain.errors import ConfigurationError
from bot.domain.model_record import TemplateIds
from bot.wiring.engine import STARTER, open_engine
from bot.wiring.inspection import inspect_file
from tests.fakes import gguf_model
from tests.fakes.gguf_model import write_model

pytestmark = pytest.mark.slow
ENDLESS = (
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}"
    "{% endfor %}{% endfor %}{% endfor %}"
)
HOSTILE = {
    "a macro that calls itself": "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
    "brackets in brackets": "{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}",
    "minus minus": "{{ " + "-" * 100_000 + "1 }}",
    "memory": "{% set n = namespace(x='a' * 1000) %}{% for a in range(99) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}",
    "a long literal": "{{ 'word ' * 9000 }}",
}


def _model(folder: Path, before: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gguf_model, "CHATML", before + gguf_model.CHATML)
    path = folder / "hostile.gguf"
    write_model(path)
    return path


async def test_the_starter_s_template_has_the_ids_of_its_vocabulary() -> None:
    template, vocabulary = await inspect_file(STARTER)

    assert template == TemplateIds(" ", (1,), (0, 2), (0, 3), (0, 2))
    assert vocabulary == 4096


@pytest.mark.parametrize("what", HOSTILE)
async def test_a_hostile_template_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path = _model(tmp_path, HOSTILE[what], monkeypatch)

    with pytest.raises(ConfigurationError, match="chat template"):
        await inspect_file(path)


async def test_a_template_without_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _model(tmp_path, ENDLESS, monkeypatch)
    begun = time.monotonic()

    with pytest.raises(ConfigurationError, match="does not come to an end"):
        await inspect_file(path, patience_s=1.5)

    assert time.monotonic() - begun < 15


async def test_what_llama_cpp_does_not_know_is_refused_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "unknown.gguf"
    write_model(path)
    path.write_bytes(
        path.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0xxxxx")
    )

    with pytest.raises(ConfigurationError, match="xxxxx"):
        await inspect_file(path)


@pytest.mark.parametrize("child", ["inspection", "engine"])
async def test_modules_beside_a_model_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, child: str
) -> None:
    for name in ("json", "resource", "ctypes"):
        code = f"open({str(tmp_path / 'was_run')!r}, 'w').close()\nraise SystemExit(9)\n"
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    if child == "inspection":
        _, vocabulary = await inspect_file(STARTER)
        assert vocabulary == 4096
    else:
        async with open_engine(STARTER, threads=1) as running:
            await running.engine.info()

    assert not (tmp_path / "was_run").exists()
