"""Prepare the training data: token ids and loss weights of every sample."""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from personas.starter.draws import chance
from personas.starter.encoding import Encoder
from personas.starter.fans import Fans, load_fans
from personas.starter.grounded import grounded_pairs
from personas.starter.lesson_chats import LessonWriter
from personas.starter.lesson_scenes import LessonScenes
from personas.starter.lessons import LESSONS, load_lesson_roles, load_lessons
from personas.starter.persona import Creators, load_values
from personas.starter.prompt import Turn
from personas.starter.samples import Writer
from personas.starter.scenes import rare_words
from personas.starter.spc import (
    FILE,
    TRAIN_SPLITS,
    VALIDATION_SPLITS,
    Names,
    persona_chat,
    read_conversations,
    read_facts,
)
from personas.starter.tokenizer import plain_ids


def spc_chats(
    data: Path, splits: tuple[str, ...], seed: int, turns: tuple[int, ...], share: float = 1.0
) -> Iterator[list[Turn]]:
    """Yield windows of Synthetic-Persona-Chat with each speaker as the twin, or a share of them."""
    rng = random.Random(seed)
    values = load_values()
    names = Names(values["first"], values["last"])
    for conversation in read_conversations(data, splits):
        for twin in (0, 1):
            if not chance(rng, share):
                continue
            chat = persona_chat(conversation, twin, rng.choice(turns), names, rng)
            if chat:
                yield chat


def written(writer: Writer, kind: str, count: int, seed: int) -> Iterator[list[Turn]]:
    """Yield template conversations of one kind: talk, long or drill."""
    rng = random.Random(seed)
    for _ in range(count):
        yield (
            writer.drill(rng) if kind == "drill" else writer.conversation(rng, long=kind == "long")
        )


def make_lesson_writer(data: Path, folder: Path, splits: tuple[str, ...]) -> LessonWriter:
    """Return a writer of conversations from the lessons."""
    lessons = load_lessons(folder)
    creators = Creators(validation=False)
    creators.words = rare_words(read_facts(data, splits))
    fans = Fans(load_fans())
    avoided = creators.values["avoid"] + list(fans.avoid)
    roles = load_lesson_roles(folder)
    scenes = LessonScenes(lessons, roles, creators, grounded_pairs(data, splits), avoided)
    return LessonWriter(scenes, lessons, fans)


def taught(writer: LessonWriter, count: int, seed: int, turns: int = 0) -> Iterator[list[Turn]]:
    """Yield conversations made from the lessons."""
    rng = random.Random(seed)
    for _ in range(count):
        yield writer.conversation(rng, turns=turns)


def make_writer(data: Path, *, validation: bool) -> Writer:
    """Return a writer that uses the training or the validation split's facts."""
    splits = VALIDATION_SPLITS if validation else TRAIN_SPLITS
    return Writer(read_facts(data, splits), grounded_pairs(data, splits), validation=validation)


def store(path: Path, encoder: Encoder, conversations: Iterator[list[Turn]], *, free: bool) -> int:
    """Write ids, classes and offsets to a .npz file; return the number of tokens."""
    ids: list[int] = []
    classes: list[int] = []
    offsets = [0]
    for turns in conversations:
        tokens, marks = encoder.encode(turns, free=free)
        ids += tokens
        classes += marks
        offsets.append(len(ids))
    np.savez(
        path,
        ids=np.array(ids, np.uint16),
        classes=np.array(classes, np.uint8),
        offsets=np.array(offsets, np.int64),
    )
    return len(ids)


def prepare(
    data: Path,
    tokenizer: Tokenizer,
    out: Path,
    *,
    scale: float,
    seed: int,
    only: Collection[str] = (),
) -> dict[str, int]:
    """Write all training and validation sets, or `only` some; return tokens per set."""
    encoder = Encoder(plain_ids(tokenizer), tokenizer.get_vocab_size())
    writer, unseen = make_writer(data, validation=False), make_writer(data, validation=True)
    teacher = make_lesson_writer(data, LESSONS, TRAIN_SPLITS)
    encoder.count(spc_chats(data, VALIDATION_SPLITS, seed, (8,)))
    train, valid = TRAIN_SPLITS, VALIDATION_SPLITS
    short, whole = (4, 6, 8, 10), (14, 18, 24, 30)
    sets: dict[str, tuple[Callable[[], Iterator[list[Turn]]], bool]] = {
        "spc": (lambda: spc_chats(data, train, seed + 1, short, min(1.0, 0.5 * scale)), True),
        "spc-long": (lambda: spc_chats(data, train, seed + 2, whole, min(1.0, 0.1 * scale)), True),
        "lesson": (lambda: taught(teacher, int(60000 * scale), seed + 8), False),
        "lesson-long": (lambda: taught(teacher, int(3000 * scale), seed + 9, 20), False),
        "talk": (lambda: written(writer, "talk", int(20000 * scale), seed + 3), False),
        "long": (lambda: written(writer, "long", int(2500 * scale), seed + 4), False),
        "drill": (lambda: written(writer, "drill", int(8000 * scale), seed + 5), False),
        "spc-valid": (lambda: spc_chats(data, valid, seed + 6, short), True),
        "talk-valid": (lambda: written(unseen, "talk", 400, seed + 7), False),
    }
    return {
        name: store(out / f"{name}.npz", encoder, make(), free=free)
        for name, (make, free) in sets.items()
        if not only or name in only
    }


def main() -> None:
    """Prepare all sets and write a manifest."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the dialogue data")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer.json")
    parser.add_argument("--out", type=Path, required=True, help="folder for the prepared sets")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the template samples")
    parser.add_argument("--seed", type=int, default=20261120, help="seed of all random choices")
    parser.add_argument("--only", nargs="*", default=(), help="names of sets, all if none")
    parser.add_argument("--show", type=int, default=0, help="print this many samples and stop")
    arguments = parser.parse_args()
    if arguments.show:
        writer = make_writer(arguments.data, validation=False)
        for number, kind in enumerate(("talk", "talk", "drill")):
            for turns in written(writer, kind, arguments.show, arguments.seed + number):
                print("\n".join(f"<{turn.role}> {turn.text}" for turn in turns), end="\n\n")
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer.from_file(str(arguments.tokenizer))
    choices = {"scale": arguments.scale, "seed": arguments.seed, "only": arguments.only}
    tokens = prepare(arguments.data, tokenizer, arguments.out, **choices)
    digests = {
        "tokenizer": hashlib.sha256(arguments.tokenizer.read_bytes()).hexdigest(),
        "dialogue": hashlib.sha256((arguments.data / FILE).read_bytes()).hexdigest(),
    }
    manifest = {"seed": arguments.seed, "tokens": tokens, "sha256": digests}
    (arguments.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    main()
