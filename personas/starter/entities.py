"""Things in a creator's life that fans ask several questions about, with follow-ups and details."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Collection
from dataclasses import dataclass

from personas.starter.draws import chance
from personas.starter.persona import FOLDER, Creators, coined, fill

Pair = tuple[str, str]
Choice = tuple[tuple[str, ...], ...]
FACT, UNKNOWN = "@fact", "@unknown"
FOLLOW_SHARE, CHECK_SHARE, DETAIL_SHARE, RIGHT_SHARE = 0.3, 0.16, 0.2, 0.45
_KEY = re.compile(r"\{(place|value|title|pet|person1|day|animal|collectq)\}")


@dataclass(frozen=True, slots=True)
class Entity:
    """A kind of thing; alternatives of a text are tuples."""

    name: str
    keys: str
    slots: frozenset[str]
    facts: tuple[str, ...]
    ask: tuple[Choice, ...]
    follow: tuple[Choice, ...]
    check: tuple[Choice, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A thing that the persona states, with the values of this creator."""

    entity: Entity
    values: dict[str, str]
    fact: str

    @property
    def keys(self) -> re.Pattern[str]:
        """Match texts that are about the same."""
        return re.compile(rf"\b({fill(self.entity.keys, self.values)})\b", re.IGNORECASE)


def _choices(rows: list[list[str]]) -> tuple[Choice, ...]:
    return tuple(tuple(tuple(cell.split("|")) for cell in row) for row in rows)


def load_entities() -> list[Entity]:
    """Read entities.toml."""
    rows = tomllib.loads((FOLDER / "entities.toml").read_text(encoding="utf-8"))["entity"]
    return [
        Entity(
            name=row["name"],
            keys=row["keys"],
            slots=frozenset(row["slots"].split("|")),
            facts=tuple(row["facts"].split("|")),
            ask=_choices(row["ask"]),
            follow=_choices(row["follow"]),
            check=_choices(row["check"]),
            unknown=tuple(row["unknown"].split("|")),
        )
        for row in rows
    ]


class Entities:
    """Draws things for a creator and asks about them."""

    def __init__(self, creators: Creators, detail: list[str], deflect: list[str]) -> None:
        self.creators = creators
        self.all = load_entities()
        self.detail, self.deflect = detail, deflect

    def values(self, row: tuple[str, ...], rng: random.Random) -> dict[str, str]:
        """Draw a value for every placeholder of entities.toml."""
        pick = self.creators.fresh(row, rng)
        if chance(rng, 0.7):
            pick["thing"] = rng.choice(self.creators.values["stuff"])
        kinds = (
            lambda: pick["thingname"],
            lambda: pick["title"],
            lambda: coined(rng),
            lambda: (
                f"the {pick['noun'].lower()} {rng.choice(('of', 'in', 'from'))} {pick['place']}"
            ),
            lambda: self.creators.word(rng),
            lambda: f"{self.creators.word(rng)} {self.creators.word(rng)}",
            lambda: pick["person"],
            lambda: pick["food"],
        )
        pick["value"] = rng.choice(kinds)()
        if chance(rng, 0.35):
            pick["fear"] = f"{self.creators.word(rng)}s"
            pick["collectq"] = (
                f"{self.creators.word(rng)} {rng.choice(('books', 'cards', 'parts'))}"
            )
        return pick

    def draw(self, row: tuple[str, ...], count: int, rng: random.Random) -> list[Known]:
        """Return up to `count` things whose questions don't overlap."""
        found: list[Known] = []
        taken: set[str] = set()
        favourites = rng.choice((0, 1, 1, 2, 3))
        kinds = rng.sample(self.all, len(self.all))
        many = [one for one in self.all if one.name == "favourite"] * favourites
        for entity in [*many, *(one for one in kinds if one.name != "favourite")]:
            if len(found) == count or (entity.slots & taken and entity.name != "favourite"):
                continue
            values = self.values(row, rng)
            fact = fill(rng.choice(entity.facts), values)
            if any(one.values["thing"] == values["thing"] for one in found):
                continue
            found.append(Known(entity, {**values, "fact": fact}, fact))
            taken |= entity.slots
        return found

    def exchange(self, known: Known, common: dict[str, str], rng: random.Random) -> list[Pair]:
        """Return one question with its answer, and maybe a follow-up."""
        values = {**known.values, **common}
        luck = rng.random()
        if luck < DETAIL_SHARE:
            return [self._detail(known, values, rng)]
        if luck < DETAIL_SHARE + CHECK_SHARE and known.entity.check:
            return [self._check(known, values, rng)]
        named = known.fact.lower()
        usable = [
            (asks, answers)
            for asks, answers in known.entity.ask
            if all(values[key].lower() in named for key in _KEY.findall(asks[0]))
        ]
        asks, answers = rng.choice(usable or [known.entity.ask[0]])
        pairs = [(fill(rng.choice(asks), values), self._answer(known, answers, values, rng))]
        if chance(rng, FOLLOW_SHARE):
            asks, answers = rng.choice(known.entity.follow)
            pairs.append(
                (fill(rng.choice(asks), values), self._answer(known, answers, values, rng))
            )
        return pairs

    def _answer(
        self, known: Known, answers: tuple[str, ...], values: dict[str, str], rng: random.Random
    ) -> str:
        """Fill an answer whose values the fact holds; else say the fact."""
        answer = rng.choice(answers)
        if answer == UNKNOWN:
            return fill(rng.choice(self.detail), values)
        named = known.fact.lower()
        stated = all(values[key].lower() in named for key in _KEY.findall(answer))
        return known.fact if answer == FACT or not stated else fill(answer, values)

    def _detail(self, known: Known, values: dict[str, str], rng: random.Random) -> Pair:
        named = known.fact.lower()
        fits = [
            question
            for question in known.entity.unknown
            if all(values[key].lower() in named for key in _KEY.findall(question))
        ]
        question = fill(rng.choice(fits or known.entity.unknown), values)
        return question, fill(rng.choice(self.detail), values)

    def _check(self, known: Known, values: dict[str, str], rng: random.Random) -> Pair:
        """Ask whether a value is right; a wrong one is corrected."""
        asks, yes, no = rng.choice(known.entity.check)
        question = rng.choice(asks)
        keys = _KEY.findall(question)
        if not keys or any(values[key].lower() not in known.fact.lower() for key in keys):
            return fill(question, values), known.fact
        key = keys[-1]
        other = self.creators_value(key, values, rng)
        if chance(rng, RIGHT_SHARE) or other.lower() == values[key].lower():
            return fill(question, values), fill(rng.choice(yes), values)
        return fill(question, {**values, key: other}), fill(rng.choice(no), values)

    def creators_value(self, key: str, values: dict[str, str], rng: random.Random) -> str:
        """Return another value for a key."""
        row = self.creators.roles[rng.randrange(len(self.creators.roles))]
        other = self.values(tuple(row), rng)
        return other[key] if key in other else values[key]

    def missing(
        self, known: Collection[str], text: str, common: dict[str, str], rng: random.Random
    ) -> Pair | None:
        """Ask about a thing on which the persona is silent."""
        entity = rng.choice(self.all)
        row = tuple(self.creators.roles[rng.randrange(len(self.creators.roles))])
        values = {**self.values(row, rng), **common}
        one = Known(entity, values, "")
        if (entity.name in known and entity.name != "favourite") or one.keys.search(text):
            return None
        questions, *_ = rng.choice(
            [*entity.ask[:1], *(entity.check if chance(rng, 0.25) else entity.ask[:1])]
        )
        values["slot"] = f"my favourite {values['thing']}" if entity.name == "favourite" else "that"
        return fill(rng.choice(questions), values), fill(rng.choice(self.deflect), values)
