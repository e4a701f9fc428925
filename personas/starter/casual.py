"""Make questions look the way fans type: lower case, no punctuation, abbreviations, typos."""

from __future__ import annotations

import random
import re

from personas.starter.draws import chance

_SHORT = (
    (re.compile(r"\byou\b"), "u"),
    (re.compile(r"\bare\b"), "r"),
    (re.compile(r"\byour\b"), "ur"),
    (re.compile(r"\bwhat is\b"), "whats"),
    (re.compile(r"\bfavou?rite\b"), "fav"),
    (re.compile(r"\bplease\b"), "pls"),
    (re.compile(r"\bdon't know\b"), "dunno"),
)
_STARTS = (
    "so, ",
    "hey, ",
    "btw ",
    "ok so ",
    "and ",
    "tell me, ",
    "just curious, ",
    "quick question: ",
    "um ",
    "but ",
)
_ENDS = (" :)", " lol", "!", "??", " 😊", " haha", " ...", " pls", " ❤️", " please", " ?")


def _typo(text: str, rng: random.Random) -> str:
    """Swap, drop or double one inner letter."""
    places = [i for i in range(1, len(text) - 1) if text[i].isalpha() and text[i - 1].isalpha()]
    if not places:
        return text
    at = rng.choice(places)
    kind = rng.random()
    if kind < 1 / 3:
        return text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
    return text[:at] + text[at + 1 :] if kind < 2 / 3 else text[:at] + text[at] + text[at:]


def casual(text: str, first: str, rng: random.Random) -> str:
    """Return a variant of a question as a fan might type it."""
    if chance(rng, 0.12):
        text = rng.choice((f"hi {first}, ", f"hey {first}! ", f"{first}, ")) + text
    elif chance(rng, 0.15):
        text = rng.choice(_STARTS) + text
    if chance(rng, 0.15):
        for pattern, short in _SHORT:
            text = pattern.sub(short, text)
    text = text.lower() if chance(rng, 0.55) else text[:1].upper() + text[1:]
    if chance(rng, 0.25):
        text = text.replace("'", "")
    if chance(rng, 0.4):
        text = text.rstrip("?.!").replace(",", "") or text
    if chance(rng, 0.12):
        text += rng.choice(_ENDS)
    if chance(rng, 0.12):
        text = _typo(text, rng)
    return text
