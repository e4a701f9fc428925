"""Write conversations between made-up creators and fans from the templates."""

from __future__ import annotations

import random
import re

from personas.starter.casual import casual
from personas.starter.draws import chance
from personas.starter.grounded import Grounded, content_words
from personas.starter.persona import fill
from personas.starter.prompt import Turn, persona_text
from personas.starter.scenes import COMMON, WORD, Pair, Scene, Scenes

OPENER_SHARE, CLOSER_SHARE = 0.1, 0.06
_NAMED = re.compile(
    r"\{(title|pet|person1|venue|vehicle|language|project|animal|thing|kind|makes|verb)\}"
)
_KEY = re.compile(r"\{(\w+)")


class Writer:
    """Writes conversations; the same random generator gives the same text."""

    def __init__(self, facts: list[str], grounded: list[Grounded], *, validation: bool) -> None:
        self.scenes = Scenes(facts, grounded, validation=validation)
        self.creators, self.slots = self.scenes.creators, self.scenes.slots
        self.talk, self.fans = self.scenes.talk, self.scenes.fans
        self.kinds = [kind for kind in self.talk["talk"] for _ in range(kind.get("weight", 1))]

    def conversation(self, rng: random.Random, *, long: bool = False) -> list[Turn]:
        """Return a persona block and some question-answer pairs."""
        scene = self.scenes.draw(rng)
        count = rng.randrange(14, 26) if long else rng.randrange(4, 11)
        pairs: list[Pair] = []
        while len(pairs) < count:
            pairs += self._exchange(scene, rng)
            if chance(rng, 0.02):
                pairs.append((rng.choice(self.fans.content["again"]), pairs[-1][1]))
        if chance(rng, 0.25):
            self._remember(pairs, rng)
        turns = [Turn("system", scene.shown)]
        for question, answer in pairs:
            said = casual(question, scene.creator.first, rng)
            turns += [Turn("user", said), Turn("assistant", answer)]
        return turns

    def _remember(self, pairs: list[Pair], rng: random.Random) -> None:
        """Let the fan say something about themselves, and ask for it before or after."""
        row = rng.choice(self.creators.roles)
        memory = self.fans.memory(self.creators.fresh(row, rng), rng)
        first, second = sorted(rng.sample(range(len(pairs) + 1), 2))
        if chance(rng, 0.3):
            pairs.insert(first, memory.unasked)
            if chance(rng, 0.5):
                pairs.insert(second + 1, memory.said)
            return
        pairs.insert(second, memory.asked)
        pairs.insert(first, memory.said)

    def drill(self, rng: random.Random) -> list[Turn]:
        """Return a recall drill: the fan types the start of a fact, the twin completes it."""
        creator = self.creators.draw(rng, rng.randrange(1, 5))
        facts = rng.sample(self.scenes.extra, rng.randrange(3, 8)) + list(creator.facts.values())
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

    def _exchange(self, scene: Scene, rng: random.Random) -> list[Pair]:
        """Return one question with its answer, and maybe a follow-up."""
        common = self.scenes.common(scene, rng)
        if scene.known and chance(rng, 0.36):
            pairs = self.scenes.entities.exchange(rng.choice(scene.known), common, rng)
        elif chance(rng, 0.1):
            pair = self.fans.disclosure if chance(rng, 0.45) else self.fans.odd
            return [pair(common, rng)]
        else:
            pairs = [self._pair(scene, rng)]
        if chance(rng, 0.2):
            pairs[0] = (self.fans.wrap(pairs[0][0], common, rng), pairs[0][1])
        return pairs

    def _pair(self, scene: Scene, rng: random.Random) -> Pair:
        """Return one question with its answer."""
        if scene.examples and chance(rng, 0.2):
            question, answer = rng.choice(scene.examples)
            if answer in scene.rephrased and chance(rng, 0.4):
                question = rng.choice(scene.rephrased[answer])
            return question, answer
        if scene.avoided and chance(rng, 0.16):
            return self._avoided(scene, rng)
        makers = (self._known, self._missing, self._talk, self._keyword, self._natural)
        return rng.choices(makers, weights=(36, 14, 15, 9, 26))[0](scene, rng)

    def _known(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask what a fact answers."""
        creator = scene.creator
        if creator.city and chance(rng, 0.12):
            values = {**self.scenes.values(scene, "", rng), "place": creator.city}
            slot = self.slots["home"]
            return fill(rng.choice(slot.ask), values), fill(rng.choice(slot.answers), values)
        mine = [fact for fact in creator.facts.values() if fact.startswith(("I", "My"))]
        if mine and chance(rng, 0.06):
            return rng.choice(self.talk["ask_any"]), rng.choice(mine)
        names = [name for name in creator.facts if name in self.slots]
        if not names:
            return self._talk(scene, rng)
        slot = self.slots[rng.choice(names)]
        values = self.scenes.values(scene, slot.name, rng)
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
        if chance(rng, 0.5):
            names = {one.entity.name for one in scene.known}
            names |= {"home"} if scene.creator.city else set()
            pair = self.scenes.entities.missing(
                names, scene.shown, self.scenes.common(scene, rng), rng
            )
            if pair:
                return pair
        absent = self.scenes.absent(scene)
        values = self.scenes.values(scene, "", rng)
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
        for pair in rng.sample(self.scenes.grounded, 5):
            if len(known & content_words(f"{pair.question} {pair.fact}")) == 0:
                return pair.question, rng.choice(self.talk["deflect_any"])
        return self._missing(scene, rng)

    def _talk(self, scene: Scene, rng: random.Random) -> Pair:
        kind = rng.choice(self.kinds)
        values = self.scenes.common(scene, rng)
        return fill(rng.choice(kind["ask"]), values), fill(rng.choice(kind["answers"]), values)

    def _avoided(self, scene: Scene, rng: random.Random) -> Pair:
        values = {**self.scenes.common(scene, rng), "avoid": rng.choice(scene.avoided)}
        yours = {**values, "avoid": re.sub(r"^my\b", "your", values["avoid"])}
        question = fill(rng.choice(self.talk["ask_avoid"]), yours)
        if values["avoid"] in self.fans.avoid and chance(rng, 0.6):
            question = rng.choice(self.fans.avoid[values["avoid"]])
        return question, fill(rng.choice(self.talk["answer_avoid"]), values)

    def _keyword(self, scene: Scene, rng: random.Random) -> Pair:
        """Ask about a word of a fact; or about a word that no fact has."""
        own = chance(rng, 0.7) and bool(scene.creator.facts)
        fact = rng.choice(list(scene.creator.facts.values()) if own else self.scenes.extra)
        shown = scene.shown.lower()
        words = [
            w
            for w in WORD.findall(fact)
            if w.lower() not in COMMON and shown.count(w.lower()) == own
        ]
        if not words or (own and not fact.startswith(("I", "My"))):
            return self._known(scene, rng)
        values = {**self.scenes.common(scene, rng), "word": rng.choice(words)}
        question = fill(rng.choice(self.talk["ask_word"]), values)
        return question, fact if own else fill(rng.choice(self.talk["deflect_word"]), values)
