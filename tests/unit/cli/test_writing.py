"""Files of a set-up are written whole and private, or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.cli.writing import write_files
from bot.domain.errors import ConfigurationError


def test_files_are_written_in_order_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    old = tmp_path / "config.toml"
    old.write_text("old")
    old.chmod(0o644)

    write_files({tmp_path / "new" / "a.token": "secret\n", old: "new"})

    assert (tmp_path / "new" / "a.token").read_text() == "secret\n"
    assert old.read_text() == "new"
    for path in (tmp_path / "new" / "a.token", old):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_can_not_be_written_takes_the_new_files_away_again(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()

    with pytest.raises(ConfigurationError, match="can't be written"):
        write_files({tmp_path / "a.token": "secret\n", tmp_path / "config.toml": "new"})

    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_ctrl_c_half_way_leaves_nothing_new_and_the_old_as_it_was(tmp_path: Path) -> None:
    kept, made = tmp_path / "kept.token", tmp_path / "made.token"
    kept.write_text("old")

    class Interrupted(dict[Path, str]):
        def items(self) -> Iterator[tuple[Path, str]]:  # type: ignore[override]
            yield made, "secret"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files(Interrupted())

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"kept.token": "old"}
