"""A model in words, and the sizes in the page that suggests some."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.cli.model_words import describe, model_words, short_number
from bot.domain.model_record import ModelRecord, TemplateIds

PAGE = Path(__file__).parents[3] / "docs" / "models.md"
RECORD = ModelRecord(
    name="small",
    file="small.gguf",
    sha256=bytes(range(32)),
    size_bytes=3 * 2**20,
    tensors=3,
    tensors_root=bytes([9]) * 32,
    architecture="llama",
    quantisation="Q8_0",
    parameters=134_515_008,
    context_tokens=1024,
    vocabulary=258,
    kv_bytes=272,
    template=TemplateIds("", (1,), (2,), (3,), (4,)),
    licence="",
    licence_link="",
    source="https://models.example/small.gguf",
)


def test_a_record_in_words_has_its_hashes_and_its_size() -> None:
    words = model_words(RECORD)

    assert RECORD.sha256.hex() in words
    assert RECORD.tensors_root.hex() in words
    assert "3 MiB" in words
    assert "135M parameters, Q8_0 (the exact profile's)" in words
    assert "names none" in words
    assert "https://models.example/small.gguf" in words
    assert describe(RECORD)["sha256"] == RECORD.sha256.hex()


def test_another_quantisation_and_gpu_layers_are_said() -> None:
    words = model_words(replace(RECORD, quantisation="Q4_K+Q6_K", gpu_layers=-1))

    assert "not the exact profile's Q8_0" in words
    assert "all layers" in words


def test_a_file_s_own_words_do_nothing_on_the_terminal() -> None:
    assert "\x1b" not in model_words(replace(RECORD, licence="\x1b[2Jmine"))


@pytest.mark.parametrize(
    ("number", "text"), [(999, "999"), (98_800, "98.8K"), (134_515_008, "135M"), (8.03e9, "8.03B")]
)
def test_numbers_are_short(number: int, text: str) -> None:
    assert short_number(int(number)) == text


def _rows() -> list[list[str]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == 9 and row[1].endswith(" B")]


def test_sizes_in_the_page_follow_from_its_formula() -> None:
    rows = _rows()
    assert len(rows) > 8
    for row in rows:
        parameters = float(row[1].removesuffix(" B")) * 1e9
        layers, heads, widths = (int(part) for part in re.findall(r"\d+", row[2]))
        file, cache = parameters * 34 / 32, layers * heads * widths * 34 // 32
        memory = [(file + fans * 4096 * cache + 128 * 2**20) / 2**30 for fans in (8, 32)]

        assert row[3] == f"{file / 2**30:.2f} GiB"
        assert row[4] == f"{cache:,} B"
        assert row[5:7] == [f"{one:.1f} GiB" for one in memory]
