"""Answers written into the example: they read back, and every comment stays."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli.config_text import encode_value, fill_example
from bot.domain.errors import InvariantError

EXAMPLE = (Path(__file__).parents[3] / "config.example.toml").read_text(encoding="utf-8")
TEXTS = st.text()
VALUES = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.lists(TEXTS),
    st.lists(st.fixed_dictionaries({"token_file": TEXTS}, optional={"twin": TEXTS})),
)


@given(VALUES)
def test_any_value_reads_back_as_it_was(value: object) -> None:
    line = f"key = {encode_value(value)}"  # type: ignore[arg-type]  # of the union, by construction

    assert "\n" not in line
    assert tomllib.loads(line) == {"key": value}


def test_only_the_named_lines_change() -> None:
    filled = fill_example(
        EXAMPLE, {("service", "port"): 9100, ("telegram", "api_base"): "http://x"}
    )

    before, after = EXAMPLE.splitlines(), filled.splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed == ["port = 9100", 'api_base = "http://x"']
    assert tomllib.loads(filled)["discord"]["api_base"] == ""  # the same key of another section


def test_nothing_to_change_is_the_example() -> None:
    assert fill_example(EXAMPLE, {}) == EXAMPLE


def test_a_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvariantError, match="nonsense"):
        fill_example(EXAMPLE, {("service", "nonsense"): 1})
