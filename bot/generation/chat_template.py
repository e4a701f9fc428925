"""Compile a model's chat template to fixed segments around typed spans.

Done once, when a model is added: a verifier then needs no template engine. A template is a program
of whoever made the file, so it is run only where time and memory are limited
(bot/wiring/inspection). `template_ids` turns the segments into token ids.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateError, UndefinedError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot.domain.errors import ConfigurationError

# What a template written by somebody else can make Python raise, beside Jinja's own errors.
_FAULTS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_PERSONA, _FAN, _TWIN = "\u2402P{}\u2403", "\u2402F{}\u2403", "\u2402T{}\u2403"
_DATE = "\u2402D\u2403"
JOINTS = ("\n\n", " \n\n", "\n\n ", "\n\n  ")
"""What may stand between persona and first message where they share a turn.

Tokenizers join line ends with a full stop before them, or put a space in front of a word: which of
these keeps the spans apart depends on the vocabulary.
"""
MAX_REASON = 200


@dataclass(frozen=True, slots=True)
class TemplateSegments:
    """The literal text between spans.

    Attributes:
        span_prefix: what precedes a span's text inside its own tokenisation (`" "` or empty).
        joint: what stands between persona and first message in the fan's first turn, where the
            template has no role for the persona at the beginning; empty: it has one.
    """

    span_prefix: str
    before_persona: str
    persona_to_fan: str
    fan_to_twin: str
    twin_to_fan: str
    joint: str = ""


def compile_template(
    template: str, *, begin_text: str = "", end_text: str = "", joint: str = ""
) -> TemplateSegments:
    """Find the literal segments of a chat template by rendering marked messages.

    Args:
        template: Jinja source, as in a GGUF's `tokenizer.chat_template`.
        begin_text: the control token that begins every context of the model; empty if none does.
        end_text: the control token that ends a turn, for templates that write it by name.
        joint: put the persona into the fan's first message, with this text between the two; empty:
            it is the system's message.

    Raises:
        ConfigurationError: the template has no system role, or is not the same for every turn.
    """
    marks = [_PERSONA.format(0), _FAN.format(1), _TWIN.format(1), _FAN.format(2), _TWIN.format(2)]
    marks.append(_FAN.format(3))
    roles = ["system", "user", "assistant", "user", "assistant", "user"]
    messages = [{"role": r, "content": m} for r, m in zip(roles, marks, strict=True)]
    if joint:
        persona, first, *later = messages
        content = persona["content"] + joint + first["content"]
        messages = [{"role": "user", "content": content}, *later]
    rest = render_template(template, messages, begin_text=begin_text, end_text=end_text)
    parts = []
    for mark in marks:
        before, found, rest = rest.partition(mark)
        if not found:
            raise ConfigurationError(
                "The model's chat template drops or reorders messages "
                "(no system role?): choose a model whose template has one."
            )
        parts.append(before)
    before_persona, persona_to_fan, fan_to_twin, twin_to_fan, *again = parts
    if again != [fan_to_twin, twin_to_fan]:
        raise _varies()
    if rest.rstrip(" ") != fan_to_twin.rstrip(" "):
        fan_to_twin = _with_thought(fan_to_twin, rest)
    if not before_persona.startswith(begin_text):
        before_persona = begin_text + before_persona
    segments = (before_persona, persona_to_fan, fan_to_twin, twin_to_fan)
    if all(segment.endswith(" ") for segment in segments):
        # A space that ends every segment goes into the spans, where the tokenizer wants it.
        return TemplateSegments(" ", *(segment[:-1] for segment in segments))
    return TemplateSegments("", *segments, joint=joint)


def _with_thought(fan_to_twin: str, prompt: str) -> str:
    """Return a prompt that has the model leave out its thoughts by giving it an empty one.

    It stands before every reply then, where the template has it before the newest only.

    Raises:
        ConfigurationError: the prompt differs otherwise, or has the model think aloud.
    """
    if not prompt.startswith(fan_to_twin):
        raise _varies()
    if prompt[len(fan_to_twin) :].count("<") != 2:  # noqa: PLR2004 - one begins it, one ends it
        raise ConfigurationError(
            "The model's chat template makes it think aloud before each reply: "
            "choose a model that answers at once."
        )
    return prompt


def _varies() -> ConfigurationError:
    return ConfigurationError(
        "The model's chat template is not the same for every turn: choose another model."
    )


def compile_ways(
    template: str, *, begin_text: str = "", end_text: str = ""
) -> Iterator[TemplateSegments]:
    """Yield the ways in which a template can be cut into segments, the best one first.

    Raises:
        ConfigurationError: there is none; the sentence says why the best one is not possible.
    """
    refused: ConfigurationError | None = None
    is_possible = False
    for joint in ("", *JOINTS):
        try:
            segments = compile_template(
                template, begin_text=begin_text, end_text=end_text, joint=joint
            )
        except ConfigurationError as error:
            refused = refused or error
            continue
        is_possible = True
        yield segments
    if refused is not None and not is_possible:
        raise refused


def render_template(
    template: str, messages: list[dict[str, str]], *, begin_text: str, end_text: str
) -> str:
    """Return what a chat template makes of messages, ready for the twin's next words.

    Tools are not offered, thoughts are not asked for, and there is no clock: what is rendered must
    be the same tomorrow.

    Raises:
        ConfigurationError: the template is wrong, refuses the messages, or is hostile.
    """
    names = {
        "messages": messages,
        "add_generation_prompt": True,
        "enable_thinking": False,
        "bos_token": begin_text,
        "eos_token": end_text,
        "raise_exception": _refuse,
    }
    try:
        try:
            return _run(template, names)
        except UndefinedError:  # some ask for the date even where they don't write it
            text = _run(template, names | {"strftime_now": lambda _form: _DATE})
    except _FAULTS as error:
        reason = str(error)[:MAX_REASON] or type(error).__name__
        raise ConfigurationError(
            f"The model's chat template can't be used: {reason}. Choose another model."
        ) from error
    if _DATE in text:
        raise ConfigurationError(
            "The model's chat template writes the date of the day, so that nobody could replay a "
            "reply tomorrow: choose another model."
        )
    return text


def _run(template: str, names: dict[str, object]) -> str:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    return environment.from_string(template).render(names)


def _refuse(message: str) -> None:
    raise TemplateError(message)
