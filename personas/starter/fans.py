"""What fans say beside questions: facts about themselves, hostile or senseless messages."""

from __future__ import annotations

import random
import tomllib
from dataclasses import dataclass
from typing import Any

from personas.starter.draws import chance
from personas.starter.persona import FOLDER, fill

Pair = tuple[str, str]
NOISE = (
    "abcdefghijklmnopqrstuvwxyz0123456789!?.,;:#@%&()[]{}<>|/\\~ \u00e9\u00fc\u0416\u4f60\U0001f642"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Something that a fan says about themselves, with its values filled in."""

    said: Pair
    asked: Pair
    unasked: Pair


def load_fans() -> dict[str, Any]:
    """Read fans.toml with its alternatives as lists."""
    rows = tomllib.loads((FOLDER / "fans.toml").read_text(encoding="utf-8"))

    def split(value: object) -> object:
        if isinstance(value, dict):
            return {key: inner if key == "name" else split(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [split(inner) for inner in value]
        return value.split("|") if isinstance(value, str) else value

    for odd in rows["odd"]:
        if odd["name"] == "control":
            odd["say"] = odd["say"].replace("<|", "<\0").replace("|>", "\0>")
    content = {key: split(value) for key, value in rows.items()}
    for odd in content["odd"]:  # type: ignore[union-attr]
        odd["say"] = [text.replace("\0", "|") for text in odd["say"]]
    return content


class Fans:
    """Writes what fans say; values come from fans.toml and from the creators' lists."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.avoid = {row["name"]: row["ask"] for row in content["avoid"]}

    def wrap(self, question: str, common: dict[str, str], rng: random.Random) -> str:
        """Return a question with something around it."""
        return fill(rng.choice(self.content["wraps"]), {**common, "q": question})

    def memory(self, values: dict[str, str], rng: random.Random) -> Memory:
        """Return what a fan says, asks later, and is answered."""
        row = rng.choice(self.content["memory"] + self.content["memory"][:1] * 4)
        mine = {key: rng.choice(found) for key, found in self.content["values"].items()}
        mine |= {
            "place2": values["place"],
            "pet2": values["pet"],
            "animal2": values["animal"],
            "food2": values["food"],
            "colour2": values["colour"],
            "number2": str(rng.randrange(11, 80)),
        }
        if chance(rng, 0.4):
            mine["fan"] = values["person1"]
        texts = {key: fill(rng.choice(row[key]), mine) for key in row}
        return Memory(
            (texts["say"], texts["reply"]),
            (texts["ask"], texts["known"]),
            (texts["ask"], texts["unknown"]),
        )

    def odd(self, common: dict[str, str], rng: random.Random) -> Pair:
        """Return a hostile or senseless message with a calm answer."""
        row = rng.choice(self.content["odd"])
        values = {**common, **{k: rng.choice(v) for k, v in self.content["values"].items()}}
        said = rng.choice(row["say"])
        said = said if row["name"] == "control" and "{{" in said else fill(said, values)
        if row["name"] == "garbage" and chance(rng, 0.5):
            said = "".join(rng.choice(NOISE) for _ in range(rng.randrange(3, 40))).strip() or "?"
        return said, fill(rng.choice(row["answers"]), values)

    def disclosure(self, common: dict[str, str], rng: random.Random) -> Pair:
        """Return a question whether this is an AI, with the answer."""
        row = self.content["disclosure"]
        return fill(rng.choice(row["ask"]), common), fill(rng.choice(row["answers"]), common)
