"""Fixed answers: rules and their list (docs/spec/formats.md section 5.2)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.errors import FormatError
from bot.domain.rules import CRISIS, KNOWN_RULES, Rule, check_rules, first_rule, split_words

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec" / "rules.json"


@pytest.mark.parametrize(
    "message",
    [
        "I want to die",
        "i WANT\nto... die!",
        "I don't want to live anymore",
        "I don\u2019t want to live",
        "sometimes I think about suicide",
        "I loved Suicide Squad but I want to kill myself",
        "kill myself laughing? no: kill myself",
        "ünd kill myself",
    ],
)
def test_a_message_of_despair_gets_the_fixed_answer(message: str) -> None:
    assert first_rule(["crisis/1"], message) is CRISIS


@pytest.mark.parametrize(
    "message",
    [
        "",
        "Did you see Suicide Squad?",
        "I could kill myself laughing",
        "I cut myself shaving",
        "I want to dye my hair",
        "myself, kill the lights",
        "the killing of myselfish",
        "want to\u00e9 die",
    ],
)
def test_other_messages_do_not(message: str) -> None:
    expected = None if "\u00e9" not in message else CRISIS  # a foreign letter only ends a word

    assert first_rule(["crisis/1"], message) is expected


def test_a_twin_without_rules_answers_everything() -> None:
    assert first_rule([], "I want to die") is None


def test_an_exception_spares_only_the_phrase_within_it() -> None:
    rule = Rule("x/1", phrases=("a b",), exceptions=("z a b", "a b c d"), text="t")

    assert not rule.applies("z a b")
    assert not rule.applies("a b c d")
    assert rule.applies("a b c")
    assert rule.applies("z a b a b")


@given(st.text(max_size=30))
def test_words_are_runs_of_small_letters(text: str) -> None:
    assert all(word.isascii() and word.isalpha() and word.islower() for word in split_words(text))


@given(st.sampled_from(CRISIS.phrases), st.sampled_from(["", "well, ", "42 "]))
def test_every_phrase_is_found_in_any_dress(phrase: str, before: str) -> None:
    assert CRISIS.applies(before + phrase.upper().replace(" ", "\t--"))


def test_a_manifest_names_known_rules_in_order() -> None:
    assert check_rules([]) == ()
    assert check_rules(["crisis/1"]) == ("crisis/1",)
    with pytest.raises(FormatError, match="unknown rule"):
        check_rules(["crisis/2"])
    with pytest.raises(FormatError, match="ascending"):
        check_rules(["crisis/1", "crisis/1"])


def test_the_published_list_is_the_one_in_use() -> None:
    published = json.loads(SPEC.read_text(encoding="utf-8"))

    assert published == {
        "v": "twinproof-rules/1",
        "rules": [
            {
                "id": rule.id,
                "phrases": list(rule.phrases),
                "not": list(rule.exceptions),
                "text": rule.text,
            }
            for rule in KNOWN_RULES.values()
        ],
    }


_LETTERS = st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map(" ".join)


@given(
    st.lists(_LETTERS, max_size=2),
    st.lists(_LETTERS, max_size=3),
    st.lists(st.sampled_from("abc"), max_size=9),
)
def test_a_rule_applies_as_the_page_says(
    phrases: list[str], exceptions: list[str], words: list[str]
) -> None:
    def stand(phrase: str) -> list[tuple[int, int]]:
        size = len(phrase.split())
        places = range(len(words) - size + 1)
        return [(at, at + size) for at in places if words[at : at + size] == phrase.split()]

    spared = [place for phrase in exceptions for place in stand(phrase)]
    expected = any(
        not any(first <= start and stop <= last for first, last in spared)
        for phrase in phrases
        for start, stop in stand(phrase)
    )

    rule = Rule("test/1", tuple(phrases), tuple(exceptions), "text")
    assert rule.applies(" ".join(words)) is expected
