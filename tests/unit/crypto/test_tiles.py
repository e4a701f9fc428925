"""Tiles: one spelling for each address, and every byte of a bundle accounted for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto import merkle
from bot.crypto.errors import FormatError
from bot.crypto.tiles import (
    Tile,
    encode_bundle,
    encode_index,
    nodes_of,
    parse_bundle,
    parse_hashes,
    parse_tile,
    width_at,
)


@pytest.mark.parametrize(
    ("index", "path"),
    [(0, "000"), (999, "999"), (1000, "x001/000"), (1_234_067, "x001/x234/067")],
)
def test_indices_are_written_as_the_specification_writes_them(index: int, path: str) -> None:
    assert encode_index(index) == path
    assert parse_tile("0", path) == Tile(0, index)


@given(st.integers(0, 63), st.integers(0, 2**53 - 1), st.integers(1, 256))
def test_every_address_reads_back_equal(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)

    assert parse_tile(str(level), tile.position) == tile


@pytest.mark.parametrize(
    ("level", "position"),
    [
        *[("0", bad) for bad in ("", "0", "0000", "x000/001", "x001", "001/001", "x1/001")],
        *[("0", bad) for bad in ("000.p/0", "000.p/256", "000.p/01", "000.p/", "000.p/-1")],
        *[("0", bad) for bad in ("000.p/1/", "000/.p/1", "../000")],
        *[("0", bad) for bad in ("\u0660\u0660\u0660", "000\n", "000.p/1.p/1")],
        *[(bad, "000") for bad in ("", "00", "64", "-1", "x", "\u0661")],
        ("0", "x999/" * 5 + "999"),
        ("0", "x001/" * 40 + "000"),
    ],
)
def test_other_spellings_are_refused(level: str, position: str) -> None:
    with pytest.raises(FormatError):
        parse_tile(level, position)


def test_widths_are_those_of_the_specifications_example() -> None:
    size = 70_000

    assert [width_at(0, n, size) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_at(1, n, size) for n in (0, 1, 2)] == [256, 17, 0]
    assert [width_at(2, n, size) for n in (0, 1)] == [1, 0]
    assert [width_at(level, 0, 256) for level in (0, 1, 2)] == [256, 1, 0]


@given(st.lists(st.binary(max_size=70), max_size=20), st.sampled_from([2, 4]))
def test_bundles_read_back_equal_and_lose_no_byte(items: list[bytes], prefix: int) -> None:
    data = encode_bundle(items, prefix_bytes=prefix)

    assert parse_bundle(data, len(items), prefix_bytes=prefix) == items
    for wrong in (data + b"\0", data[:-1] if data else b"\0"):
        with pytest.raises(FormatError):
            parse_bundle(wrong, len(items), prefix_bytes=prefix)


def test_a_tile_of_another_width_is_refused() -> None:
    with pytest.raises(FormatError):
        parse_hashes(bytes(64), 3)


def test_nodes_out_of_a_narrow_tile_are_refused() -> None:
    hashes = [merkle.leaf_hash(bytes([n])) for n in range(3)]

    assert nodes_of([(1, 0)], {(0, 0): hashes}) == {(1, 0): merkle.root_of(hashes[:2])}
    with pytest.raises(FormatError, match="does not hold"):
        nodes_of([(1, 1)], {(0, 0): hashes})
