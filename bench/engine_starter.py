"""Speed of the engine with the shipped model, on the contexts that the sample twins really have."""

from dataclasses import dataclass

from adapters.files.personas import load_persona
from bench.measuring import Figure, Rounds, count_rounds, tell
from bench.sides import EngineSide, Size, open_engine_side
from bot.domain.terms import RenderingProgram
from bot.generation.chat_template import compile_template
from bot.generation.rendering import Span, SpanKind, persona_prefix, render
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import Generated, GenerationRequest, InferenceEngine, ModelInfo
from bot.wiring.engine import ROOT, STARTER

QUESTIONS = ("hi, who are you?", "where do you live?", "what are you working on?", "any tips?")
TARGET_TOKENS_PER_S = 1000.0
REPLIES = 10


async def starter(rounds: int) -> list[Figure]:
    """Generate replies with nothing cached, then with the persona's prefix hot, one at a time."""
    found = Rounds()
    async with open_engine_side(STARTER, Size(8, context=1024)) as side:
        maker = await RequestMaker.prepare(side.engine)
        first = await maker.request(0, stranger=False)
        await side.engine.prepare_prefix(first.context[: first.prefix_tokens])
        for number in count_rounds("the shipped model", rounds):
            numbers = range(number * REPLIES, (number + 1) * REPLIES)
            cold = [await maker.request(one, stranger=True) for one in numbers]
            hot = [await maker.request(one, stranger=False) for one in numbers]
            prompt, made, cold_s = await _run(side, cold)
            _, made_hot, hot_s = await _run(side, hot)
            found.add("together", (prompt + made) / cold_s)
            found.add("cold", cold_s / REPLIES * 1000)
            found.add("hot", hot_s / REPLIES * 1000)
            found.add("generated", made_hot / hot_s)
    target = TARGET_TOKENS_PER_S
    together = found.median("together")
    return [
        tell(Figure("starter, prompt and generation together", together, "tokens/CPU-s",
                    target, most=False)),
        tell(Figure("starter, reply, nothing cached", found.median("cold"), "CPU ms")),
        tell(Figure("starter, reply, persona prefix hot", found.median("hot"), "CPU ms")),
        tell(Figure("starter, generated, prefix hot", found.median("generated"), "tokens/CPU-s")),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class RequestMaker:
    """Makes requests as the service does, for one persona or for ever new ones."""

    engine: InferenceEngine
    info: ModelInfo
    program: RenderingProgram
    persona: str

    @classmethod
    async def prepare(cls, engine: InferenceEngine) -> "RequestMaker":
        """Compile the model's template."""
        info = await engine.info()
        segments = compile_template(info.chat_template, begin_text=info.begin_text)
        program = RenderingProgram(
            span_prefix=segments.span_prefix,
            before_persona=await engine.tokenize(segments.before_persona, special=True),
            persona_to_fan=await engine.tokenize(segments.persona_to_fan, special=True),
            fan_to_twin=await engine.tokenize(segments.fan_to_twin, special=True),
            twin_to_fan=await engine.tokenize(segments.twin_to_fan, special=True),
            window_tokens=info.context_tokens,
        )
        persona = load_persona(ROOT / "personas" / "mira.toml").persona.text()
        return cls(engine, info, program, persona)

    async def request(self, number: int, *, stranger: bool) -> GenerationRequest:
        """Return a request; a stranger's persona differs from its first word on."""
        text = f"Number {number}. {self.persona}" if stranger else self.persona
        spoken = await self.engine.tokenize(self.program.span_prefix + text)
        question = QUESTIONS[number % len(QUESTIONS)]
        asked = await self.engine.tokenize(self.program.span_prefix + question)
        spans = (Span(SpanKind.PERSONA, spoken), Span(SpanKind.MESSAGE, asked))
        return GenerationRequest(
            context=render(self.program, spans),
            prefix_tokens=len(persona_prefix(self.program, spoken)),
            seed=number.to_bytes(32, "big"),
            sampler=SamplerPolicy(0.2, 40, 0.95, 64),
            stop_tokens=self.info.end_tokens,
            stop_strings=(),
        )


async def _run(side: EngineSide, requests: list[GenerationRequest]) -> tuple[int, int, float]:
    """Return prompt tokens, generated tokens and the engine's CPU-seconds."""
    before = side.cpu_s()
    prompt = made = 0
    for request in requests:
        async for event in side.engine.generate(request):
            if isinstance(event, Generated):
                prompt += len(request.context)
                made += len(event.tokens)
    return prompt, made, side.cpu_s() - before
