"""What is attacked: the promised models and the requests that are made of them."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.files.personas import load_personas
from adapters.llama.library import inspect_build
from bench.measuring import Prompts
from bench.models import HALF, file_digest, random_model
from bench.proofs_replies import Subject
from bot.generation.chat_template import compile_template
from bot.generation.sampling import SamplerPolicy
from bot.inference.engine import Engine
from bot.ports.inference import GenerationRequest
from bot.wiring.engine import ROOT, STARTER
from scripts.calibrate_verdicts import QUESTIONS

LENGTH = 256
POLICY = SamplerPolicy(temperature=0.8, top_k=40, top_p=0.95, max_tokens=LENGTH)
RANDOM_CONTEXT, RANDOM_PREFIX = 32, 24
HALF_TOGETHER, STARTER_TOGETHER = 8, 16
ROOM = 768
VERSION = "1"  # of what is kept: another one makes all replies anew


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured.

    Attributes:
        half: replies of each operator with the 0.4B shape.
        starter: the same with the starter model.
        kept: where replies and other weights are kept.
        length: of each reply.
        quick: whether parts that can be shorter are.
    """

    half: int
    starter: int
    kept: Path
    length: int = LENGTH
    quick: bool = False


@contextmanager
def subjects(extent: Extent) -> Iterator[list[tuple[Subject, int]]]:
    """Yield the models that are measured, each with its number of replies."""
    with ExitStack() as closing:
        found = []
        if extent.half:
            half = _subject("0.4B shape", random_model(HALF), extent, closing)
            found.append((half, extent.half))
        if extent.starter:
            whole = _subject("starter model", STARTER, extent, closing)
            found.append((whole, extent.starter))
        if extent.starter and not extent.quick:
            ends = _subject("starter model, as it ends", STARTER, extent, closing, ends=True)
            found.append((ends, extent.starter))
        yield found


def _subject(
    name: str, path: Path, extent: Extent, closing: ExitStack, *, ends: bool = False
) -> Subject:
    own = path == STARTER
    digest = file_digest(path)
    folder = extent.kept / digest[:16]
    folder.mkdir(parents=True, exist_ok=True)
    slug = "".join(c if c.isalnum() else "-" for c in name)
    kept = folder / f"{slug}-{extent.length}-v{VERSION}-{inspect_build().digest[:8]}"
    return Subject(
        name=name,
        path=path,
        digest=bytes.fromhex(digest),
        requests=StarterRequests(ends=ends) if own else random_requests,
        ends=ends,
        length=extent.length,
        context=ROOM,
        folder=folder,
        kept=kept,
        together=STARTER_TOGETHER if own else HALF_TOGETHER,
        closing=closing,
    )


def random_requests(engine: Engine, number: int) -> GenerationRequest:
    """Return a request of random tokens."""
    context = Prompts(engine.info().vocabulary, seed=number).tokens(RANDOM_CONTEXT)
    return GenerationRequest(context, RANDOM_PREFIX, _seed(number), POLICY, (), ())


@dataclass(frozen=True, slots=True)
class StarterRequests:
    """First turns of the sample twins.

    Attributes:
        ends: whether a reply ends where the model ends it; else it goes on to its full length.
    """

    ends: bool = True

    def __call__(self, engine: Engine, number: int) -> GenerationRequest:
        """Return the request of a number: every question to every persona, ever new seeds."""
        info = engine.info()
        parts = compile_template(
            info.chat_template, begin_text=info.begin_text, end_text=info.end_text
        )
        personas = load_personas(ROOT / "personas")
        persona = personas[number % len(personas)].persona.text()
        question = QUESTIONS[number // len(personas) % len(QUESTIONS)]
        prefix = (
            *engine.tokenize(parts.before_persona, special=True),
            *engine.tokenize(parts.span_prefix + persona, special=False),
        )
        rest = (
            *engine.tokenize(parts.persona_to_fan, special=True),
            *engine.tokenize(parts.span_prefix + question, special=False),
            *engine.tokenize(parts.fan_to_twin, special=True),
        )
        stops = info.end_tokens if self.ends else ()
        return GenerationRequest(prefix + rest, len(prefix), _seed(number), POLICY, stops, ())


def _seed(number: int) -> bytes:
    return hashlib.sha256(b"attacks %d" % number).digest()
