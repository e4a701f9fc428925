"""What creators write in answer to a question."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.telegram_chat.creators.keys import Key, digest_of, parse_key
from adapters.telegram_chat.creators.parsing import (
    encode_examples,
    encode_lines,
    encode_sampling,
    parse_examples,
    parse_lines,
    parse_sampling,
)
from bot.domain.errors import UserError
from bot.domain.persona import Example
from bot.ports.creators import DraftEdit, DraftText

# Lines as a persona takes them: without line breaks, and not empty.
LINE = (
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda line: line not in {"", "-"} and not line.startswith("- "))
)


@given(st.lists(LINE, max_size=8).map(tuple))
def test_lines_are_read_as_they_are_written(lines: tuple[str, ...]) -> None:
    assert parse_lines(encode_lines(lines)) == lines


@given(st.lists(st.builds(Example, LINE, LINE), max_size=5).map(tuple))
def test_examples_are_read_as_they_are_written(examples: tuple[Example, ...]) -> None:
    assert parse_examples(encode_examples(examples)) == examples


@given(st.text(max_size=300))
def test_any_text_is_examples_or_one_sentence(text: str) -> None:
    with suppress(UserError):
        assert all(one.fan.strip() and one.twin.strip() for one in parse_examples(text))


@given(st.text(max_size=100))
def test_any_text_is_settings_or_one_sentence(text: str) -> None:
    with suppress(UserError):
        change = parse_sampling(text)
        assert change.top_k is None or change.top_k >= 0


@pytest.mark.parametrize(
    "text", ["temperature", "temperature 1.2.3", "heat 1", "top_k 1.5", "max_tokens ", "top_p -1"]
)
def test_what_is_no_setting_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_sampling(text)


def test_every_setting_is_read_as_it_is_written() -> None:
    draft = DraftText("N", "r", (), (), (), "0.8", "0.9", 40, 100, "0.05", "0.5", "1.25")

    change = parse_sampling(encode_sampling(draft))

    changed = {name for name in DraftEdit.__slots__ if getattr(change, name) is not None}
    assert all(getattr(change, name) == getattr(draft, name) for name in changed)
    assert changed == {
        *("temperature", "top_p", "top_k", "max_tokens"),
        *("min_p", "presence_penalty", "frequency_penalty"),
    }


@given(st.sampled_from(["twin", "ask", "act", "back"]), LINE, st.sampled_from(["", "show", "12"]))
def test_a_button_says_what_was_put_into_it(action: str, slug: str, word: str) -> None:
    key = Key(action, digest_of(slug), word)

    assert parse_key(key.encode()) == key
    assert len(key.encode().encode()) <= 64


@given(st.text(max_size=64))
def test_any_data_of_a_button_is_read(data: str) -> None:
    assert isinstance(parse_key(f"c:{data}"), Key)
