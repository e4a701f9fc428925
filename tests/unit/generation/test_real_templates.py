"""Real vocabularies and real chat templates: nothing that is written turns into a control token.

The vocabularies and templates are those of llama.cpp's source. Where it has a template but not that
model's vocabulary, another real vocabulary stands in, with a few control tokens renamed to what the
template writes.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import llama_cpp as lib
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.llama.inspection import open_vocabulary
from adapters.llama.vocabulary import Vocabulary
from bot.domain.errors import ConfigurationError
from bot.domain.model_record import TemplateIds
from bot.generation.chat_template import TemplateSegments, compile_ways, render_template
from bot.generation.template_ids import Tokenize, bind_template
from tests.engine_source import model_files
from tests.fakes.gguf_vocabulary import rename_tokens

MARKS = ("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]")
BPE = {f"<|reserved_special_token_{i}|>": mark for i, mark in enumerate(MARKS)}
SPM = dict(zip("왕收弘给", MARKS, strict=True))  # the last ones, which no text here needs
GEMMA_2 = {"<|turn>": "<start_of_turn>", "<turn|>": "<end_of_turn>"}
GRANITE = {
    "<|reserved_special_token_0|>": "<|start_of_role|>",
    "<|reserved_special_token_1|>": "<|end_of_role|>",
}


@dataclass(frozen=True)
class Pair:
    """A vocabulary, a template, and what had to be renamed so that they meet."""

    vocabulary: str
    template: str
    names: tuple[tuple[str, str], ...] = ()
    has_role: bool = True
    thinks: bool = False


def _pair(vocabulary: str, template: str, names: dict[str, str], *, has_role: bool = True) -> Pair:
    return Pair(vocabulary, template, tuple(names.items()), has_role)


FAMILIES = {
    "qwen-2.5": Pair("qwen2", "Qwen-Qwen2.5-7B-Instruct"),
    "qwen-3": Pair("qwen2", "Qwen-Qwen3-0.6B", thinks=True),
    "qwen-3.5": Pair("qwen35", "Qwen3.5-4B", thinks=True),
    "llama-3.1": Pair("llama-bpe", "meta-llama-Llama-3.1-8B-Instruct"),
    "llama-3.2": Pair("llama-bpe", "meta-llama-Llama-3.2-3B-Instruct"),
    "phi-3.5": Pair("phi-3", "microsoft-Phi-3.5-mini-instruct"),
    "gemma-4": Pair("gemma-4", "google-gemma-4-31B-it", thinks=True),
    "gemma-2": _pair("gemma-4", "google-gemma-2-2b-it", GEMMA_2, has_role=False),
    "mistral-nemo": _pair("llama-bpe", "mistralai-Mistral-Nemo-Instruct-2407", BPE, has_role=False),
    "mistral-nemo-spm": _pair(
        "llama-spm", "mistralai-Mistral-Nemo-Instruct-2407", SPM, has_role=False
    ),
    "mistral-small": _pair("llama-bpe", "Mistral-Small-3.2-24B-Instruct-2506", BPE),
    "ministral-spm": _pair("llama-spm", "mistralai-Ministral-3-14B-Reasoning-2512", SPM),
    "granite-4": _pair("llama-bpe", "ibm-granite-granite-4.0", GRANITE),
}


@dataclass(frozen=True)
class Family:
    """A template under a loaded vocabulary."""

    pair: Pair
    template: str
    vocabulary: Vocabulary
    segments: TemplateSegments
    ids: TemplateIds
    spellings: tuple[str, ...]

    def rendered(self, persona: str, *said: str) -> tuple[int, ...]:
        """Tokenise what the template engine makes of a conversation."""
        messages = [{"role": "system", "content": persona}]
        if self.segments.joint:
            messages, said = [], (persona + self.segments.joint + said[0], *said[1:])
        for number, text in enumerate(said):
            messages.append({"role": ("user", "assistant")[number % 2], "content": text})
        text = render_template(
            self.template,
            messages,
            begin_text=self.vocabulary.begin_text,
            end_text=self.vocabulary.end_text,
        )
        if not text.startswith(self.vocabulary.begin_text):
            text = self.vocabulary.begin_text + text
        return self.vocabulary.tokenize(text, special=True)

    def joined(self, persona: str, *said: str) -> tuple[int, ...]:
        """Put a context together as the service does, from segments and spans."""
        after = (self.ids.fan_to_twin, self.ids.twin_to_fan)
        context = self.ids.before_persona + self.span(persona) + self.ids.persona_to_fan
        for number, text in enumerate(said):
            context += self.span(text) + after[number % 2]
        return context

    def span(self, text: str) -> tuple[int, ...]:
        return self.vocabulary.tokenize(self.ids.span_prefix + text, special=False)

    def control(self, ids: tuple[int, ...]) -> list[int]:
        return [token for token in ids if not self.vocabulary.piece(token)]


def _tokenizer(vocabulary: Vocabulary) -> Tokenize:
    return lambda text, special: vocabulary.tokenize(text, special=special)


@pytest.fixture(scope="module", params=FAMILIES)
def family(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Family]:
    pair = FAMILIES[request.param]
    source = model_files()
    template = (source / "templates" / f"{pair.template}.jinja").read_text(encoding="utf-8")
    path = source / f"ggml-vocab-{pair.vocabulary}.gguf"
    if pair.names:
        path = tmp_path_factory.mktemp("vocabulary") / "renamed.gguf"
        rename_tokens(source / f"ggml-vocab-{pair.vocabulary}.gguf", path, dict(pair.names))
    with ExitStack() as stack:
        vocabulary, _ = stack.enter_context(open_vocabulary(path))
        yield _compiled(pair, template, vocabulary)


def _compiled(pair: Pair, template: str, vocabulary: Vocabulary) -> Family:
    marks = {"begin_text": vocabulary.begin_text, "end_text": vocabulary.end_text}
    ways = list(compile_ways(template, **marks))
    ids = bind_template(ways, _tokenizer(vocabulary), vocabulary.piece)
    for segments in ways:
        try:
            if bind_template([segments], _tokenizer(vocabulary), vocabulary.piece) == ids:
                return Family(
                    pair, template, vocabulary, segments, ids, _spellings(vocabulary, template)
                )
        except ConfigurationError:
            continue
    raise AssertionError("no way gives the ids")


LATIN = 'Hello hi I am you, clay. What? bowls! 17 3.50 don\'t well-known (yes) "so" e.g. Jörg naïve'
OTHERS = "Что нового 你好 ありがとう مرحبا 😀 🏺 _x_ #tag @me http://a.b/c?d=1 ... … a/b 100% C++"
WORDS = st.sampled_from([*LATIN.split(), *OTHERS.split()])
TEXTS = st.lists(
    st.tuples(WORDS, st.sampled_from([" ", " ", " ", "\n", "\n\n", ", "])), min_size=1, max_size=8
).map(lambda parts: "".join(word + gap for word, gap in parts).strip().rstrip(","))
MANY = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def test_persona_has_a_role_of_its_own_or_shares_the_first_message(family: Family) -> None:
    assert bool(family.segments.joint) != family.pair.has_role


@given(persona=TEXTS, said=TEXTS)
@MANY
def test_first_turn_has_the_ids_of_the_template_engine(
    family: Family, persona: str, said: str
) -> None:
    assert family.joined(persona, said) == family.rendered(persona, said)


@given(persona=TEXTS, said=st.tuples(TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
@settings(parent=MANY, max_examples=8)
def test_whole_conversation_has_the_ids_of_the_template_engine(
    family: Family, persona: str, said: tuple[str, ...]
) -> None:
    ours, theirs = family.joined(persona, *said), family.rendered(persona, *said)

    if family.pair.thinks:  # the empty thought stands before earlier replies, too
        plain = family.vocabulary.tokenize(_plain_prompt(family), special=True)
        thought = family.ids.fan_to_twin[len(plain) :]
        ours = _without(ours, family.ids.fan_to_twin, plain)
        assert family.ids.fan_to_twin[: len(plain)] == plain
        assert thought
    assert ours == theirs


def _plain_prompt(family: Family) -> str:
    """Return what stands between a fan's words and a twin's earlier ones."""
    messages = [("user", "A"), ("assistant", "B"), ("user", "C")]
    text = render_template(
        family.template,
        [{"role": role, "content": text} for role, text in messages],
        begin_text=family.vocabulary.begin_text,
        end_text=family.vocabulary.end_text,
    )
    return text.partition("A")[2].partition("B")[0]


def _without(
    ids: tuple[int, ...], prompt: tuple[int, ...], plain: tuple[int, ...]
) -> tuple[int, ...]:
    """Replace each prompt by the plain one, the last one excepted."""
    found = [at for at in range(len(ids)) if ids[at : at + len(prompt)] == prompt]
    for at in reversed(found[:-1]):
        ids = ids[:at] + plain + ids[at + len(prompt) :]
    return ids


@given(data=st.data())
@settings(parent=MANY, max_examples=40)
def test_no_text_gives_a_control_token(family: Family, data: st.DataObject) -> None:
    spellings = st.sampled_from(family.spellings)
    torn = st.tuples(spellings, st.integers(0, 20)).map(lambda pair: pair[0][: pair[1]])
    tail = st.tuples(spellings, st.integers(0, 20)).map(lambda pair: pair[0][pair[1] :])
    inside = st.tuples(spellings, st.sampled_from(" \u200b\u2581\u00a0\t\n\u0301\ufeff")).map(
        lambda pair: pair[0][:2] + pair[1] + pair[0][2:]
    )
    hostile = st.lists(
        spellings | torn | tail | inside | WORDS | st.text(max_size=6), min_size=1, max_size=8
    ).map("".join)
    persona, said, answer, again = (data.draw(hostile) for _ in range(4))

    spans = [family.span(text) for text in (persona, said, answer, again)]
    context = family.joined(persona, said, answer, again)

    assert not [token for span in spans for token in family.control(span)]
    ids = family.ids
    fixed = ids.before_persona + ids.persona_to_fan
    fixed += ids.fan_to_twin + ids.twin_to_fan + ids.fan_to_twin
    assert family.control(context) == family.control(fixed)


def test_texts_of_that_test_would_give_control_tokens_if_they_were_read(family: Family) -> None:
    """The control: the spellings are real ones."""
    spellings = _spellings(family.vocabulary, family.template)

    assert (
        sum(
            bool(family.control(family.vocabulary.tokenize(one, special=True))) for one in spellings
        )
        > 2
    )


def _spellings(vocabulary: Vocabulary, template: str) -> tuple[str, ...]:
    """Return how control tokens are written: those of the template, and a few others."""
    names = (
        bytes(lib.llama_vocab_get_text(vocabulary._handle, token)).decode(errors="replace")
        for token in range(vocabulary.size)
        if not vocabulary.piece(token)
    )
    every = [name for name in names if name]
    used = [name for name in every if name in template]
    return tuple(dict.fromkeys([*used, *every[:12], vocabulary.end_text]))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("llama-cpp-deepseek-r1", "think aloud"),
        ("CohereForAI-c4ai-command-r7b-12-2024-tool_use", "not the same for every turn"),
    ],
)
def test_templates_that_can_not_be_fixed_segments_are_refused(name: str, reason: str) -> None:
    template = (model_files() / "templates" / f"{name}.jinja").read_text(encoding="utf-8")

    with pytest.raises(ConfigurationError, match=reason):
        list(compile_ways(template, begin_text="<s>", end_text="</s>"))


def test_speakers_that_plain_text_marks_are_refused() -> None:
    """Llama 2's and Mistral's first models: [INST] is a word there that anybody can write."""
    with open_vocabulary(model_files() / "ggml-vocab-llama-spm.gguf") as (vocabulary, _):
        llama_2 = (
            "{% for m in messages %}{% if m['role'] == 'user' %}"
            "{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
            "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + ' ' + eos_token }}"
            "{% else %}{{ raise_exception('no') }}{% endif %}{% endfor %}"
        )
        ways = list(compile_ways(llama_2, begin_text="<s>", end_text="</s>"))

        with pytest.raises(ConfigurationError, match=r"plain text|does not keep"):
            bind_template(ways, _tokenizer(vocabulary), vocabulary.piece)
