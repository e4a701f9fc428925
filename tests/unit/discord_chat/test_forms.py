"""Drafts as the fields of windows and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.discord_chat.creators.forms import (
    EXAMPLES,
    PARTS,
    REPETITION,
    SAMPLING,
    TEXTS,
    edit_of,
    form_of,
    read_examples,
    write_examples,
)
from bot.domain.errors import UserError
from bot.domain.persona import Example
from bot.ports.creators import DraftEdit, DraftText

LINES = (
    st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=60)
    .map(str.strip)
    .filter(lambda line: line and len(line.splitlines()) == 1)
)
DRAFTS = st.builds(
    DraftText,
    name=LINES,
    role=LINES,
    facts=st.lists(LINES, max_size=8).map(tuple),
    off_limits=st.lists(LINES, max_size=8).map(tuple),
    examples=st.lists(st.builds(Example, LINES, LINES), max_size=8).map(tuple),
    temperature=st.sampled_from(["0.8", "0", "1.25"]),
    top_p=st.sampled_from(["0.95", "1"]),
    top_k=st.integers(0, 1000),
    max_tokens=st.integers(1, 4000),
    min_p=st.sampled_from(["0", "0.05", "1"]),
    presence_penalty=st.sampled_from(["0", "2"]),
    frequency_penalty=st.sampled_from(["0", "0.3"]),
)


@given(DRAFTS, st.sampled_from(PARTS))
def test_a_window_that_is_sent_unchanged_changes_nothing(draft: DraftText, part: str) -> None:
    form = form_of(part, draft)
    change = edit_of({field.name: field.value for field in form.fields})

    assert form.left_out == []
    for name in DraftEdit.__slots__:
        assert getattr(change, name) in (None, getattr(draft, name))
    changed = {name for name in DraftEdit.__slots__ if getattr(change, name) is not None}
    assert (
        changed
        == {
            TEXTS: {"name", "role", "facts", "off_limits"},
            EXAMPLES: {"examples"},
            SAMPLING: {"temperature", "top_p", "top_k", "max_tokens"},
            REPETITION: {"min_p", "presence_penalty", "frequency_penalty"},
        }[part]
    )


@given(st.lists(st.builds(Example, LINES, LINES), max_size=10).map(tuple))
def test_examples_are_read_as_they_are_written(examples: tuple[Example, ...]) -> None:
    assert read_examples(write_examples(examples)) == examples


@given(st.text(max_size=300))
def test_any_text_is_examples_or_one_sentence(text: str) -> None:
    try:
        examples = read_examples(text)
    except UserError as error:
        sentence = str(error)
    else:
        sentence = "none"
        assert read_examples(write_examples(examples)) == examples
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Twin: hello", 'Line 1 of the examples must begin with "Fan:".'),
        ("Fan: hi\n\nFan: again", 'Line 3 of the examples must begin with "Twin:".'),
        ("Fan: hi", 'The last example has no line that begins with "Twin:".'),
        ("hello", 'Line 1 of the examples must begin with "Fan:".'),
    ],
)
def test_examples_that_are_not_pairs_say_where(text: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        read_examples(text)

    assert str(refused.value) == sentence


def test_empty_fields_take_all_lines_away_and_missing_ones_leave_them() -> None:
    change = edit_of({"facts": " \n\n", "examples": ""})

    assert (change.facts, change.examples, change.off_limits) == ((), (), None)


@pytest.mark.parametrize("part", PARTS)
def test_no_window_has_more_fields_than_discord_shows(part: str) -> None:
    form = form_of(part, DraftText("N", "r", (), (), (), "0.8", "0.9", 40, 100))

    assert 1 <= len(form.fields) <= 5


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "٣", "9" * 10])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="whole number"):
        edit_of({"top_k": text})


def test_unknown_part_names_the_known_ones() -> None:
    with pytest.raises(UserError, match="texts, examples, sampling, repetition"):
        form_of("soul", DraftText("N", "r", (), (), (), "0.8", "0.9", 40, 100))
