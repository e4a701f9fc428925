"""Speed of the engine with the shipped model: prompt and generation tokens a CPU-second.

One thread, one sequence at a time, on the contexts that the sample twins really have; the time is
the engine process's own CPU time.
"""

import argparse
import asyncio
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.files.personas import load_persona
from bot.domain.terms import RenderingProgram
from bot.generation.chat_template import compile_template
from bot.generation.rendering import Span, SpanKind, persona_prefix, render
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import Generated, GenerationRequest, InferenceEngine, ModelInfo
from bot.wiring.engine import STARTER, open_engine

ROOT = Path(__file__).resolve().parent.parent

QUESTIONS = ("hi, who are you?", "where do you live?", "what are you working on?", "any tips?")
TICKS = os.sysconf("SC_CLK_TCK")
TARGET_TOKENS_PER_S = 1000.0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer replies, under a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = asyncio.run(measure(rounds=10 if options.quick else 100))
    if options.json:
        sys.stdout.write(json.dumps({"figures": figures}, indent=2) + "\n")
    else:
        for one in figures:
            print(f"{one['name']:<44} {one['value']:>12} {one['unit']}")
    return 0


async def measure(*, rounds: int) -> list[dict[str, Any]]:
    """Generate replies with nothing cached, then with the persona's prefix hot."""
    async with open_engine(STARTER, threads=1) as running:
        maker = await RequestMaker.prepare(running.engine)
        strangers = [await maker.request(number, stranger=True) for number in range(rounds)]
        prompt, made, cold_s = await run(running.engine, strangers)
        fans = [await maker.request(number, stranger=False) for number in range(rounds)]
        await running.engine.prepare_prefix(fans[0].context[: fans[0].prefix_tokens])
        _, made_hot, hot_s = await run(running.engine, fans)
    together = (prompt + made) / cold_s
    return [
        figure("prompt and generation together", together, "tokens/CPU-s", TARGET_TOKENS_PER_S),
        figure("reply, nothing cached", cold_s / rounds * 1000, "CPU ms"),
        figure("reply, persona prefix hot", hot_s / rounds * 1000, "CPU ms"),
        figure("generated, persona prefix hot", made_hot / hot_s, "tokens/CPU-s"),
    ]


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


async def run(engine: InferenceEngine, requests: list[GenerationRequest]) -> tuple[int, int, float]:
    """Return prompt tokens, generated tokens and the engine's CPU-seconds."""
    before = engine_cpu_s()
    prompt = made = 0
    for request in requests:
        async for event in engine.generate(request):
            if isinstance(event, Generated):
                prompt += len(request.context)
                made += len(event.tokens)
    return prompt, made, engine_cpu_s() - before


def figure(name: str, value: float, unit: str, target: float | None = None) -> dict[str, Any]:
    """Return one figure; `ok` says whether it reaches its target, where there is one."""
    ok = None if target is None else value >= target
    return {"name": name, "value": round(value, 1), "unit": unit, "target": target, "ok": ok}


def engine_cpu_s() -> float:
    """Return the CPU-seconds that this process's children have used so far."""
    total = 0
    for child in Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split():
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


if __name__ == "__main__":
    sys.exit(main())
