"""Compile a model's chat template to fixed segments around typed spans.

Done once, when a model is added: a verifier then needs no template engine, and no span can forge a
special token, because spans are tokenised apart from the segments.
"""

from dataclasses import dataclass

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.domain.errors import ConfigurationError

# What a template written by somebody else can make Python raise, beside Jinja's own errors.
_FAULTS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_PERSONA, _FAN, _TWIN = "\u2402P{}\u2403", "\u2402F{}\u2403", "\u2402T{}\u2403"


@dataclass(frozen=True, slots=True)
class TemplateSegments:
    """The literal text between spans.

    Attributes:
        span_prefix: what precedes a span's text inside its own tokenisation (`" "` or empty).
    """

    span_prefix: str
    before_persona: str
    persona_to_fan: str
    fan_to_twin: str
    twin_to_fan: str


def compile_template(
    template: str, *, begin_text: str = "", end_text: str = ""
) -> TemplateSegments:
    """Find the literal segments of a chat template by rendering marked messages.

    Args:
        template: Jinja source, as in a GGUF's `tokenizer.chat_template`.
        begin_text: the control token that begins every context of the model; empty if none does.
        end_text: the control token that ends a turn, for templates that write it by name.

    Raises:
        ConfigurationError: the template has no system role, or is not the same for every turn.
    """
    marks = [_PERSONA.format(0), _FAN.format(1), _TWIN.format(1), _FAN.format(2), _TWIN.format(2)]
    marks.append(_FAN.format(3))
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    messages = [{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)]
    rest = _render(template, messages, begin_text, end_text)
    parts = []
    for mark in marks:
        before, found, rest = rest.partition(mark)
        if not found:
            raise ConfigurationError(
                "The model's chat template drops or reorders messages "
                "(no system role?): choose a model whose template has one."
            )
        parts.append(before)
    before_persona, persona_to_fan, fan_to_twin, twin_to_fan, again, twin_again = parts
    same = (again, twin_again, rest.rstrip(" ")) == (
        fan_to_twin,
        twin_to_fan,
        fan_to_twin.rstrip(" "),
    )
    if not same:
        raise ConfigurationError(
            "The model's chat template is not the same for every turn: choose another model."
        )
    if not before_persona.startswith(begin_text):
        before_persona = begin_text + before_persona
    return _move_spaces(before_persona, persona_to_fan, fan_to_twin, twin_to_fan)


def _move_spaces(before: str, to_fan: str, to_twin: str, twin_to_fan: str) -> TemplateSegments:
    """Move a space that ends every segment into the spans, where the tokenizer wants it."""
    segments = (before, to_fan, to_twin, twin_to_fan)
    if all(segment.endswith(" ") for segment in segments):
        return TemplateSegments(" ", *(segment[:-1] for segment in segments))
    return TemplateSegments("", *segments)


def _render(template: str, messages: list[dict[str, str]], begin_text: str, end_text: str) -> str:
    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(template).render(
            messages=messages,
            add_generation_prompt=True,
            bos_token=begin_text,
            eos_token=end_text,
            raise_exception=refuse,
        )
    except _FAULTS as error:
        raise ConfigurationError(
            f"The model's chat template can't be used: {error}. Choose another model."
        ) from error
