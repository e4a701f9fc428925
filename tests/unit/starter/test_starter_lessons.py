"""Lessons become conversations whose answers stand in the persona, and silence is admitted."""

import random
from pathlib import Path

import numpy as np
import pytest

from personas.starter.asked import ask, questions
from personas.starter.average import average
from personas.starter.grow import grow, sources
from personas.starter.kinship import Kinship, answered_elsewhere
from personas.starter.lesson_chats import LessonWriter
from personas.starter.lesson_scenes import LessonScene
from personas.starter.lessons import Lesson, Values, fill, load_lesson_roles, load_lessons, parse
from personas.starter.persona import Creators
from personas.starter.prompt import Turn
from personas.starter.reference import Reference, layers_of
from personas.starter.short_run import HEADS, LAYERS, lesson_writer, new_weights
from personas.starter.understanding import Probe, make_scenes, probes

TEXT = """{animal} = cat | snail
a line that is no field

[pets]
F: I have a {animal} called {coined}. | My {animal} {coined} sleeps a lot.
Q: any pets? | who lives with you?
A: A {animal}, {coined}.
N: how old is {coined}?
W: is it a {animal2}? > No, a {animal}.

[garden]
F: I grow {number} roses.
Q: do you have a garden?
A: Yes, with {number} roses.
"""
COMMON = {"first": "Ada", "name": "Ada Holm", "role": "a baker", "topic": "bread"}


@pytest.fixture(scope="module")
def writer() -> LessonWriter:
    return lesson_writer(3)


def _rng(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable on purpose


def _write(writer: LessonWriter, seed: int, count: int = 40) -> list[list[Turn]]:
    rng = _rng(seed)
    return [writer.conversation(rng) for _ in range(count)]


def _parsed() -> list[Lesson]:
    return list(parse(TEXT, "text"))


def test_file_is_read_block_by_block() -> None:
    pets, garden = _parsed()

    assert (pets.tag, pets.number, garden.tag, garden.number) == ("pets", 0, "garden", 1)
    assert pets.texts("Q") == ("any pets?", "who lives with you?")
    assert pets.pairs("W") == [("is it a {animal2}?", "No, a {animal}.")]
    assert pets.keys() == {"animal", "animal2", "coined"}
    assert pets.texts("T") == ()


def test_another_value_is_another_value() -> None:
    pets = _parsed()[0]
    values = Values(Creators(validation=False))

    for seed in range(30):
        drawn = values.draw(pets, COMMON, _rng(seed))
        assert drawn["animal"] != drawn["animal2"]
        assert drawn["animal"].split()[-1] in {"cat", "snail"}


def test_value_that_begins_a_sentence_gets_a_capital() -> None:
    assert fill("{animal}! A {animal}.", {"animal": "cat"}) == "Cat! A cat."


def test_every_shipped_lesson_can_be_filled() -> None:
    values = Values(Creators(validation=False))
    lessons = load_lessons()

    for lesson in lessons:
        drawn = {**values.draw(lesson, COMMON, _rng(1)), **COMMON, "avoid": "x"}
        for texts in lesson.fields.values():
            assert all("{" not in fill(text, drawn) for text in texts), lesson
    assert len(lessons) > 900
    assert len(load_lesson_roles()) > 100
    assert sum(one.held_out for one in lessons) > 50


def test_facts_on_one_matter_are_related() -> None:
    lessons = [*_parsed(), *parse(TEXT, "again")]
    kinship = Kinship(lessons)

    assert kinship.related(lessons[0], [lessons[2]])
    assert not kinship.related(lessons[0], [lessons[1]])
    assert kinship.touches(lessons[0], "I met a snail.")
    assert not kinship.touches(lessons[1], "I met a snail.")
    assert answered_elsewhere("have you a garden", [lessons[1]])
    assert not answered_elsewhere("how old is it?", lessons)


def test_same_seed_writes_the_same_conversations(writer: LessonWriter) -> None:
    assert _write(writer, 3) == _write(writer, 3)
    assert _write(writer, 3) != _write(writer, 4)


def test_conversation_alternates_and_has_no_open_places(writer: LessonWriter) -> None:
    for turns in _write(writer, 5, 200):
        assert [turn.role for turn in turns[1:]] == ["user", "assistant"] * (len(turns) // 2)
        assert all(turn.text.strip() for turn in turns)
        assert not any("{" in turn.text for turn in (turns[0], *turns[2::2]))


def test_held_out_lessons_are_never_written(writer: LessonWriter) -> None:
    scenes = writer.scenes
    pools = (scenes.facts, scenes.notes, scenes.examples, scenes.memories, writer.talk)
    used = [
        one for pool in (*pools, writer.disclosing, list(scenes.limits.values())) for one in pool
    ]

    assert len(used) > 200
    assert not any(one.held_out for one in used)
    assert any(one.held_out for one in load_lessons())


def test_answers_stand_in_the_persona(writer: LessonWriter) -> None:
    rng = _rng(7)
    for _ in range(100):
        scene = writer.scenes.draw(rng)
        for one in scene.stated:
            assert one.text in scene.shown
            _, answer = writer.answered(one, one.lesson.texts("Q")[0], scene, rng)
            own = [value for key, value in one.values.items() if key not in COMMON]
            assert all(value.lower() in scene.shown.lower() for value in own if value in answer)


def test_twin_does_not_deflect_twice_in_the_same_words(writer: LessonWriter) -> None:
    known = set(writer.deflections)
    for turns in _write(writer, 8, 100):
        said = [turn.text for turn in turns[2::2] if turn.text in known]
        assert len(said) == len(set(said))


def test_deflections_are_few_and_there(writer: LessonWriter) -> None:
    starts = tuple(text.split("{")[0] for text in writer.deflections if text[0] != "{")
    replies = [turn.text for turns in _write(writer, 9, 200) for turn in turns[2::2]]
    share = sum(text.startswith(starts) for text in replies) / len(replies)

    assert 0.1 < share < 0.25


@pytest.mark.parametrize(
    ("fact", "question"),
    [
        ("I post a puzzle every Wednesday.", "when do you post a puzzle?"),
        ("I grew up in Ghent.", "where did you grow up?"),
        ("My cat is called Moss.", "what is your cat called?"),
        ("I have two dogs named A and B.", "do you have two dogs?"),
        ("I'm a keen rower.", "are you a keen rower?"),
        ("I collect my bus tickets.", "do you collect your bus tickets?"),
    ],
)
def test_questions_are_made_from_facts(fact: str, question: str) -> None:
    assert question in questions(fact)


def test_fact_that_no_rule_fits_gets_no_question() -> None:
    assert questions("Tea, always.") == []
    assert ask("Tea, always.", _rng(1)) is None


def test_grown_network_computes_the_same() -> None:
    weights = new_weights(50, 2)
    grown = grow(weights, LAYERS + 1)
    ids = list(range(5, 30))

    before, after = (Reference(dict(one), HEADS).logits(ids) for one in (weights, grown))

    assert layers_of(grown) == LAYERS + 1
    assert np.array_equal(before, after)
    assert grown.keys() - weights.keys()


def test_growth_keeps_the_first_blocks_and_refuses_too_much() -> None:
    assert sources(6, 8) == [(0, False), (1, False), (2, False), (3, False), (4, False), (4, True),
                             (5, False), (5, True)]  # fmt: skip
    for wanted in (5, 11):
        with pytest.raises(ValueError, match="can't grow"):
            sources(6, wanted)


def test_average_is_the_mean_of_each_weight() -> None:
    one, other = new_weights(50, 2), new_weights(50, 2)
    shifted = {name: value + np.float32(0.5) for name, value in other.items()}

    mean = average([one, shifted, shifted])

    assert mean.keys() == one.keys()
    for name, value in mean.items():
        exact = (one[name].astype(np.float64) + 2 * shifted[name].astype(np.float64)) / 3
        assert value.dtype == np.float32
        assert np.array_equal(value, exact.astype(np.float32))


def test_average_of_different_networks_or_of_none_is_refused() -> None:
    for networks in ([], [new_weights(50, 2), new_weights(60, 2)]):
        with pytest.raises(ValueError, match=r"average"):
            average(networks)


def test_understanding_asks_held_out_lessons_among_others() -> None:
    lessons = _parsed()
    asked = list(probes(make_scenes(lessons, Path("nowhere")), lessons[:1], _rng(2)))

    assert {one.kind for one in asked} == {"fact", "fact near"}
    assert all("You are" in one.shown for one in asked)


@pytest.mark.parametrize(
    ("kind", "reply", "passed"),
    [
        ("fact", "A snail, Bo.", True),
        ("fact", "I have a snail called Bo.", True),
        ("fact", "I have a cat called Bo.", False),
        ("fact", "I don't know.", False),
        ("fact near", "I don't know.", True),
        ("fact near", "A snail, Bo.", False),
    ],
)
def test_understanding_judges_by_the_values_of_the_fact(
    kind: str,
    reply: str,
    passed: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    probe = Probe(kind, "", "any pets?", ("A snail, Bo.",), (("snail", "Bo"),))

    assert probe.passed(reply) is passed


def test_nothing_known_about_the_fan_is_shown_before_it_is_told(writer: LessonWriter) -> None:
    shown = [turns[0].text for turns in _write(writer, 10, 200)]
    told = [text for text in shown if "About the fan:" in text]

    assert 0 < len(told) < len(shown) / 5
    assert LessonScene(dict(COMMON)).told == []
