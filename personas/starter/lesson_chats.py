"""Write conversations between creators made of lessons and their fans."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from personas.starter.asked import ask
from personas.starter.casual import casual
from personas.starter.draws import chance
from personas.starter.fans import Fans
from personas.starter.kinship import answered_elsewhere
from personas.starter.lesson_scenes import LessonScene, LessonScenes, Stated
from personas.starter.lessons import Lesson, Pair, fill, keys_of
from personas.starter.persona import FOLDER
from personas.starter.prompt import Turn

# How often a question is answered in the very words of the fact: that is the safest reply.
FACT_WORDS, NOTE_WORDS, PART_WORDS, PLAIN_WORDS = 0.92, 0.5, 0.7, 0.9
DECORATED, WRAPPED, CASUAL, STREAK = 0.02, 0.12, 0.55, 0.5
GREETED, ENDED, TOLD = 0.25, 0.15, 0.3
UNTOLD_SHARE, TOLD_BEFORE = 0.1, 0.25
_SENTENCE = re.compile(r"(?<=[.!?]) (?=[A-Z])")
Maker = Callable[[LessonScene, random.Random], Pair | None]


def lines_of(name: str) -> list[str]:
    """Return the lines of a text file of the templates."""
    return (FOLDER / name).read_text(encoding="utf-8").splitlines()


def sentence_with(keys: Sequence[str], one: Stated) -> str | None:
    """Return the sentence of a fact or note that holds all values of an answer."""
    for sentence in _SENTENCE.split(one.text):
        if keys and all(one.values[key] in sentence for key in keys):
            return sentence
    return None


ASKED_AVOIDED, UNTOLD, WHO = map(lines_of, ("ask_avoided.txt", "untold.txt", "who.txt"))


class LessonWriter:
    """Writes conversations; the same random generator gives the same text."""

    def __init__(self, scenes: LessonScenes, lessons: Sequence[Lesson], fans: Fans) -> None:
        self.scenes, self.fans = scenes, fans
        plain = [lesson for lesson in lessons if not lesson.held_out]
        said = [one for one in plain if one.texts("Q") and not set("FKEVS") & set(one.fields)]
        self.talk = [one for one in said if one.source != "disclosure"]
        self.disclosing = [one for one in said if one.source == "disclosure"]
        self.tags = sorted({one.tag for one in self.talk})
        self.deflections = lines_of("deflections.txt")
        self.refusals = lines_of("refusals.txt")
        self.openers = ["Sure! ", "Good question! ", "Oh, ", "Thanks for asking! ", "Ha, "]

    def conversation(self, rng: random.Random, *, turns: int = 0) -> list[Turn]:
        """Return a persona block and some exchanges about it."""
        scene = self.scenes.draw(rng)
        count = turns or rng.randrange(7, 18)
        pairs = self._opening(scene, rng)
        while len(pairs) < count:
            pairs += self._exchanges(scene, rng)
        if chance(rng, TOLD):
            self._remember(scene, pairs, rng)
            self.scenes.show(scene, rng)
        if chance(rng, ENDED):
            pairs += self._of_tags(scene, ("goodbye", "good_night", "thanks"), rng)
        written = [Turn("system", scene.shown)]
        for question, answer in pairs:
            said = question
            if chance(rng, CASUAL):
                said = casual(question, scene.common["first"], rng)
            written += [Turn("user", said), Turn("assistant", answer)]
        return written

    def _opening(self, scene: LessonScene, rng: random.Random) -> list[Pair]:
        if not chance(rng, GREETED):
            return []
        return self._of_tags(scene, ("greeting", "greeting", "how_are_you", "compliment"), rng)

    def _of_tags(self, scene: LessonScene, tags: Sequence[str], rng: random.Random) -> list[Pair]:
        tag = rng.choice(tags)
        found = [one for one in self.talk if one.tag == tag]
        return [self._said(scene, rng.choice(found), rng)] if found else []

    def _exchanges(self, scene: LessonScene, rng: random.Random) -> list[Pair]:
        """Return one exchange, or two where the fan goes on about the same."""
        makers: tuple[Maker, ...]
        makers = (self._fact, self._missing, self._talk, self._example)
        makers += (self._refused, self._plain, self._disclosed, self._odd, self._other)
        weights = (64, 4, 14, 14, 9, 12, 3.5, 3.5, 1.5)
        maker = rng.choices(makers, weights=weights)[0]
        first = maker(scene, rng)
        if first is None:
            return []
        pairs = [first]
        if maker == self._missing and chance(rng, STREAK):
            # Silence twice in a row, in other words: so that replies aren't repeated.
            again = self._missing(scene, rng)
            pairs += [again] if again else []
        if scene.stated and chance(rng, 0.05):
            near = self._near(scene, rng.choice(scene.stated), rng)
            pairs += [near] if near else []
        return pairs

    def _fresh(self, scene: LessonScene, texts: Sequence[str], rng: random.Random) -> str:
        """Return a text that the twin has not said yet in this conversation."""
        unsaid = [text for text in texts if text not in scene.said]
        chosen = rng.choice(unsaid or list(texts))
        scene.said.add(chosen)
        return chosen

    def _deflected(self, scene: LessonScene, rng: random.Random) -> str:
        return fill(self._fresh(scene, self.deflections, rng), scene.common)

    def _fact(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Ask what a fact or a note answers, or guess wrong, or ask for what it leaves open."""
        fresh = [one for one in scene.stated if one.asked < 1] or scene.stated
        if not fresh:
            return None
        one = rng.choice(fresh)
        one.asked += 1
        luck = rng.random()
        if luck < 0.04:
            near = self._near(scene, one, rng)
            if near:
                return near
        lesson = one.lesson
        if luck < 0.19 and lesson.pairs("W"):
            question, answer = rng.choice(lesson.pairs("W"))
            return fill(question, one.values), fill(answer, one.values)
        special = 0.5 if lesson.texts("K") else 0.25
        if lesson.pairs("T") and chance(rng, special):
            question, answer = rng.choice(lesson.pairs("T"))
            own = sentence_with(keys_of(answer), one) if chance(rng, PART_WORDS) else None
            return fill(question, one.values), own or fill(answer, one.values)
        return self.answered(one, rng.choice(lesson.texts("Q")), scene, rng)

    def answered(self, one: Stated, question: str, scene: LessonScene, rng: random.Random) -> Pair:
        """Answer a question of a lesson from its fact."""
        fact = bool(one.lesson.texts("F"))
        if fact and chance(rng, 0.06):
            pair = ask(one.text, rng)
            if pair:
                return pair
        answers = [fill(text, one.values) for text in one.lesson.texts("A")]
        answer = self._fresh(scene, answers, rng)
        if one.text not in scene.said and chance(rng, FACT_WORDS if fact else NOTE_WORDS):
            answer = one.text
            scene.said.add(answer)
        if answer.startswith(("I ", "I'")) and chance(rng, DECORATED):
            answer = rng.choice(self.openers) + answer
        asked = fill(question, one.values)
        if chance(rng, WRAPPED):
            asked = self.fans.wrap(asked, scene.common, rng)
        return asked, answer

    def _near(self, scene: LessonScene, one: Stated, rng: random.Random) -> Pair | None:
        """Ask what is close to a fact and not answered by it, nor by another."""
        if not one.lesson.texts("N"):
            return None
        question = rng.choice(one.lesson.texts("N"))
        others = [other for other in scene.lessons() if other is not one.lesson]
        if answered_elsewhere(question, others):
            return None
        return fill(question, one.values), self._deflected(scene, rng)

    def _missing(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Ask about a matter on which the persona is silent."""
        lesson = rng.choice(self.scenes.facts if chance(rng, 0.8) else self.scenes.notes)
        kinship = self.scenes.kinship
        if kinship.related(lesson, scene.lessons()):
            return None
        if any(kinship.touches(lesson, pair.fact) for pair in scene.plain):
            return None
        question = rng.choice(lesson.texts("Q") + lesson.texts("N"))
        if answered_elsewhere(question, scene.lessons()):
            return None
        values = {**self.scenes.values.draw(lesson, scene.common, rng), **scene.common}
        return fill(question, values), self._deflected(scene, rng)

    def _talk(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Say something that needs no fact; every tag is as likely as another."""
        return self._of_tags(scene, self.tags, rng)[0] if self.tags else None

    def _said(self, scene: LessonScene, lesson: Lesson, rng: random.Random) -> Pair:
        values = {**self.scenes.values.draw(lesson, scene.common, rng), **scene.common}
        question = fill(rng.choice(lesson.texts("Q")), values)
        return question, fill(self._fresh(scene, lesson.texts("A"), rng), values)

    def _example(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Ask what one of the creator's own examples answers."""
        fresh = [one for one in scene.examples if not one.asked]
        if not fresh:
            return None
        one = rng.choice(fresh)
        if chance(rng, 0.15):
            return self._near(scene, one, rng)
        one.asked += 1
        own = chance(rng, 0.3) or not one.lesson.texts("Q")
        asked = rng.choice(one.lesson.texts("E" if own else "Q"))
        return fill(asked, one.values), one.text

    def _refused(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        if not scene.avoided:
            return None
        topic = rng.choice(scene.avoided)
        lesson = self.scenes.limits.get(topic)
        asked = lesson.texts("Q") if lesson else tuple(self.fans.avoid.get(topic, ()))
        question = rng.choice(ASKED_AVOIDED if chance(rng, 0.25) or not asked else asked)
        own = lesson.texts("A") if lesson and chance(rng, 0.5) else self.refusals
        values = {**scene.common, "avoid": topic}
        yours = topic.replace("my ", "your ")
        return fill(question, {**values, "avoid": yours}), fill(
            self._fresh(scene, own, rng), values
        )

    def _allowed(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Ask about what others keep out of their chats; this creator only never spoke of it."""
        topic = rng.choice(list(self.scenes.limits))
        lesson = self.scenes.limits[topic]
        known = any(self.scenes.kinship.touches(lesson, text) for text in (scene.shown, topic))
        if topic in scene.avoided or known:
            return None
        return fill(rng.choice(lesson.texts("Q")), scene.common), self._deflected(scene, rng)

    def _plain(self, scene: LessonScene, rng: random.Random) -> Pair | None:
        """Ask about a fact of the dialogue data, as people did or by rule."""
        if not scene.plain:
            return None
        one = rng.choice(scene.plain)
        if chance(rng, 0.45) and len(one.fact) < 70:
            return ask(one.fact, rng)
        return one.question, one.fact if chance(rng, PLAIN_WORDS) else one.reply

    def _disclosed(self, scene: LessonScene, rng: random.Random) -> Pair:
        if self.disclosing and chance(rng, 0.7):
            return self._said(scene, rng.choice(self.disclosing), rng)
        return self.fans.disclosure(scene.common, rng)

    def _odd(self, scene: LessonScene, rng: random.Random) -> Pair:
        return self.fans.odd(scene.common, rng)

    def _other(self, scene: LessonScene, rng: random.Random) -> Pair:
        """Let the fan ask who this is."""
        asked = rng.choice(WHO)
        return asked, fill(
            rng.choice(("I'm {name}, {role}.", "I'm {first}, {role}.")), scene.common
        )

    def _remember(self, scene: LessonScene, pairs: list[Pair], rng: random.Random) -> None:
        """Let the fan say something about themselves, and ask for it afterwards.

        Sometimes it was said in an earlier conversation and stands in the persona block; sometimes
        it was never said.
        """
        one = self.scenes.remember(scene, rng)
        if one is None or chance(rng, 0.25):
            creators = self.scenes.creators
            memory = self.fans.memory(creators.fresh(rng.choice(creators.roles), rng), rng)
            said, asked, unasked = memory.said, memory.asked, memory.unasked
            kept = None
        else:
            texts = {key: fill(rng.choice(one.lesson.texts(key)), one.values) for key in "SRQA"}
            said, asked = (texts["S"], texts["R"]), (texts["Q"], texts["A"])
            unasked, kept = (texts["Q"], rng.choice(UNTOLD)), one.text
        first, second = sorted(rng.sample(range(len(pairs) + 1), 2))
        luck = rng.random()
        if luck < UNTOLD_SHARE:
            pairs.insert(first, unasked)
            return
        pairs.insert(second, asked)
        if kept and luck < TOLD_BEFORE:
            scene.told.append(kept)
        else:
            pairs.insert(first, said)
