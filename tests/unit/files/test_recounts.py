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
