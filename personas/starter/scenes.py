"""Draw a creator with all that the persona block shows: facts, limits, examples."""

from __future__ import annotations

import random
import re
import tomllib
from dataclasses import dataclass, field
from typing import Any

from personas.starter.draws import chance
from personas.starter.entities import Entities, Known
from personas.starter.fans import Fans, load_fans
from personas.starter.grounded import Grounded
from personas.starter.persona import FOLDER, Creator, Creators, Slot, fill, third_person
from personas.starter.prompt import persona_text

Pair = tuple[str, str]
WORD = re.compile(r"[A-Za-z][A-Za-z'-]{3,}")
COMMON = frozenset((FOLDER / "common.txt").read_text(encoding="utf-8").split())


@dataclass(slots=True)
class Scene:
    """A creator with what the persona block shows."""

    creator: Creator
    avoided: list[str] = field(default_factory=list)
    examples: list[Pair] = field(default_factory=list)
    rephrased: dict[str, list[str]] = field(default_factory=dict)
    natural: list[Grounded] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    shown: str = ""


def rare_words(facts: list[str]) -> list[str]:
    """Return the words of medium length of the dialogue facts, sorted."""
    found = {word.lower() for fact in facts for word in WORD.findall(fact) if word.isalpha()}
    return sorted(found - COMMON)


class Scenes:
    """Draws scenes, and the values that templates need in them."""

    def __init__(self, facts: list[str], grounded: list[Grounded], *, validation: bool) -> None:
        self.creators = Creators(validation=validation)
        self.slots = {slot.name: slot for slot in self.creators.slots}
        self.talk: dict[str, Any] = tomllib.loads(
            (FOLDER / "talk.toml").read_text(encoding="utf-8")
        )
        self.extra = facts
        self.grounded = grounded
        self.creators.words = rare_words(facts)
        fans = load_fans()
        self.fans = Fans(fans)
        self.detail: list[str] = fans["detail"]
        silent = [*fans["silent"], *self.talk["deflect"], *self.talk["deflect_any"] * 2]
        self.entities = Entities(self.creators, self.detail, silent)

    def draw(self, rng: random.Random) -> Scene:
        """Draw a creator and compose the persona block."""
        row = tuple(rng.choice(self.creators.roles))
        known = self.entities.draw(row, rng.choice((0, 1, 2, 3, 4, 5, 6, 8)), rng)
        blocked = {slot for one in known for slot in one.entity.slots}
        most = rng.randrange(5, 15)
        creator = self.creators.draw(rng, max(0, rng.randrange(2, 9) - len(known) // 2), blocked)
        scene = Scene(creator, known=known)
        creator.facts.update((f"known {number}", one.fact) for number, one in enumerate(known))
        self._add_others(scene, rng)
        shuffled = list(creator.facts.items())
        rng.shuffle(shuffled)
        creator.facts.clear()
        creator.facts.update(shuffled[:most])
        if chance(rng, 0.4):
            topics = self.creators.values["avoid"] + list(self.fans.avoid) * 2
            scene.avoided = list(dict.fromkeys(rng.choices(topics, k=rng.randrange(1, 5))))
        if chance(rng, 0.45):
            scene.examples = self._examples(scene, rng)
        facts = list(creator.facts.values())
        scene.known = [one for one in known if one.fact in facts]
        if chance(rng, 0.1):
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
            taken = [slot.keys for slot in present] + [one.keys for one in scene.known]
            if not any(keys.search(fact) for keys in taken):
                scene.creator.facts[f"other {number}"] = fact
                scene.natural.append(pair)

    def absent(self, scene: Scene) -> list[Slot]:
        """Return the slots on which the persona is silent."""
        facts = scene.creator.facts
        text = "\n".join(
            [scene.creator.role, *facts.values(), *(f"{q} {a}" for q, a in scene.examples)]
        )
        blocked = {slot for one in scene.known for slot in one.entity.slots}
        blocked |= {"home", "home and pet"} if scene.creator.city else set()
        return [
            slot
            for name, slot in self.slots.items()
            if name not in facts and name not in blocked and not slot.keys.search(text)
        ]

    def common(self, scene: Scene, rng: random.Random) -> dict[str, str]:
        """Return the values that every template may use."""
        creator = scene.creator
        role = creator.role if chance(rng, 0.5) else creator.core
        return {"first": creator.first, "name": creator.name, "role": role, "topic": creator.topic}

    def values(self, scene: Scene, slot: str, rng: random.Random) -> dict[str, str]:
        """Return the values of a slot: the creator's own, or new ones."""
        own = scene.creator.values.get(slot) or self.creators.fresh(scene.creator.row, rng)
        return {**own, **self.common(scene, rng)}

    def _examples(self, scene: Scene, rng: random.Random) -> list[Pair]:
        """Return questions with answers in the creator's own words."""
        found: dict[str, str] = {}
        absent = self.absent(scene) or list(self.slots.values())
        for _ in range(rng.randrange(1, 4)):
            if chance(rng, 0.4):
                pair = rng.choice(self.grounded)
                question, answer = pair.question, pair.reply
            else:
                slot = rng.choice(absent)
                values = self.values(scene, "", rng)
                question = fill(rng.choice(slot.ask), values)
                answer = fill(rng.choice(slot.facts), values)
                scene.rephrased[answer] = [fill(ask, values) for ask in slot.ask]
                answer = rng.choice(self.extra) if chance(rng, 0.3) else answer
            found[question[:1].upper() + question[1:]] = answer
        return list(found.items())
