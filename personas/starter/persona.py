"""Draw random creators: a name, a role and facts with the questions that they answer."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personas.starter.draws import chance

FOLDER = Path(__file__).parent / "templates"
_PLACE = re.compile(r"\{(\w+)(!c)?\}")
_IRREGULAR = {"has": "have", "is": "am", "does": "do", "goes": "go", "his": "my", "her": "my"}
_TITLES = (
    *(
        "DJ",
        "Captain",
        "Doc",
        "Miss",
        "Mister",
        "La",
        "El",
        "Lady",
        "Big",
        "Little",
        "Sir",
        "Madame",
    ),
    *("Aunt", "Uncle", "Professor", "Sister", "Old", "The Great", "Nana", "MC"),
)
_SYLLABLES = (FOLDER / "syllables.txt").read_text(encoding="utf-8").split()


@dataclass(frozen=True, slots=True)
class Slot:
    """A kind of fact with the questions that fans ask about it."""

    name: str
    keys: re.Pattern[str]
    facts: tuple[str, ...]
    ask: tuple[str, ...]
    answers: tuple[str, ...]
    topic: str


@dataclass(frozen=True, slots=True)
class Creator:
    """A made-up creator."""

    name: str
    first: str
    role: str
    topic: str
    city: str | None
    facts: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)
    row: tuple[str, ...] = ()

    @property
    def core(self) -> str:
        """Return the role without its "who ..." part."""
        return self.role.split(" who ")[0]


def load_slots() -> list[Slot]:
    """Read slots.toml."""
    rows = tomllib.loads((FOLDER / "slots.toml").read_text(encoding="utf-8"))["slot"]
    return [
        Slot(
            name=row["name"],
            keys=re.compile(rf"\b({row['keys']})\b", re.IGNORECASE),
            facts=tuple(row["facts"]),
            ask=tuple(row["ask"]),
            answers=tuple(row.get("answers", ())),
            topic=row["topic"],
        )
        for row in rows
    ]


def load_values() -> dict[str, list[str]]:
    """Read values.toml: lists are separated by "|" where present, otherwise by spaces."""
    rows = tomllib.loads((FOLDER / "values.toml").read_text(encoding="utf-8"))
    return {key: text.split("|") if "|" in text else text.split() for key, text in rows.items()}


def load_roles() -> list[list[str]]:
    """Read roles.txt as rows of six columns."""
    lines = (FOLDER / "roles.txt").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.split("|")] for line in lines if line and line[0] != "#"]


def load_lists(name: str, table: str = "") -> dict[str, list[str]]:
    """Read lists from a file, or from one table of it."""
    rows = tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
    chosen = rows[table] if table else rows
    return {
        key: value if isinstance(value, list) else value.split("|") for key, value in chosen.items()
    }


def load_crafts() -> list[list[str]]:
    """Read crafts.txt as rows of occupation and topic."""
    lines = (FOLDER / "crafts.txt").read_text(encoding="utf-8").splitlines()
    return [line.split("|") for line in lines if line and line[0] != "#"]


def fill(template: str, values: dict[str, str]) -> str:
    """Replace {key} and {key!c} (capitalised) by values."""

    def replace(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value[:1].upper() + value[1:] if match[2] else value

    return _PLACE.sub(replace, template)


def coined(rng: random.Random) -> str:
    """Return an invented proper name."""
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3)))).capitalize()


def with_article(noun: str) -> str:
    """Put "a" or "an" before a noun."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def first_person(clause: str) -> str:
    """Turn "runs a tiny studio" into "I run a tiny studio"."""
    verb, _, rest = clause.partition(" ")
    if verb in _IRREGULAR:
        verb = _IRREGULAR[verb]
    elif verb.endswith("ies") and len(verb) > len("dies"):
        verb = verb[:-3] + "y"
    elif verb.endswith(("ches", "shes", "xes", "sses", "zzes")):
        verb = verb[:-2]
    elif verb.endswith("s"):
        verb = verb[:-1]
    rest = re.sub(r"\b(his|her)\b", "my", rest)
    return f"I {verb} {rest}."


_PAST = frozenset((FOLDER / "past.txt").read_text(encoding="utf-8").split())
HELD_OUT_EVERY, HELD_OUT_OFFSET = 12, 5


def third_person(fact: str, first: str, pronoun: str) -> str | None:
    """Turn a simple first-person fact into a statement about the creator, or return None."""
    verb, _, rest = fact.removeprefix("I ").partition(" ")
    if re.search(r"\b(I|I'm|me|I've)\b", fact[2:]):
        return None
    if fact.startswith("My "):
        text = f"{first}'s {fact[3:]}"
    elif fact.startswith(("I'm ", "I am ")):
        state = fact.removeprefix("I'm ").removeprefix("I am ")
        text = f"{first} is {state}"
    elif not fact.startswith("I ") or not verb.isalpha() or verb in {"always", "never", "still"}:
        return None
    elif verb in _PAST or verb.endswith("ed"):
        text = f"{first} {verb} {rest}"
    else:
        ending = "es" if verb.endswith(("ch", "sh", "x", "ss", "go")) else "s"
        text = f"{first} {'has' if verb == 'have' else verb + ending} {rest}"
    return re.sub(r"\bmy\b", pronoun, text)


class Creators:
    """Draws creators; held-out roles and names can be kept for validation."""

    def __init__(self, *, validation: bool) -> None:
        self.values = load_values() | load_lists("fans.toml", "values")
        self.patterns = load_lists("roles.toml")
        self.crafts = load_crafts()
        self.words: list[str] = []
        self.slots = load_slots()
        held_out = slice(HELD_OUT_OFFSET, None, HELD_OUT_EVERY)
        every = load_roles()
        self.roles = every[held_out]
        if not validation:
            self.roles = [row for row in every if row not in self.roles]

    def fresh(self, row: Sequence[str], rng: random.Random) -> dict[str, str]:
        """Draw one value for every placeholder."""
        pick = {key: rng.choice(options) for key, options in self.values.items()}
        gear, makes, tips = (cell.split("; ") for cell in row[3:6])
        pick["topic"] = row[1]
        pick["gear"], pick["gear2"] = rng.sample(gear, 2)
        pick["makes"], pick["makes2"] = rng.sample(makes, 2)
        pick["tip"], pick["tip2"] = rng.sample(tips, 2)
        pick["pet"] = coined(rng) if chance(rng, 0.3) else pick["petname"]
        pick["pet2"] = coined(rng) if chance(rng, 0.3) else rng.choice(self.values["petname"])
        pick["place"] = coined(rng) if chance(rng, 0.25) else pick["city"]
        pick["title"] = self._title(pick, rng)
        pick["brand"] = coined(rng) if chance(rng, 0.5) else pick["noun"]
        kind = rng.choice(("new ", "small ", "short ", "", "", "big ", "free ", "strange "))
        article = "an" if not kind and pick["project"][0] in "aeiou" else "a"
        pick["a_project"] = f"{article} {kind}{pick['project']}"
        pick["person1"] = coined(rng) if chance(rng, 0.3) else rng.choice(self.values["first"])
        pick["person"] = f"{pick['person1']} {rng.choice(self.values['last'])}"
        for key in ("day", "language", "thing"):
            pick[f"{key}2"] = rng.choice(
                [other for other in self.values[key] if other != pick[key]]
            )
        return pick

    def title(self, rng: random.Random) -> str:
        """Return a name for a project, a shop or a film, from fresh words."""
        keys = ("adjective", "noun", "petname")
        return self._title({key: rng.choice(self.values[key]) for key in keys}, rng)

    def _title(self, pick: dict[str, str], rng: random.Random) -> str:
        """Return a name for a project, a shop or a film."""
        adjective, noun = pick["adjective"], pick["noun"]
        odd = self.word(rng).capitalize()
        return rng.choice(
            (
                f"{adjective} {odd}",
                f"{odd} {noun}",
                f"{odd} and {self.word(rng).capitalize()}",
                f"La {coined(rng)}",
                f"{pick['noun']} of {coined(rng)}",
                f"{adjective} {noun}",
                f"The {adjective} {noun}",
                f"{noun} {rng.choice(self.values['noun'])}",
                f"{pick['petname']} and {noun}",
                f"{noun} {coined(rng)}",
                coined(rng),
                f"{adjective} {coined(rng)}",
                f"{coined(rng)} {coined(rng)}",
            )
        )

    def word(self, rng: random.Random) -> str:
        """Return a word of the dialogue data, or an invented one."""
        return rng.choice(self.words) if self.words and chance(rng, 0.75) else coined(rng).lower()

    def _name(self, rng: random.Random) -> tuple[str, str]:
        """Return a full name and what people call them."""
        first = coined(rng) if chance(rng, 0.3) else rng.choice(self.values["first"])
        last = coined(rng) if chance(rng, 0.3) else rng.choice(self.values["last"])
        if chance(rng, 0.12):
            stage = f"{rng.choice(_TITLES)} {first}"
            return stage, stage
        return (first if chance(rng, 0.1) else f"{first} {last}"), first

    def _composed(self, clauses: list[str], rng: random.Random) -> tuple[str, str]:
        """Compose a role and its topic, so that no role can be learned by heart."""
        craft, topic = rng.choice(self.crafts)
        pick = self.fresh(rng.choice(self.roles), rng)
        adjective = rng.choice(self.patterns["adjectives"])
        adjective = self.word(rng) if chance(rng, 0.15) else adjective
        if chance(rng, 0.1):
            craft = f"{self.word(rng)} {rng.choice(('maker', 'trainer', 'artist', 'collector'))}"
        parts = {
            **pick,
            "craft": craft,
            "adj": adjective,
            "a_adj": with_article(adjective),
            "a_craft": with_article(craft),
            "craft2": rng.choice(self.crafts)[0],
            "a_topic": with_article(topic.removeprefix("the ")),
            "topic2": self.word(rng) if chance(rng, 0.4) else rng.choice(self.crafts)[1],
            "clause": clauses[0],
        }
        return fill(rng.choice(self.patterns["patterns"]), parts), topic

    def draw(
        self, rng: random.Random, present: int, blocked: Collection[str] = frozenset()
    ) -> Creator:
        """Return a creator with facts for `present` randomly chosen slots that aren't blocked."""
        row = rng.choice(self.roles)
        name, first = self._name(rng)
        clauses = row[2].split("; ")
        rng.shuffle(clauses)
        role, topic, city = row[0], row[1], None
        if chance(rng, 0.65):
            role, topic = self._composed(clauses, rng)
        elif chance(rng, 0.35):
            city = coined(rng) if chance(rng, 0.2) else rng.choice(self.values["city"])
            role += f" {rng.choice(('in', 'in', 'from', 'based in'))} {city}"
        if role == row[0] and chance(rng, 0.45):
            role += f" who {clauses[0]}"
            if chance(rng, 0.5):
                role += f" and {clauses[1]}"
        creator = Creator(name, first, role, topic, city, row=(*row[:1], topic, *row[2:]))
        free = [slot for slot in self.slots if slot.name not in blocked]
        for slot in rng.sample(free, min(present, len(free))):
            values = self.fresh(creator.row, rng)
            if slot.name.startswith("home") and city:
                continue
            creator.values[slot.name] = values
            creator.facts[slot.name] = fill(rng.choice(slot.facts), values)
        for number, clause in enumerate(clauses[: rng.randrange(0, 3)]):
            creator.facts[f"clause {number}"] = first_person(clause)
        return creator
