"""Draw a creator whose facts come from lessons, with all that the persona block shows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from personas.starter.draws import chance
from personas.starter.grounded import Grounded
from personas.starter.kinship import Kinship
from personas.starter.lessons import Lesson, Pair, Values, fill
from personas.starter.persona import Creators
from personas.starter.prompt import persona_text

OWN_ROLE, WITH_EXAMPLES, WITH_AVOIDED = 0.6, 0.35, 0.35
PLAIN_FACTS = (0, 0, 1, 1, 2, 3)
NOTES_APART = 0.15
NOTES = (0, 0, 0, 0, 1, 1, 2, 3)


@dataclass(slots=True)
class Stated:
    """A fact, note or example of the persona: its lesson, values and words."""

    lesson: Lesson
    values: dict[str, str]
    text: str
    asked: int = 0


@dataclass(slots=True)
class LessonScene:
    """A creator with what the persona block shows, and what was said already."""

    common: dict[str, str]
    stated: list[Stated] = field(default_factory=list)
    examples: list[Stated] = field(default_factory=list)
    plain: list[Grounded] = field(default_factory=list)
    avoided: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    shown: str = ""
    said: set[str] = field(default_factory=set)

    def lessons(self) -> list[Lesson]:
        """Return the lessons that the persona answers from."""
        return [one.lesson for one in (*self.stated, *self.examples)]


class LessonScenes:
    """Draws scenes from lessons: those for training, or those held out among the others."""

    def __init__(
        self,
        lessons: Sequence[Lesson],
        roles: Sequence[Pair],
        creators: Creators,
        grounded: Sequence[Grounded],
        avoided: Sequence[str],
    ) -> None:
        self.creators, self.roles, self.grounded = creators, roles, grounded
        self.avoided = avoided
        self.values = Values(creators)
        self.kinship = Kinship(lessons)
        train = [lesson for lesson in lessons if not lesson.held_out]
        self.facts = [lesson for lesson in train if lesson.texts("F")]
        self.notes = [lesson for lesson in train if lesson.texts("K")]
        self.examples = [lesson for lesson in train if lesson.texts("E")]
        self.memories = [lesson for lesson in train if lesson.texts("S")]
        limits = [lesson for lesson in train if lesson.texts("V")]
        self.limits = {topic: lesson for lesson in limits for topic in lesson.texts("V")}

    def common(self, rng: random.Random) -> dict[str, str]:
        """Draw a name, a role and a topic."""
        creator = self.creators.draw(rng, 0)
        role, topic = creator.role, creator.topic
        if self.roles and chance(rng, OWN_ROLE):
            role, topic = rng.choice(self.roles)
        return {"first": creator.first, "name": creator.name, "role": role, "topic": topic}

    def state(
        self, lesson: Lesson, letter: str, common: dict[str, str], rng: random.Random
    ) -> Stated:
        """Fill a lesson's fact, note or example answer with fresh values."""
        values = {**self.values.draw(lesson, common, rng), **common}
        return Stated(lesson, values, fill(rng.choice(lesson.texts(letter)), values))

    def remember(self, scene: LessonScene, rng: random.Random) -> Stated | None:
        """Draw something that this fan says about themselves."""
        if not self.memories:
            return None
        return self.state(rng.choice(self.memories), "M", scene.common, rng)

    def draw(self, rng: random.Random, first: Sequence[Lesson] = ()) -> LessonScene:
        """Draw a creator with 4 to 12 facts; those of `first` are among them."""
        scene = LessonScene(self.common(rng))
        notes = rng.choice(NOTES)
        wanted = rng.randrange(3, 10)
        for lesson in first:
            letter = "F" if lesson.texts("F") else "K" if lesson.texts("K") else "E"
            stated = self.state(lesson, letter if letter != "E" else "A", scene.common, rng)
            (scene.examples if letter == "E" else scene.stated).append(stated)
        self._add(scene, self.facts, "F", wanted, rng)
        self._add(scene, self.notes, "K", notes, rng)
        if chance(rng, WITH_EXAMPLES):
            self._add_examples(scene, rng.randrange(1, 4), rng)
        self._add_plain(scene, rng.choice(PLAIN_FACTS), rng)
        if chance(rng, WITH_AVOIDED):
            self._add_avoided(scene, rng.randrange(1, 5), rng)
        self.show(scene, rng)
        return scene

    def show(self, scene: LessonScene, rng: random.Random) -> None:
        """Write the persona block; notes stand among the facts or after them."""
        facts = [one.text for one in scene.stated if one.lesson.texts("F")]
        facts += [pair.fact for pair in scene.plain]
        notes = [one.text for one in scene.stated if one.lesson.texts("K")]
        rng.shuffle(facts)
        apart = bool(notes) and chance(rng, NOTES_APART)
        lines = facts if apart else [*facts, *notes]
        if chance(rng, 0.5):
            rng.shuffle(lines)
        examples = [
            (fill(rng.choice(one.lesson.texts("E")), one.values), one.text)
            for one in scene.examples
        ]
        name, role = scene.common["name"], scene.common["role"]
        scene.shown = persona_text(name, role, lines, scene.avoided, examples)
        for title, more in (("Notes", notes if apart else []), ("About the fan", scene.told)):
            if more:
                scene.shown += "".join((f"\n{title}:", *(f"\n- {line}" for line in more)))

    def _add(
        self,
        scene: LessonScene,
        pool: Sequence[Lesson],
        letter: str,
        count: int,
        rng: random.Random,
    ) -> None:
        """State lessons of one kind that are about other matters than those already there."""
        for lesson in rng.sample(list(pool), min(3 * count, len(pool))):
            if not count:
                return
            if not self.kinship.related(lesson, scene.lessons()):
                scene.stated.append(self.state(lesson, letter, scene.common, rng))
                count -= 1

    def _add_avoided(self, scene: LessonScene, count: int, rng: random.Random) -> None:
        """Choose subjects that are off limits, about which the persona says nothing."""
        topics = list(self.limits) or self.avoided
        for topic in rng.choices(topics if chance(rng, 0.75) else list(self.avoided), k=count):
            lesson = self.limits.get(topic)
            if topic in scene.avoided or (lesson and self.kinship.related(lesson, scene.lessons())):
                continue
            scene.avoided.append(topic)

    def _add_examples(self, scene: LessonScene, count: int, rng: random.Random) -> None:
        for lesson in rng.sample(self.examples, min(count, len(self.examples))):
            if not self.kinship.related(lesson, scene.lessons()):
                scene.examples.append(self.state(lesson, "A", scene.common, rng))

    def _add_plain(self, scene: LessonScene, count: int, rng: random.Random) -> None:
        """Add facts of the dialogue data that share no words with the lessons' matters."""
        for _ in range(count * 2):
            pair = rng.choice(self.grounded) if self.grounded else None
            if pair is None or len(scene.plain) == count:
                return
            if not any(self.kinship.touches(lesson, pair.fact) for lesson in scene.lessons()):
                scene.plain.append(pair)
