"""Known answers on record: the tree's, and the engine's own."""

from pathlib import Path

import pytest

from adapters.llama.answers import AnswerBook, answer_line

MODEL, LIBRARY, ANSWER = "ab" * 32, "llama-cpp-python 0.3.36", bytes(range(32))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    path = tmp_path / "starter.known-answer"
    path.write_text(answer_line(MODEL, LIBRARY, ANSWER) + "\n")
    return path


def test_shipped_answer_is_found_for_its_model_and_library_alone(shipped: Path) -> None:
    book = AnswerBook(shipped, own=None)

    assert book.find(MODEL.upper(), LIBRARY) == ANSWER
    assert book.find("cd" * 32, LIBRARY) is None
    assert book.find(MODEL, "llama-cpp-python 0.3.37") is None


def test_first_answer_is_noted_and_never_replaced(shipped: Path, tmp_path: Path) -> None:
    own = tmp_path / "engine" / "known-answers"
    AnswerBook(shipped, own=own).note("cd" * 32, LIBRARY, ANSWER)
    AnswerBook(shipped, own=own).note("cd" * 32, LIBRARY, bytes(32))
    AnswerBook(shipped, own=own).note("ef" * 32, LIBRARY, bytes(32))

    book = AnswerBook(shipped, own=own)
    assert book.find("cd" * 32, LIBRARY) == ANSWER
    assert book.find("ef" * 32, LIBRARY) == bytes(32)
    assert own.stat().st_mode & 0o777 == 0o600


def test_nothing_is_noted_without_a_place_or_a_model(shipped: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    AnswerBook(shipped, own=None).note("cd" * 32, LIBRARY, ANSWER)
    AnswerBook(shipped, own=tmp_path / "own").note("", LIBRARY, ANSWER)

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("text", ["", "one word", "a b c zz", "\0\0", "é"])
def test_damaged_record_is_no_record(tmp_path: Path, text: str) -> None:
    path = tmp_path / "answers"
    path.write_bytes(text.encode())

    assert AnswerBook(path, own=path).find("a", "b") is None


def test_folder_that_can_not_be_written_is_no_reason_to_stop(shipped: Path) -> None:
    book = AnswerBook(shipped, own=shipped / "below a file" / "answers")

    book.note("cd" * 32, LIBRARY, ANSWER)

    assert book.find("cd" * 32, LIBRARY) is None
