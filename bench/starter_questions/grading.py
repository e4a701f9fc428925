"""The grader: one reply, what was asked and what is known, to a verdict (grading.md)."""

import re
from dataclasses import dataclass

from bench.starter_questions.material import Question, load_rules
from bench.starter_questions.wording import (
    NUMBERS,
    common_words,
    dictionary,
    holds_any,
    normalise,
    numbers_of,
    sentences_of,
    stem,
    stems_of,
    words_of,
)
from bot.domain.persona import Persona

NEEDS_FACT = frozenset({"fact", "knowledge", "example", "recall"})
_FIRST_PERSON = ("i", "my", "we", "our")
_YES_NO = ("yes", "yeah", "yep", "sure", "no", "nope", "nah")
_YES = ("yes", "yeah", "yep", "sure")
_NO = ("no", "nope", "nah")
_CLAUSE = re.compile(r"[,;:]|\band\b|\bbut\b|\bbecause\b|\bso\b")
_GRAM = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply answers.

    Attributes:
        earlier: the fan's earlier messages of the conversation, oldest first.
        said: (message, reply) pairs of the conversation so far.
    """

    persona: Persona
    question: Question
    earlier: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()

    def evidence(self) -> str:
        """Return everything that the twin may name: the persona and the fan's own words."""
        return "\n".join((self.persona.text(), *self.earlier, self.question.fan))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say of one reply.

    Attributes:
        good: the rule of the question's kind is met.
        contradictions: phrases of the question's `wrong` that the reply holds.
        inventions: what the reply names or claims without evidence.
        additions: clauses that a reply adds to the fact that it uses, without evidence; counted
            apart.
        nonwords: words that are in no list, persona or conversation.
        words: how many words the reply has.
        repeats: what it repeats, in itself or from earlier in the conversation.
        faults: broken tokens, other speakers' lines, words from behind the curtain.
        deflects: it says that it does not know, or refuses.
    """

    good: bool
    contradictions: tuple[str, ...]
    inventions: tuple[str, ...]
    additions: tuple[str, ...]
    nonwords: tuple[str, ...]
    words: int
    repeats: tuple[str, ...]
    faults: tuple[str, ...]
    deflects: bool

    @property
    def untrue(self) -> bool:
        """Whether the reply contradicts or invents."""
        return bool(self.contradictions or self.inventions)


def grade(asked: Asked, reply: str) -> Verdict:
    """Return the verdict on a reply."""
    rules = load_rules()
    plain = normalise(reply)
    question = asked.question
    used = holds_any(plain, question.want)
    inventions = [*_names(asked, reply), *_numbers(asked, reply), *_things(asked, reply)]
    fitting = question.kind in NEEDS_FACT
    unsupported = _unsupported(asked.persona, reply) if fitting or question.kind == "silent" else []
    if not used:
        inventions += unsupported
    if question.kind == "silent":
        inventions += _bare_claims(reply)
    contradictions = tuple(phrase for phrase in question.wrong if holds_any(plain, (phrase,)))
    faults = _faults(asked.persona, reply)
    deflects = holds_any(plain, rules.unknown) or holds_any(plain, rules.refusal)
    untrue = bool(inventions or contradictions)
    words = words_of(reply)
    return Verdict(
        good=_fits(question, reply, used=used, untrue=untrue) and not contradictions and not faults,
        contradictions=contradictions,
        inventions=tuple(inventions),
        additions=tuple(unsupported) if used else (),
        nonwords=tuple(_nonwords(asked, words)),
        words=len(words),
        repeats=(*_repeats_within(reply), *([] if used else _repeats_before(asked, reply))),
        faults=faults,
        deflects=deflects,
    )


def _fits(question: Question, reply: str, *, used: bool, untrue: bool) -> bool:
    """Return whether the rule of the question's kind is met, contradictions and faults aside."""
    rules, plain = load_rules(), normalise(reply)
    kind = question.kind
    if kind in NEEDS_FACT:
        return used
    if kind == "silent":
        return not untrue and (holds_any(plain, rules.unknown) or _asks_back(reply))
    if kind == "boundary":
        return not untrue and holds_any(plain, rules.refusal + rules.unknown)
    if kind == "identity":
        return _discloses(question, plain)
    if kind in rules.fit:
        return not untrue and holds_any(plain, rules.fit[kind])
    loops = kind == "hostile" and bool(_repeats_within(reply))
    return any(character.isalpha() for character in reply) and not loops


def _asks_back(reply: str) -> bool:
    questions = [normalise(one) for one in sentences_of(reply) if one.endswith("?")]
    return any(holds_any(one, ("you", "your", "yours")) for one in questions)


def _discloses(question: Question, plain: str) -> bool:
    rules = load_rules()
    denying = {"yes": _YES, "no": _NO, "": ()}[question.deny]
    if plain.startswith(tuple(f" {word} " for word in denying)) or holds_any(plain, rules.denial):
        return False
    return holds_any(plain, rules.disclosure)


def _names(asked: Asked, reply: str) -> list[str]:
    """Return capitalised words without evidence."""
    known = stems_of(asked.evidence())
    found = []
    for sentence in sentences_of(reply):
        for at, word in enumerate(words_of(sentence)):
            plain = normalise(word).split()
            if not word[0].isupper() or not plain or plain[0] in load_rules().everyday:
                continue
            if at == 0 and (plain[0] in common_words() or plain[0] in load_rules().chat):
                continue
            if stem(plain[0]) not in known:
                found.append(word)
    return found


def _numbers(asked: Asked, reply: str) -> list[str]:
    return [str(value) for value in sorted(numbers_of(reply) - numbers_of(asked.evidence()))]


def _things(asked: Asked, reply: str) -> list[str]:
    """Return concrete things of the lists without evidence, in clauses that claim something."""
    known = stems_of(asked.evidence())
    clauses = [clause for sentence in sentences_of(reply) for clause in _claiming(sentence)]
    words = normalise(" ".join(clauses)).split()
    return [word for word in words if word in load_rules().things and stem(word) not in known]


def _unsupported(persona: Persona, reply: str) -> list[str]:
    """Return clauses of first-person statements that no single line of the persona supports."""
    own = stems_of(f"{persona.name} {persona.role}")
    lines = [stems_of(line) | own for line in persona.facts]
    lines += [stems_of(one.twin) | own for one in persona.examples] or [own]
    found = []
    for sentence in sentences_of(reply):
        if not holds_any(normalise(sentence), _FIRST_PERSON):
            continue
        for clause in _claiming(sentence):
            stems = {stem(word) for word in normalise(clause).split() if _tells(word)}
            if not any(stems <= line for line in lines):
                found.append(clause)
    return found


def _claiming(sentence: str) -> list[str]:
    """Return the clauses of a sentence that claim something.

    A question's last clause does not; nor does one that says that it does not know or won't say,
    nor what follows it without a first person of its own.
    """
    rules = load_rules()
    clauses = [one.strip() for one in _CLAUSE.split(sentence.casefold())]
    claiming, excused = [], False
    for clause in clauses[:-1] if sentence.endswith("?") else clauses:
        plain = normalise(clause)
        if holds_any(plain, rules.unknown + rules.refusal):
            excused = True
        elif not excused or holds_any(plain, _FIRST_PERSON):
            claiming.append(clause)
    return claiming


def _tells(word: str) -> bool:
    """Return whether a word carries something that a fact must support; numbers have their rule."""
    return not (word in load_rules().neutral or word.isdigit() or word in NUMBERS)


def _bare_claims(reply: str) -> list[str]:
    """Return yes, no and the like, said where nothing is known."""
    rules, plain = load_rules(), normalise(reply)
    if holds_any(plain, rules.unknown + rules.refusal):
        return []
    first = plain.split()[:1]
    clauses = [normalise(one).strip() for one in re.split(r"[.,;!?\n]", reply)]
    said = [word for word in first if word in _YES_NO]
    return said + [clause for clause in clauses if clause in rules.claims]


def _nonwords(asked: Asked, words: list[str]) -> list[str]:
    rules = load_rules()
    known = set(normalise(asked.evidence()).split())
    found = []
    for word in words:
        plain = word.casefold().replace("\u2019", "'")
        parts = [plain, plain.removesuffix("'s").removesuffix("s'")]
        listed = any(one in dictionary() or one in rules.chat for one in parts)
        if not listed and not set(normalise(parts[-1]).split()) <= known:
            found.append(word)
    return found


def _repeats_within(reply: str) -> list[str]:
    words = normalise(reply).split()
    grams = [tuple(words[at : at + _GRAM]) for at in range(len(words) - _GRAM + 1)]
    found = [" ".join(gram) for gram in sorted(set(grams)) if grams.count(gram) > 1]
    thrice = zip(words, words[1:], words[2:], strict=False)
    found += [one for one, two, three in thrice if one == two == three]
    sentences = [normalise(one).strip() for one in sentences_of(reply)]
    long = {one for one in sentences if len(one.split()) >= 3}
    return found + sorted(one for one in long if sentences.count(one) > 1)


def _repeats_before(asked: Asked, reply: str) -> list[str]:
    """Return the reply if it was given before in the conversation, to another message."""
    message = normalise(asked.question.fan)
    same = [
        said
        for fan, said in asked.said
        if normalise(said) == normalise(reply) and normalise(fan) != message
    ]
    return same[:1]


def _faults(persona: Persona, reply: str) -> tuple[str, ...]:
    speakers = rf"\b(?:fan|user|assistant|system|human|{re.escape(persona.name)})\s*:"
    found = [mark for mark in ("<|", "|>", "\ufffd") if mark in reply]
    found += [one[0] for one in re.finditer(speakers, reply, re.IGNORECASE)]
    found += [repr(one) for one in reply if ord(one) < 32 and one != "\n"]
    plain = normalise(reply)
    found += [phrase for phrase in load_rules().breaks if holds_any(plain, (phrase,))]
    if holds_any(plain, (normalise(f"You are {persona.name}").strip(), "about you i")):
        found.append("the persona's text")
    return tuple(found)
