"""Speed of the engine with the shipped model: prompt and generation tokens a CPU-second.

One thread, one sequence at a time, on the contexts that the sample twins really have; the time is
the engine process's own CPU time.
"""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from adapters.files.personas import load_persona
from bot.domain.terms import RenderingProgram
from bot.generation.chat_template import compile_template
from bot.generation.rendering import Span, SpanKind, persona_prefix, render
from bot.generation.sampling import SamplerPolicy
from bot.ports.inference import Generated, GenerationRequest
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
    """Generate replies without any cached prefix, then with it, and count tokens."""
    persona = load_persona(ROOT / "personas" / "mira.toml")
    async with open_engine(STARTER, threads=1) as running:
        engine = running.engine
        info = await engine.info()
        segments = compile_template(info.chat_template, begin_text=info.begin_text)

        async def ids(text: str, *, special: bool = False) -> tuple[int, ...]:
            return await engine.tokenize(text, special=special)

        program = RenderingProgram(
            span_prefix=segments.span_prefix,
            before_persona=await ids(segments.before_persona, special=True),
            persona_to_fan=await ids(segments.persona_to_fan, special=True),
            fan_to_twin=await ids(segments.fan_to_twin, special=True),
            twin_to_fan=await ids(segments.twin_to_fan, special=True),
            window_tokens=info.context_tokens,
        )
        spoken = await ids(segments.span_prefix + persona.persona.text())
        prefix = persona_prefix(program, spoken)
        requests = []
        for number in range(rounds):
            question = await ids(segments.span_prefix + QUESTIONS[number % len(QUESTIONS)])
            spans = (Span(SpanKind.PERSONA, spoken), Span(SpanKind.MESSAGE, question))
            requests.append(
                GenerationRequest(
                    context=render(program, spans),
                    prefix_tokens=len(prefix),
                    seed=number.to_bytes(32, "big"),
                    sampler=SamplerPolicy(0.2, 40, 0.95, 64),
                    stop_tokens=info.end_tokens,
                    stop_strings=(),
                )
            )

        async def run() -> tuple[int, int, float]:
            before = engine_cpu_s()
            prompt = made = 0
            for request in requests:
                async for event in engine.generate(request):
                    if isinstance(event, Generated):
                        prompt += len(request.context)
                        made += len(event.tokens)
            return prompt, made, engine_cpu_s() - before

        prompt, made, warm_s = await run()
        await engine.prepare_prefix(prefix)
        _, _, hot_s = await run()
    together = (prompt + made) / warm_s
    return [
        figure("prompt and generation together", together, "tokens/CPU-s", TARGET_TOKENS_PER_S),
        figure("generated, persona prefix hot", made / hot_s, "tokens/CPU-s"),
        figure("reply, persona prefix hot", hot_s / rounds * 1000, "CPU ms"),
    ]


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
