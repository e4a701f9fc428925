"""Write conversations between made-up creators and fans from the templates."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from personas.starter.casual import casual
from personas.starter.draws import chance
from personas.starter.grounded import Grounded, content_words
from personas.starter.persona import FOLDER, Creator, Creators, Slot, fill, third_person
from personas.starter.prompt import Turn, persona_text

Pair = tuple[str, str]
OPENER_SHARE, CLOSER_SHARE = 0.1, 0.06
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")
_NAMED = re.compile(
    r"\{(title|pet|person1|venue|vehicle|language|project|animal|thing|kind|makes|verb)\}"
)
_KEY = re.compile(r"\{(\w+)")
_COMMON = frozenset((FOLDER / "common.txt").read_text(encoding="utf-8").split())


@dataclass(slots=True)
class Scene:
    """A creator with what the persona block shows."""

    creator: Creator
    avoided: list[str] = field(default_factory=list)
    examples: list[Pair] = field(default_factory=list)
    rephrased: dict[str, list[str]] = field(default_factory=dict)
    natural: list[Grounded] = field(default_factory=list)
    shown: str = ""


class Writer:
    """Writes conversations; the same random generator gives the same text."""

    def __init__(self, facts: list[str], grounded: list[Grounded], *, validation: bool) -> None:
        self.creators = Creators(validation=validation)
        self.slots = {slot.name: slot for slot in self.creators.slots}
        self.talk: dict[str, Any] = tomllib.loads(
            (FOLDER / "talk.toml").read_text(encoding="utf-8")
        )
        self.kinds = [kind for kind in self.talk["talk"] for _ in range(kind.get("weight", 1))]
        self.extra = facts
        self.grounded = grounded

    def conversation(self, rng: random.Random, *, long: bool = False) -> list[Turn]:
        """Return a persona block and some question-answer pairs."""
        scene = self._scene(rng)
        turns = [Turn("system", scene.shown)]
        for _ in range(rng.randrange(14, 26) if long else rng.randrange(3, 9)):
            question, answer = self._pair(scene, rng)
            turns += [
                Turn("user", casual(question, scene.creator.first, rng)),
                Turn("assistant", answer),
            ]
        return turns

    def drill(self, rng: random.Random) -> list[Turn]:
        """Return a recall drill: the fan types the start of a fact, the twin completes it."""
        creator = self.creators.draw(rng, rng.randrange(1, 5))
        facts = rng.sample(self.extra, rng.randrange(3, 8)) + list(creator.facts.values())
        rng.shuffle(facts)
        facts = facts[:10]
        turns = [Turn("system", persona_text(creator.name, creator.role, facts))]
        for _ in range(rng.randrange(3, 7)):
            fact = rng.choice(facts)
            words = fact.split()
            at = 0 if chance(rng, 0.5) else rng.randrange(0, max(1, len(words) - 3))
            turns += [
                Turn("user", " ".join(words[at : at + 2 + (at == 0)])),
                Turn("assistant", fact),
            ]
        return turns

    def _scene(self, rng: random.Random) -> Scene:
        """Draw a creator and compose the persona block."""
        creator = self.creators.draw(rng, rng.randrange(3, 9))
        scene = Scene(creator)
        self._add_others(scene, rng)
        if chance(rng, 0.3):
            plain = {name: fact.replace("I'm ", "I am ") for name, fact in creator.facts.items()}
            creator.facts.update(plain)
        shuffled = list(creator.facts.items())
        rng.shuffle(shuffled)
        creator.facts.clear()
        creator.facts.update(shuffled[:10])
        if chance(rng, 0.4):
            scene.avoided = rng.sample(self.creators.values["avoid"], rng.randrange(1, 5))
        if chance(rng, 0.4):
            scene.examples = self._examples(scene, rng)
        facts = list(creator.facts.values())
        if chance(rng, 0.25):
            pronoun = rng.choice(("his", "her", "their"))
            facts = [third_person(fact, creator.first, pronoun) or fact for fact in facts]
        scene.natural = [pair for pair in scene.natural if pair.fact in creator.facts.values()]
        scene.shown = persona_text(creator.name, creator.role, facts, scene.avoided, scene.examples)
        return scene

    def _add_others(self, scene: Scene, rng: random.Random) -> None:
        """Add facts of the dialogue data that don't answer a present slot's question."""
        present = [self.slots[name] for name in scene.creator.facts if name in self.slots]
        for number in range(rng.randrange(0, 4)):
            pair = rng.choice(self.grounded)
            fact = pair.fact if chance(rng, 0.75) else rng.choice(self.extra)
            if not any(slot.keys.search(fact) for slot in present):
                scene.creator.facts[f"other {number}"] = fact
                scene.natural.append(pair)

    def _absent(self, scene: Scene) -> list[Slot]:
        """Return the slots on which the persona is silent."""
        facts = scene.creator.facts
        text = "\n".join(
            [scene.creator.role, *facts.values(), *(f"{q} {a}" for q, a in scene.examples)]
        )
        blocked = {"home", "home and pet"} if scene.creator.city else set()
        return [
            slot
            for name, slot in self.slots.items()
            if name not in facts and name not in blocked and not slot.keys.search(text)
        ]

    def _common(self, scene: Scene, rng: random.Random) -> dict[str, str]:
        """Return the values that every template may use."""
        creator = scene.creator
        role = creator.role if chance(rng, 0.5) else creator.core
        return {"first": creator.first, "name": creator.name, "role": role, "topic": creator.topic}

    def _values(self, scene: Scene, slot: str, rng: random.Random) -> dict[str, str]:
        own = scene.creator.values.get(slot) or self.creators.fresh(scene.creator.row, rng)
        return {**own, **self._common(scene, rng)}

    def _examples(self, scene: Scene, rng: random.Random) -> list[Pair]:
        """Return questions with answers in the creator's own words."""
        found: dict[str, str] = {}
        absent = self._absent(scene) or list(self.slots.values())
        for _ in range(rng.randrange(1, 4)):
            if chance(rng, 0.4):
                pair = rng.choice(self.grounded)
                question, answer = pair.question, pair.reply
            else:
                slot = rng.choice(absent)
                values = self._values(scene, "", rng)
                question = fill(rng.choice(slot.ask), values)
                answer = fill(rng.choice(slot.facts), values)
                scene.rephrased[answer] = [fill(ask, values) for ask in slot.ask]
                answer = rng.choice(self.extra) if chance(rng, 0.3) else answer
            found[question[:1].upper() + question[1:]] = answer
        return list(found.items())

    def _pair(self, scene: Scene, rng: random.Random) -> Pair:
        """Return one question with its answer."""
        if scene.examples and chance(rng, 0.2):
            question, answer = rng.choice(scene.examples)
            if answer in scene.rephrased and chance(rng, 0.4):
                question = rng.choice(scene.rephrased[answer])
            return question, answer
        if scene.avoided and chance(rng, 0.12):
            return self._avoided(scene, rng)
        makers = (self._known, self._missing, self._talk, self._keyword, self._natural)
        return rng.choices(makers, weights=(36, 19, 19, 10, 16))[0](scene, rng)

    def _known(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask what a fact answers."""
        creator = scene.creator
        if creator.city and chance(rng, 0.12):
            values = {**self._values(scene, "", rng), "place": creator.city}
            slot = self.slots["home"]
            return fill(rng.choice(slot.ask), values), fill(rng.choice(slot.answers), values)
        mine = [fact for fact in creator.facts.values() if fact.startswith(("I", "My"))]
        if mine and chance(rng, 0.06):
            return rng.choice(self.talk["ask_any"]), rng.choice(mine)
        names = [name for name in creator.facts if name in self.slots]
        if not names:
            return self._talk(scene, rng)
        slot = self.slots[rng.choice(names)]
        values = self._values(scene, slot.name, rng)
        fact = creator.facts[slot.name]
        low = fact.lower()
        asks = [
            ask
            for ask in slot.ask
            if all(values[key].lower() in low for key in _NAMED.findall(ask))
        ]
        answers = [
            text
            for text in slot.answers
            if all(values[key].lower() in low for key in _KEY.findall(text) if key != "topic")
        ]
        own_words = not answers or (fact.startswith(("I", "My")) and chance(rng, 0.35))
        answer = fact if own_words else fill(rng.choice(answers), values)
        return fill(rng.choice(asks or slot.ask), values), self._decorate(answer, rng)

    def _decorate(self, answer: str, rng: random.Random) -> str:
        luck = rng.random()
        if luck < OPENER_SHARE:
            return str(rng.choice(self.talk["openers"])) + answer
        closed = luck < OPENER_SHARE + CLOSER_SHARE
        return answer + str(rng.choice(self.talk["closers"])) if closed else answer

    def _missing(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask what no fact answers."""
        absent = self._absent(scene)
        values = self._values(scene, "", rng)
        if chance(rng, 0.2) or not absent:
            values["other"] = rng.choice(self.creators.values["other"])
            return fill(rng.choice(self.talk["ask_other"]), values), fill(
                rng.choice(self.talk["deflect_other"]), values
            )
        slot = rng.choice(absent)
        values["slot"] = fill(slot.topic, values)
        return fill(rng.choice(slot.ask), values), fill(rng.choice(self.talk["deflect"]), values)

    def _natural(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask a question from the dialogue data, answered by a fact or by none."""
        if scene.natural and chance(rng, 0.65):
            pair = rng.choice(scene.natural)
            return pair.question, pair.reply if chance(rng, 0.6) else pair.fact
        known = content_words(scene.shown)
        for pair in rng.sample(self.grounded, 5):
            if len(known & content_words(f"{pair.question} {pair.fact}")) == 0:
                return pair.question, rng.choice(self.talk["deflect_any"])
        return self._missing(scene, rng)

    def _talk(self, scene: Scene, rng: random.Random) -> Pair:
        kind = rng.choice(self.kinds)
        values = self._common(scene, rng)
        return fill(rng.choice(kind["ask"]), values), fill(rng.choice(kind["answers"]), values)

    def _avoided(self, scene: Scene, rng: random.Random) -> Pair:
        values = {**self._common(scene, rng), "avoid": rng.choice(scene.avoided)}
        yours = {**values, "avoid": re.sub(r"^my\b", "your", values["avoid"])}
        return fill(rng.choice(self.talk["ask_avoid"]), yours), fill(
            rng.choice(self.talk["answer_avoid"]), values
        )

    def _keyword(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask about a word of a fact; or about a word that no fact has."""
        own = chance(rng, 0.7) and bool(scene.creator.facts)
        fact = rng.choice(list(scene.creator.facts.values()) if own else self.extra)
        shown = scene.shown.lower()
        words = [
            w
            for w in _WORD.findall(fact)
            if w.lower() not in _COMMON and shown.count(w.lower()) == own
        ]
        if not words or (own and not fact.startswith(("I", "My"))):
            return self._known(scene, rng)
        values = {**self._common(scene, rng), "word": rng.choice(words)}
        question = fill(rng.choice(self.talk["ask_word"]), values)
        return question, fact if own else fill(rng.choice(self.talk["deflect_word"]), values)
