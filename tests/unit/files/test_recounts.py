"""A creator's folder of recounts: written whole, read with limits."""

from pathlib import Path

import pytest

from adapters.files import recounts
from adapters.files.recounts import RecountFolder
from bot.domain.errors import UserError
from bot.domain.twin_log import ENTRY_BYTES

TWIN = bytes(range(32))
LOG = bytes(3 * ENTRY_BYTES)


async def test_what_is_kept_is_there_again(tmp_path: Path) -> None:
    folder = RecountFolder(tmp_path / "kept")
    folder.keep(TWIN, {1: b"one", 12: b"twelve"}, LOG)

    assert folder.epochs() == [1, 12]
    assert await folder.publication(None) == b"twelve"
    assert await folder.publication(1) == b"one"
    assert await folder.publication(2) is None
    assert await folder.twin_log(TWIN, None) == LOG
    assert await folder.twin_log(TWIN, 2) == LOG[: 2 * ENTRY_BYTES]
    assert await folder.twin_log(TWIN, 4) is None
    assert await folder.twin_log(bytes(32), None) is None


async def test_a_shorter_log_takes_nothing_from_what_was_kept(tmp_path: Path) -> None:
    folder = RecountFolder(tmp_path)
    folder.keep(TWIN, {}, LOG)
    folder.keep(TWIN, {}, LOG[:ENTRY_BYTES])

    assert await folder.twin_log(TWIN, None) == LOG


async def test_an_empty_or_foreign_folder_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "epochs").mkdir()
    (tmp_path / "epochs" / "note.json").write_text("{}")
    (tmp_path / "epochs" / "01.json").write_text("{}")

    assert RecountFolder(tmp_path).epochs() == []
    assert await RecountFolder(tmp_path / "nowhere").publication(None) is None


async def test_what_can_not_be_used_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="can't be"):
        RecountFolder(tmp_path / "file").keep(TWIN, {1: b"one"}, LOG)
    monkeypatch.setattr(recounts, "MAX_PUBLICATION_BYTES", 3)
    RecountFolder(tmp_path).keep(TWIN, {1: b"four"}, LOG)
    with pytest.raises(UserError, match="larger"):
        await RecountFolder(tmp_path).publication(1)


def test_it_keeps_when_the_log_had_so_many_entries_first(tmp_path: Path) -> None:
    folder = RecountFolder(tmp_path)
    assert folder.looks(TWIN) == []

    for at, entries in ((100, 3), (200, 3), (300, 7), (400, 5), (250, 9)):
        folder.keep_look(TWIN, at, entries)

    assert RecountFolder(tmp_path).looks(TWIN) == [(100, 3), (300, 7), (250, 9)]
    assert folder.looks(bytes(32)) == []


def test_the_oldest_looks_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recounts, "MAX_LOOKS", 2)
    folder = RecountFolder(tmp_path)

    for number in (1, 2, 3):
        folder.keep_look(TWIN, 1000 * number, number)

    assert folder.looks(TWIN) == [(2000, 2), (3000, 3)]


@pytest.mark.parametrize("text", ["nonsense", "1 2 3", "-1 2", "1 0", "1,2", "1 2\nx"])
def test_looks_that_are_damaged_are_one_sentence(tmp_path: Path, text: str) -> None:
    folder = RecountFolder(tmp_path)
    folder.keep_look(TWIN, 1, 1)
    (path,) = (tmp_path / "twins").glob("*.looks")
    path.write_text(text)

    with pytest.raises(UserError, match="is damaged: put back a copy of it"):
        folder.looks(TWIN)
