from dataclasses import replace

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical
from bot.crypto.errors import FormatError
from bot.domain.errors import PersonaError
from bot.domain.persona import Example, Persona, parse_persona, persona_to_json

PERSONA = Persona(
    name="Mira",
    role="a cook",
    facts=("I cook.", "I sing."),
    off_limits=("politics", "money"),
    examples=(Example(fan="hi", twin="Hello!"),),
)


def test_text_is_that_of_the_rendering_program() -> None:
    assert PERSONA.text() == (
        "You are Mira, a cook.\n"
        "About you:\n"
        "- I cook.\n"
        "- I sing.\n"
        "You don't talk about: politics, money.\n"
        "Examples:\n"
        "Fan: hi\n"
        "Mira: Hello!"
    )


def test_text_of_a_bare_persona_is_one_line() -> None:
    assert Persona(name="Mira", role="a cook").text() == "You are Mira, a cook."


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ""}, "The persona's name is empty."),
        ({"name": " \u00a0"}, "The persona's name is empty."),
        ({"name": "x" * 65}, "The persona's name is longer than 64 characters."),
        ({"role": "x" * 201}, "The persona's role is longer than 200 characters."),
        ({"role": "a\nb"}, "The persona's role must be one line without control characters."),
        ({"role": "a\u2028b"}, "The persona's role must be one line without control characters."),
        (
            {"name": "Mira\u202e"},
            "The persona's name holds an invisible formatting character (U+202E)",
        ),
        ({"role": "a\u200bcook"}, "The persona's role holds an invisible formatting character"),
        ({"role": "a\U00013439"}, "The persona's role holds an invisible formatting character"),
        ({"facts": ("ok", "")}, "The persona's facts number 2 is empty."),
        ({"facts": ("f",) * 101}, "The persona has more than 100 facts."),
        ({"off_limits": ("a\tb",)}, "The persona's off_limits number 1 must be one line"),
        ({"examples": (Example("hi", ""),)}, "The persona's examples number 1 is empty."),
        ({"facts": ("\ud800",)}, "The persona's facts number 1 holds half a character"),
    ],
)
def test_broken_rule_is_told_in_one_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(PersonaError) as caught:
        replace(PERSONA, **change)  # type: ignore[arg-type]

    assert str(caught.value).startswith(sentence)


def test_emoji_joined_of_several_is_allowed_in_facts() -> None:
    fact = "I am a \U0001f469\u200d\U0001f373."

    assert replace(PERSONA, facts=(fact,)).facts == (fact,)


@pytest.mark.parametrize(
    "change",
    [
        {"v": "twinproof-persona/2"},
        {"facts": "x"},
        {"facts": [1]},
        {"extra": 1},
        {"examples": [{}]},
    ],
    ids=repr,
)
def test_other_shape_is_refused(change: dict[str, JsonValue]) -> None:
    value = persona_to_json(PERSONA)
    assert isinstance(value, dict)

    with pytest.raises(FormatError):
        parse_persona(encode_canonical({**value, **change}))
