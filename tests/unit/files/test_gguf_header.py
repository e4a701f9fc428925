"""The head of a model file: read without the weights, and refused when it is not whole."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.gguf_header import read_header
from bot.domain.errors import ConfigurationError
from tests.fakes.gguf_model import write_model

STARTER = Path(__file__).parents[3] / "personas" / "starter" / "starter-q8_0.gguf"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "small.gguf"
    write_model(path)
    return path


def test_the_starter_model_says_what_it_is() -> None:
    header = read_header(STARTER)

    assert (header.architecture, header.weights, header.has_template) == ("llama", 7, True)
    size = STARTER.stat().st_size
    # 10 layers, 2 * 192 numbers a cell at 34/32 bytes, 8 sequences of 1,024 cells.
    cells = int(10 * 2 * 192 * 8 * 1024 * 34 / 32)
    assert header.needed_bytes - size - cells == 256 * 4096 * 4 + 96 * 2**20


def test_another_writer_s_file_is_read_too(whole: Path) -> None:
    header = read_header(whole)

    assert header.architecture == "llama"
    assert header.has_template


def test_more_context_and_more_layers_need_more(tmp_path: Path) -> None:
    sizes = []
    for number, shape in enumerate(({}, {"context": 2048}, {"layers": 4})):
        path = tmp_path / f"{number}.gguf"
        write_model(path, **shape)
        sizes.append(read_header(path).needed_bytes)

    assert sizes[0] < sizes[1]
    assert sizes[0] < sizes[2]


@given(data=st.data())
def test_a_cut_or_changed_head_is_read_or_refused_in_one_sentence(
    whole: Path, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(whole.read_bytes()[:9000])
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.mktemp("broken") / "model.gguf"
    path.write_bytes(content)

    try:
        read_header(path)
    except ConfigurationError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either end is right, no third one


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"", "ends too early"),
        (b"GGML" + bytes(20), "does not begin with GGUF"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**40), "too many entries"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 2**60), "too long"),
        (b"GGUF" + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"x", 99), "unknown kind"),
        (
            b"GGUF"
            + struct.pack("<IQQQ1sI", 3, 0, 1, 1, b"x", 9)
            + struct.pack("<IQ", 9, 1) * 9999,
            "not a whole GGUF",
        ),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(ConfigurationError, match=part):
        read_header(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_header(tmp_path / "none.gguf")
