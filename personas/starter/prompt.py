"""The prompt format that the service and the training data share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

END = "<|end|>"
SYSTEM = "<|system|>"
USER = "<|user|>"
ASSISTANT = "<|assistant|>"
PAD = "<|pad|>"
SPECIALS = (END, SYSTEM, USER, ASSISTANT, PAD)
CONTEXT = 1024
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|> ' + (m['content'] | trim) + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation."""

    role: Role
    text: str


def persona_text(
    name: str,
    role: str,
    facts: Sequence[str],
    avoided: Sequence[str] = (),
    examples: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the system text of a twin, as the service writes it."""
    lines = [f"You are {name}, {role}."]
    if facts:
        lines += ["About you:", *(f"- {fact}" for fact in facts)]
    if avoided:
        lines.append(f"You don't talk about: {', '.join(avoided)}.")
    if examples:
        lines.append("Examples:")
        for question, answer in examples:
            lines += [f"Fan: {question}", f"{name}: {answer}"]
    return "\n".join(lines)


def spans(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Return (special token, text to tokenise on its own) for each turn."""
    return [(f"<|{turn.role}|>", f" {turn.text.strip()}") for turn in turns]
