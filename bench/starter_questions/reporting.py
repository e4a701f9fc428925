"""Transcripts for people, and the check that training texts share nothing with the material."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from bench.starter_questions.material import Conversation
from bench.starter_questions.scoring import Graded
from bench.starter_questions.wording import normalise

GRAM = 8


def order_of(talk: Conversation) -> str:
    """Return what conversations are sorted by: nobody chose it with the replies in mind."""
    first = talk.questions[0].fan
    return hashlib.sha256(f"{talk.number} {talk.slug} {first}".encode()).hexdigest()


def choose(talks: list[tuple[Conversation, list[Graded]]], count: int) -> list[int]:
    """Return the places of `count` conversations: half with a bad reply, half without, by hash.

    Where one half has too few, the other one fills up.
    """
    order = sorted(range(len(talks)), key=lambda at: order_of(talks[at][0]))
    bad = [at for at in order if any(is_bad(one) for one in talks[at][1])]
    good = [at for at in order if at not in bad]
    chosen = good[: count // 2] + bad[: count - count // 2]
    chosen += [at for at in order if at not in chosen][: count - len(chosen)]
    return [at for at in order if at in chosen]


def is_bad(one: Graded) -> bool:
    """Return whether any rule finds fault with the reply."""
    verdict = one.verdict
    return not verdict.good or verdict.untrue or bool(verdict.nonwords or verdict.repeats)


def transcripts(talks: list[tuple[Conversation, list[Graded]]], count: int) -> str:
    """Return unedited transcripts as Markdown, each reply with the grader's verdict."""
    chosen = choose(talks, count)
    rule = (
        "chosen by rule: sorted by the SHA-256 of the conversation's number, persona and first "
        "message; half of them from the conversations without a fault, half from those with one "
        "or more, as far as there are enough of either."
    )
    lines = [f"{len(chosen)} unedited transcripts, {rule}", ""]
    for at in chosen:
        talk, graded = talks[at]
        lines += [f"#### {talk.persona.name}, {talk.persona.role} (conversation {talk.number})", ""]
        for one in graded:
            lines.append(f"- **Fan:** {_quoted(one.asked.question.fan)}  ")
            lines.append(f"  **Twin:** {_quoted(one.spoken.text)}  ")
            lines.append(f"  *{one.kind}: {'; '.join(remarks(one))}*")
        lines.append("")
    return "\n".join(lines)


def remarks(one: Graded) -> list[str]:
    """Return the verdict in words."""
    verdict = one.verdict
    found = ["good" if verdict.good else "not good"]
    parts = (
        ("contradicts", verdict.contradictions),
        ("invents", verdict.inventions),
        ("no words", verdict.nonwords),
        ("repeats", verdict.repeats),
        ("faults", verdict.faults),
    )
    return found + [f"{name}: {_quoted(', '.join(what))}" for name, what in parts if what]


def _quoted(text: str) -> str:
    """Return a text as one line of Markdown code; cut only where it is very long."""
    flat = text.replace("\n", "\u23ce").replace("`", "'")
    return f"`{flat if len(flat) <= 400 else flat[:400] + '…'}`"


def grams_of(text: str) -> set[str]:
    """Return the runs of eight words of each line of a text."""
    found = set()
    for line in text.splitlines():
        words = normalise(line).split()
        found |= {" ".join(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}
    return found


def material_lines(talks: Iterable[Conversation]) -> list[str]:
    """Return every held-out text: facts, examples, messages, reference replies."""
    lines: list[str] = []
    for talk in talks:
        lines += talk.persona.facts
        lines += [text for one in talk.persona.examples for text in (one.fan, one.twin)]
        lines += [text for one in talk.questions for text in (one.fan, one.say)]
    return sorted(set(lines))


def overlap(talks: Iterable[Conversation], files: Iterable[Path]) -> dict[str, list[str]]:
    """Return, for each training text, the runs of eight words that it shares with the material.

    A held-out text of four to seven words counts where it stands as a whole line.
    """
    lines = material_lines(talks)
    grams = set().union(*(grams_of(line) for line in lines))
    short = {normalise(line).strip() for line in lines if 4 <= len(normalise(line).split()) < GRAM}
    found = {}
    for path in files:
        text = path.read_text(encoding="utf-8", errors="replace")
        whole = {normalise(line).strip() for line in text.splitlines()}
        found[str(path)] = sorted((grams & grams_of(text)) | (short & whole))
    return found
