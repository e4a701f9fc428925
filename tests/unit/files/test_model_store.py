"""The store of models: what is in it has a record, and nothing half-done is in it."""

import os
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files import model_store
from adapters.files.model_store import ModelStore, check_name
from bot.crypto.errors import FormatError
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import ModelRecord, TemplateIds, encode_record, parse_record

RECORD = ModelRecord(
    name="small",
    file="small.gguf",
    sha256=bytes(range(32)),
    size_bytes=4,
    tensors=3,
    tensors_root=bytes(32),
    architecture="llama",
    quantisation="Q8_0",
    parameters=1000,
    context_tokens=1024,
    vocabulary=258,
    kv_bytes=272,
    template=TemplateIds(" ", (1,), (0, 2), (0, 3), (0, 2)),
    licence="apache-2.0",
    licence_link="https://www.apache.org/licenses/LICENSE-2.0",
    source="",
    gpu_layers=-1,
)


def _add(store: ModelStore, source: Path, record: ModelRecord = RECORD) -> None:
    with (
        store.locked(),
        store.copied(source, record.name, lambda _done: None) as staged,
    ):
        store.put(staged, record)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.gguf"
    path.write_bytes(b"GGUF")
    return path


def test_what_was_put_is_found_and_what_was_removed_is_gone(tmp_path: Path, source: Path) -> None:
    store = ModelStore(tmp_path / "models")
    _add(store, source)

    assert store.content().records == (RECORD,)
    assert store.find("small") == RECORD
    assert store.path_of(RECORD).read_bytes() == b"GGUF"
    with store.locked():
        store.remove(RECORD)

    assert store.content().records == ()
    assert not (tmp_path / "models").exists()
    assert source.exists()


def test_a_copy_that_is_not_taken_leaves_nothing(tmp_path: Path, source: Path) -> None:
    store = ModelStore(tmp_path / "models")

    with (
        pytest.raises(RuntimeError),
        store.locked(),
        store.copied(source, "small", lambda _done: None),
    ):
        raise RuntimeError

    assert sorted(tmp_path.iterdir()) == [source]


def test_a_crash_before_the_record_leaves_no_model(tmp_path: Path, source: Path) -> None:
    store = ModelStore(tmp_path / "models")
    _add(store, source)
    (store.folder / "small.json").unlink()

    assert store.content() == model_store.StoreContent((), ())
    _add(store, source)
    assert store.find("small") == RECORD


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b"[1", encode_record(replace(RECORD, name="other", file="other.gguf"))],
    ids=["empty", "bare", "cut", "of another name"],
)
def test_a_damaged_record_is_told_and_the_others_stand(
    tmp_path: Path, source: Path, damage: bytes
) -> None:
    store = ModelStore(tmp_path / "models")
    _add(store, source)
    _add(store, source, replace(RECORD, name="b", file="b.gguf"))
    (store.folder / "small.json").write_bytes(damage)

    content = store.content()

    assert [record.name for record in content.records] == ["b"]
    assert len(content.faults) == 1
    assert "small.json can't be used" in content.faults[0]


def test_a_record_that_has_lost_its_file_is_told(tmp_path: Path, source: Path) -> None:
    store = ModelStore(tmp_path / "models")
    _add(store, source)
    store.path_of(RECORD).unlink()

    assert store.content().faults == ("The model small has lost its file small.gguf: add it.",)


def test_one_program_at_a_time_changes_the_store(tmp_path: Path) -> None:
    store = ModelStore(tmp_path / "models")

    with (
        store.locked(),
        pytest.raises(ConfigurationError, match="Another program"),
        store.locked(),
    ):
        pass
    with store.locked():
        pass


def test_an_empty_store_behind_a_link_stays(tmp_path: Path, source: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "real")
    store = ModelStore(tmp_path / "models")

    with store.locked():
        pass
    assert store.folder.is_symlink()

    _add(store, source)
    assert store.find("small") == RECORD


def test_a_disk_that_is_too_small_is_told(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - as shutil's
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(0, 0, 2**28 + 3))
    store = ModelStore(tmp_path / "models")

    with pytest.raises(ConfigurationError, match="GiB of disk"):
        _add(store, source)

    assert sorted(tmp_path.iterdir()) == [source]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with (
        pytest.raises(ConfigurationError, match="can't be written"),
        ModelStore(tmp_path / "models").locked(),
    ):
        pass


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "a b", "x" * 61, "m.gguf", "ä"])
def test_names_that_are_no_file_s_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="--name"):
        check_name(name)


def test_names_of_published_files_are_taken() -> None:
    assert check_name("Qwen2.5-0.5B-Instruct-Q8_0") == "Qwen2.5-0.5B-Instruct-Q8_0"


_IDS = st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple)
_TITLES = st.text("abc Ä-7", min_size=1, max_size=20).filter(lambda text: bool(text.strip()))
RECORDS = st.builds(
    ModelRecord,
    name=_TITLES,
    file=_TITLES,
    sha256=st.binary(min_size=32, max_size=32),
    size_bytes=st.integers(1, 2**40),
    tensors=st.integers(1, 1000),
    tensors_root=st.binary(min_size=32, max_size=32),
    architecture=_TITLES,
    quantisation=_TITLES,
    parameters=st.integers(1, 2**40),
    context_tokens=st.integers(1, 2**20),
    vocabulary=st.integers(1, 2**20),
    kv_bytes=st.integers(1, 2**20),
    template=st.builds(TemplateIds, st.sampled_from(["", " "]), _IDS, _IDS, _IDS, _IDS),
    licence=st.text("abc", max_size=9),
    licence_link=st.text("abc", max_size=9),
    source=st.text("abc", max_size=9),
    gpu_layers=st.none() | st.integers(-1, 10_000),
)


@given(record=RECORDS)
def test_records_come_back_as_they_were(record: ModelRecord) -> None:
    assert parse_record(encode_record(record)) == record


@given(record=RECORDS, data=st.data())
def test_a_record_with_a_changed_byte_is_another_or_none(
    record: ModelRecord, data: st.DataObject
) -> None:
    encoded = bytearray(encode_record(record))
    position = data.draw(st.integers(0, len(encoded) - 1))
    encoded[position] ^= data.draw(st.integers(1, 255))

    try:
        parsed = parse_record(bytes(encoded))
    except FormatError:
        return
    assert parsed != record


@pytest.mark.parametrize("file", ["../x.gguf", "a/b.gguf", ".x.gguf"])
def test_a_record_names_no_file_elsewhere(file: str) -> None:
    with pytest.raises(FormatError, match="file"):
        parse_record(encode_record(replace(RECORD, file=file)))
