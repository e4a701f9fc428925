"""Questions made from the words of a fact by rule: yes or no, when, where, who, which."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from personas.starter.draws import chance

Pair = tuple[str, str]
_FACT = re.compile(r"^I ([a-z]+) (.+)\.$")
_MINE = re.compile(r"^My ((?:[a-z]+ ){0,3}?[a-z]+) (is|are|was|were) (called |named )?(.+)\.$")
_BEING = re.compile(r"^I(?: a|')m (.+)\.$")
_HAVING = re.compile(
    r"^I have ((?:an?|two|three|four|five|six) [a-z]+(?: (?!named|called)[a-z]+)?)\b.*\.$"
)
_TIME = re.compile(
    r" (every [A-Za-z]+(?: [a-z]+)?|on (?:weekends|(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?)"
    r"|at (?:night|noon|midnight|home|dawn)|in the (?:mornings?|evenings?|afternoons?)"
    r"|in (?:spring|summer|autumn|winter|\d{4}))$"
)
_PLACE = re.compile(r" ((?:in|near|at|on|above|behind|by) (?:the |a |an |my |our )?[\w' -]{3,30})$")
_WITH = re.compile(r" (with|from|for) (my [a-z]+)\b[^,]*$")
_MINDS = {"love", "like", "enjoy", "hate", "collect", "play", "make", "study", "eat", "drink"}
_MODAL = {"can", "would", "could", "will", "should", "must"}
_ADVERBS = {
    *(
        "once",
        "just",
        "always",
        "often",
        "never",
        "also",
        "still",
        "really",
        "mostly",
        "only",
        "usually",
    ),
    *(
        "sometimes",
        "especially",
        "now",
        "even",
        "recently",
        "currently",
        "actually",
        "both",
        "hardly",
    ),
}
_PAST = {
    "grew": "grow", "went": "go", "met": "meet", "built": "build", "won": "win", "lost": "lose",
    "wrote": "write", "made": "make", "got": "get", "had": "have", "bought": "buy", "sold": "sell",
    "taught": "teach", "left": "leave", "found": "find", "sang": "sing", "ran": "run",
    "began": "begin", "broke": "break", "came": "come", "fell": "fall", "spent": "spend",
    "learned": "learn", "started": "start", "moved": "move", "worked": "work", "studied": "study",
    "lived": "live", "played": "play", "served": "serve", "married": "marry", "quit": "quit",
}  # fmt: skip
_SECOND = (
    (re.compile(r"\bI am\b|\bI'm\b"), "you are"),
    (re.compile(r"\bI've\b"), "you have"),
    (re.compile(r"\bI\b"), "you"),
    (re.compile(r"\bmy\b", re.IGNORECASE), "your"),
    (re.compile(r"\bmyself\b"), "yourself"),
    (re.compile(r"\bme\b"), "you"),
)
_CHECKS = ("is it true that {s}?", "so {s}?", "{s}, right?", "{s}?", "did i get it right that {s}?")


def second_person(text: str) -> str:
    """Turn "I feed my cat" into "you feed your cat"."""
    for pattern, other in _SECOND:
        text = pattern.sub(other, text)
    return text


def _clause(verb: str, rest: str) -> Iterator[str]:
    """Yield questions about the parts of "I verb rest"."""
    if verb in _MODAL:
        yield f"{verb} you {rest}?"
        return
    if verb in _ADVERBS:
        return
    base = _PAST.get(verb)
    if base is None and (verb.endswith("ed") or verb in {"was", "am", "have", "used", "never"}):
        return
    does, verb = ("did", base) if base else ("do", verb)
    yield f"{does} you {verb} {rest}?"
    for pattern, words in ((_TIME, ("when",)), (_PLACE, ("where",))):
        if found := pattern.search(f" {rest}"):
            before = f" {rest}"[: found.start()].strip()
            yield f"{words[0]} {does} you {verb} {before}?".replace(" ?", "?")
    if found := _WITH.search(f" {rest}"):
        before = f" {rest}"[: found.start()].strip()
        yield f"who {does} you {verb} {before} {found[1]}?".replace("  ", " ")
    if verb in _MINDS:
        yield f"what {does} you {verb}?"


def questions(fact: str) -> list[str]:
    """Return questions that a fact in the first person answers; none for other facts."""
    found: list[str] = []
    if match := _FACT.match(fact):
        found += _clause(match[1], second_person(match[2]))
    if match := _MINE.match(fact):
        thing, verb = second_person(match[1]), match[2]
        found += [f"what {verb} your {thing}{' called' if match[3] else ''}?"]
        found += [f"tell me about your {thing}", f"your {thing}?", f"and your {thing}?"]
    if match := _BEING.match(fact):
        found.append(f"are you {second_person(match[1])}?")
    if match := _HAVING.match(fact):
        found.append(f"do you have {match[1]}?")
    return found


def ask(fact: str, rng: random.Random) -> Pair | None:
    """Return a question about a fact with its answer, or None where no rule fits."""
    if not fact.startswith(("I ", "I'm ", "My ")) or not fact.endswith("."):
        return None
    if chance(rng, 0.2):
        statement = second_person(fact[:-1] if fact[0] == "I" else fact[:1].lower() + fact[1:-1])
        return rng.choice(_CHECKS).format(s=statement), f"Yes, {_low(fact)}"
    found = questions(fact)
    if not found:
        return None
    question = rng.choice(found)
    yes = question.startswith(("do ", "did ", "are ", "can ")) and chance(rng, 0.5)
    return question, f"Yes, {_low(fact)}" if yes else fact


def _low(fact: str) -> str:
    return fact if fact.startswith("I") else fact[:1].lower() + fact[1:]
