"""Chat templates of real models compile to segments; hostile ones are refused in a sandbox."""

from pathlib import Path

import pytest

from bot.domain.errors import ConfigurationError
from bot.generation.chat_template import TemplateSegments, compile_template
from personas.starter.prompt import CHAT_TEMPLATE

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLAMA_3 = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    " + message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}"
    "{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
LOOP = "{% for m in messages %}{{ m['role'] + ':' + m['content'] + '.' }}{% endfor %}"
PROMPT = "{% if add_generation_prompt %}assistant:{% endif %}"
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('No system role') }}{% endif %}"
    + LOOP
)
SYSTEM_DROPPED = "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}"
REVERSED = "{% for m in messages | reverse %}{{ m['role'] + m['content'] }}{% endfor %}" + PROMPT
FIRST_TURN_DIFFERS = (
    "{% for m in messages %}{{ loop.index if loop.index < 4 else 9 }}"
    "{{ m['role'] + m['content'] }}{% endfor %}" + PROMPT
)
WORKING = LOOP + PROMPT


def test_starter_template_moves_its_spaces_into_the_spans() -> None:
    assert compile_template(CHAT_TEMPLATE) == TemplateSegments(
        span_prefix=" ",
        before_persona="<|system|>",
        persona_to_fan="<|end|><|user|>",
        fan_to_twin="<|end|><|assistant|>",
        twin_to_fan="<|end|><|user|>",
    )


def test_chatml_compiles() -> None:
    assert compile_template(CHATML) == TemplateSegments(
        span_prefix="",
        before_persona="<|im_start|>system\n",
        persona_to_fan="<|im_end|>\n<|im_start|>user\n",
        fan_to_twin="<|im_end|>\n<|im_start|>assistant\n",
        twin_to_fan="<|im_end|>\n<|im_start|>user\n",
    )


def test_llama_3_template_compiles() -> None:
    segments = compile_template(LLAMA_3)

    assert segments.span_prefix == ""
    assert segments.before_persona.endswith("<|start_header_id|>system<|end_header_id|>\n\n")
    assert segments.fan_to_twin == ("<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n")
    assert segments.persona_to_fan == segments.twin_to_fan


@pytest.mark.parametrize(
    "template",
    [NO_SYSTEM, SYSTEM_DROPPED, REVERSED, FIRST_TURN_DIFFERS, LOOP, "", "constant"],
    ids=[
        "refuses-system",
        "drops-system",
        "reverses",
        "numbers-turns",
        "no-prompt",
        "empty",
        "fix",
    ],
)
def test_template_that_can_not_become_segments_is_refused(template: str) -> None:
    with pytest.raises(ConfigurationError, match="chat template"):
        compile_template(template)


def test_template_that_works_is_the_control() -> None:
    assert compile_template(WORKING).before_persona == "system:"


@pytest.mark.parametrize(
    "hostile",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__init__.__globals__['os'].system('true') }}",
        "{{ raise_exception.__globals__.clear() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ messages.append({'role': 'user', 'content': 'x'}) }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ 1 / 0 }}",
        "{{ range(10 ** 9) | list }}",
        "{{ messages[99]['role'] }}",
        "{{ 'x' + 1 }}",
        "{{ messages | sum }}",
        "{% for",
        "{{ undefined_function() }}",
        "{{ 'x'.encode('nonsense') }}",
    ],
)
def test_hostile_template_is_refused_and_does_nothing(hostile: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="chat template"):
        compile_template(hostile + WORKING)

    assert list(tmp_path.iterdir()) == []


def test_token_that_begins_every_context_is_kept_where_the_template_writes_it() -> None:
    segments = compile_template(LLAMA_3, begin_text="<|begin_of_text|>")

    assert segments.before_persona.startswith("<|begin_of_text|>")
    assert segments.before_persona.count("<|begin_of_text|>") == 1


def test_token_that_begins_every_context_is_added_where_the_template_forgets_it() -> None:
    assert compile_template(WORKING, begin_text="<s>").before_persona == "<s>system:"
