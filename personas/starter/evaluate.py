"""Ask the exported GGUF hand-written questions through llama.cpp and count keyword hits."""

from __future__ import annotations

import argparse
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llama_cpp import Llama

from personas.starter.prompt import ASSISTANT, CONTEXT, END, Turn, persona_text, spans

QUESTIONS = Path(__file__).with_name("evaluation.toml")
LONGEST_REPLY = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """One question with the reply and whether it passed (None: not checked)."""

    kind: str
    question: str
    reply: str
    passed: bool | None


class Speaker:
    """The model, asked span by span as the service does."""

    def __init__(self, model: Llama, temperature: float = 0.0, seed: int = 1) -> None:
        self.model, self.temperature, self.seed = model, temperature, seed
        self.end = self.special(END)

    def special(self, token: str) -> int:
        """Return the id of a control token."""
        return int(self.model.tokenize(token.encode(), add_bos=False, special=True)[0])

    def ids(self, turns: list[Turn]) -> list[int]:
        """Tokenise turns; what people typed can't become a control token."""
        ids: list[int] = []
        for special, text in spans(turns):
            plain = self.model.tokenize(text.encode(), add_bos=False, special=False)
            ids += [self.special(special), *plain, self.end]
        return ids

    def speak(self, prompt: list[int]) -> list[int]:
        """Return the tokens of a reply."""
        self.model.n_tokens = 0
        self.model.set_seed(self.seed)
        reply: list[int] = []
        for token in self.model.generate(
            prompt, temp=self.temperature, top_k=0, top_p=1.0, min_p=0.0, repeat_penalty=1.0
        ):
            if token == self.end or len(reply) == LONGEST_REPLY:
                break
            reply.append(token)
        return reply

    def text(self, reply: list[int]) -> str:
        """Return a reply as people see it."""
        text: str = self.model.detokenize(reply).decode(errors="replace")
        return text.strip()

    def reply(self, shown: str, question: str) -> str:
        """Answer one question of a persona block."""
        turns = [Turn("system", shown), Turn("user", question)]
        return self.text(self.speak([*self.ids(turns), self.special(ASSISTANT)]))


class Twin:
    """A persona answered by the model."""

    def __init__(self, speaker: Speaker, persona: dict[str, Any]) -> None:
        self.speaker = speaker
        self.name = persona["name"]
        pairs = [(question, answer) for question, answer in persona.get("examples", [])]
        text = persona_text(self.name, persona["role"], persona["facts"], persona["avoided"], pairs)
        self.context = speaker.ids([Turn("system", text)])

    def ask(self, question: str, *, remember: bool = False) -> str:
        """Return the reply; `remember` keeps the turn for the next question."""
        speaker = self.speaker
        turn = speaker.ids([Turn("user", question)])
        prompt = [*self.context, *turn, speaker.special(ASSISTANT)]
        reply = speaker.speak(prompt)
        if remember:
            self.context = [*prompt, *reply, speaker.end]
        return speaker.text(reply)


def check(
    persona: dict[str, Any], twin: Twin, expectations: dict[str, list[str]], *, remember: bool
) -> list[Answer]:
    """Ask all questions of one persona."""
    found = []
    for question, expected in [*persona["asks"], *persona.get("example_asks", [])]:
        reply = twin.ask(question, remember=remember)
        kind = expected[1:] if expected.startswith("@") else "keyword"
        words = expectations[kind] if kind != "keyword" else expected.split("|")
        passed = any(word in reply.lower() for word in words) if expected else None
        found.append(Answer(kind, question, reply, passed))
    return found


def main() -> None:
    """Print all replies and the share of passed checks per kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the .gguf file")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy")
    parser.add_argument("--seed", type=int, default=1, help="seed of the sampler")
    parser.add_argument("--remember", action="store_true", help="one running conversation per twin")
    parser.add_argument("--quiet", action="store_true", help="print only the figures")
    arguments = parser.parse_args()
    content = tomllib.loads(QUESTIONS.read_text(encoding="utf-8"))
    model = Llama(
        str(arguments.model), n_ctx=CONTEXT, n_threads=1, n_threads_batch=1, verbose=False
    )
    answers: list[Answer] = []
    for persona in content["persona"]:
        twin = Twin(Speaker(model, arguments.temperature, arguments.seed), persona)
        found = check(persona, twin, content["expectations"], remember=arguments.remember)
        answers += found
        if not arguments.quiet:
            print(f"\n### {twin.name}")
            for answer in found:
                mark = {True: "[+]", False: "[-]", None: ""}[answer.passed]
                print(f"Fan: {answer.question}\n  {answer.reply} {mark}")
    for kind in sorted({answer.kind for answer in answers}):
        checked = [
            answer for answer in answers if answer.kind == kind and answer.passed is not None
        ]
        print(f"{kind}: {sum(bool(a.passed) for a in checked)}/{len(checked)}")


if __name__ == "__main__":
    main()
