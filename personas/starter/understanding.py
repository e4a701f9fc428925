"""Ask about lessons that were kept out of training: is the right fact found, is silence admitted?

The development metric beside evaluation.toml. Each held-out block is stated by creators whose other
facts are from training blocks; every question is asked alone, so that one mistake costs one point.
"""

from __future__ import annotations

import argparse
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llama_cpp import Llama

from personas.starter.evaluate import Speaker
from personas.starter.kinship import stems
from personas.starter.lesson_scenes import LessonScenes, Stated
from personas.starter.lessons import LESSONS, Lesson, fill, keys_of, load_lesson_roles, load_lessons
from personas.starter.persona import Creators

ASKED, NEAR, SHARED = 6, 2, 0.5
UNKNOWN = re.compile(
    r"don't know|haven't|can't|no idea|not sure|hasn't|never told|nobody has|wish i knew|sorry"
    r"|don't have (?:an|that) answer|not been|isn't something|got me there",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question with what a right reply holds."""

    kind: str
    shown: str
    question: str
    answers: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]

    def passed(self, reply: str) -> bool:
        """Return whether the reply answers from the fact, or admits that nothing is known."""
        unknown = UNKNOWN.search(reply) is not None
        if self.kind.endswith("near"):
            return unknown
        low, said = reply.lower(), set(stems(reply))
        for answer, values in zip(self.answers, self.values, strict=True):
            meant = set(stems(answer))
            close = len(meant & said) >= SHARED * len(meant)
            if close and all(value.lower() in low for value in values):
                return True
        return False


def _filled(
    stated: Stated, texts: Sequence[str]
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    answers = tuple(fill(text, stated.values) for text in texts)
    return answers, tuple(tuple(stated.values[key] for key in keys_of(text)) for text in texts)


def probes(scenes: LessonScenes, lessons: Sequence[Lesson], rng: random.Random) -> Iterator[Probe]:
    """Yield questions about lessons; six a lesson, and two that its fact does not answer."""
    for lesson in lessons:
        kind = "fact" if lesson.texts("F") else "note" if lesson.texts("K") else "example"
        for at, question in enumerate(
            rng.sample(lesson.texts("Q"), min(ASKED, len(lesson.texts("Q"))))
        ):
            scene = scenes.draw(rng, [lesson])
            stated = next(one for one in (*scene.stated, *scene.examples) if one.lesson is lesson)
            answers, values = _filled(stated, (*lesson.texts("A"), *lesson.texts("F")))
            yield Probe(kind, scene.shown, fill(question, stated.values), answers, values)
            if at < NEAR and lesson.texts("N"):
                near = rng.choice(lesson.texts("N"))
                yield Probe(f"{kind} near", scene.shown, fill(near, stated.values), (), ())


def make_scenes(lessons: Sequence[Lesson], folder: Path) -> LessonScenes:
    """Return scenes that need nothing of the dialogue data."""
    creators = Creators(validation=True)
    return LessonScenes(
        lessons, load_lesson_roles(folder), creators, (), list(creators.values["avoid"])
    )


def main() -> None:
    """Print the share of questions answered right, held-out lessons and as many known ones."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    parser.add_argument("--seed", type=int, default=3, help="seed of personas and questions")
    parser.add_argument("--known", action="store_true", help="training lessons instead")
    parser.add_argument("--show", action="store_true", help="print the replies that failed")
    arguments = parser.parse_args()
    lessons = load_lessons(LESSONS)
    asked = [one for one in lessons if set("FKE") & set(one.fields)]
    chosen = [one for one in asked if one.held_out]
    if arguments.known:
        chosen = [one for one in asked if not one.held_out][::14]
    speaker = Speaker(
        Llama(str(arguments.model), n_ctx=1024, n_threads=1, n_threads_batch=1, verbose=False)
    )
    right, all_of, deflected = Counter[str](), Counter[str](), Counter[str]()
    for probe in probes(make_scenes(lessons, LESSONS), chosen, random.Random(arguments.seed)):
        reply = speaker.reply(probe.shown, probe.question)
        all_of[probe.kind] += 1
        right[probe.kind] += probe.passed(reply)
        deflected[probe.kind] += UNKNOWN.search(reply) is not None
        if arguments.show and not probe.passed(reply):
            print(f"{probe.kind}: {probe.question}\n  want {probe.answers[:1]}\n  got  {reply}")
    for kind in sorted(all_of):
        share = 100 * right[kind] / all_of[kind]
        silent = 100 * deflected[kind] / all_of[kind]
        counts = f"{right[kind]}/{all_of[kind]} = {share:.1f} %"
        print(f"{kind}: {counts}, says that it doesn't know: {silent:.1f} %")


if __name__ == "__main__":
    main()
