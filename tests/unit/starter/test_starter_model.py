"""The shipped starter model is the file that its card and checksum describe."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from rich.console import Console

from bot.cli import printing
from bot.cli.commands import run
from bot.cli.model import print_card
from bot.domain.errors import ConfigurationError
from bot.wiring import engine
from personas.starter.prompt import CHAT_TEMPLATE, CONTEXT, SPECIALS, Turn, persona_text, spans

FOLDER = Path(__file__).parents[3] / "personas" / "starter"
MODEL = FOLDER / "starter-q8_0.gguf"
LARGEST_FILE = 25_000_000
MATRIX_KIND, VECTOR_KIND = "Q8_0", "F32"


def _digest() -> str:
    return hashlib.sha256(MODEL.read_bytes()).hexdigest()


def test_checksum_file_names_the_shipped_model() -> None:
    line = (FOLDER / "starter.sha256").read_text(encoding="utf-8")
    assert line == f"{_digest()}  {MODEL.name}\n"


def test_card_states_checksum_and_size() -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert _digest() in card
    assert f"{MODEL.stat().st_size:,} bytes" in card


def test_model_is_small() -> None:
    assert MODEL.stat().st_size < LARGEST_FILE


@pytest.mark.parametrize("source", ["Synthetic-Persona-Chat", "CC BY 4.0", "arXiv:2312.10007"])
def test_card_and_notice_attribute_the_data(source: str) -> None:
    for name in ("MODEL_CARD.md", "NOTICE"):
        assert source in (FOLDER / name).read_text(encoding="utf-8")


def test_model_card_command_prints_the_card_alone_on_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["model", "card"]) == 0
    shown = capsys.readouterr()
    assert shown.out == (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert f"has the SHA-256 {_digest()}" in shown.err.replace("\n", " ")


async def test_model_card_is_laid_out_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(printing, "out", Console(file=screen, force_terminal=True, width=100))
    assert await print_card() == 0
    assert "Model card: Twinproof starter" in screen.getvalue()
    assert "# Model card" not in screen.getvalue()
    assert "\x1b[" in screen.getvalue()


async def test_a_card_of_another_file_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "MODEL_CARD.md"
    page.write_text(f"# Card of {'0' * 64}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="is about another file"):
        await print_card(page)


async def test_a_changed_model_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    changed = tmp_path / MODEL.name
    content = bytearray(MODEL.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    monkeypatch.setattr(engine, "STARTER", changed)
    with pytest.raises(ConfigurationError, match="is not the one"):
        await print_card()


async def test_a_missing_card_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        await print_card(tmp_path / "none.md")


def test_metadata_is_what_the_service_relies_on() -> None:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(MODEL).fields
    expected = {
        "general.architecture": "llama",
        "general.name": "Twinproof starter",
        "llama.context_length": CONTEXT,
        "llama.vocab_size": 4096,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.chat_template": CHAT_TEMPLATE,
    }
    assert {key: fields[key].contents() for key in expected} == expected


def test_special_tokens_are_control_tokens() -> None:
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(MODEL).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    control = [t for t, kind in zip(tokens, kinds, strict=True) if kind == gguf.TokenType.CONTROL]
    assert tuple(control) == SPECIALS


def test_every_matrix_is_q8_0_and_every_vector_f32() -> None:
    gguf = pytest.importorskip("gguf")
    tensors = gguf.GGUFReader(MODEL).tensors
    kinds = {(len(tensor.shape), tensor.tensor_type.name) for tensor in tensors}
    assert kinds == {(2, MATRIX_KIND), (1, VECTOR_KIND)}
    assert all(size % 32 == 0 for tensor in tensors for size in tensor.shape)


def test_spans_render_to_the_string_of_the_chat_template() -> None:
    system = persona_text(
        "Ada Holm", "a baker", ["I bake rye bread."], ["politics"], [("Why rye?", "It keeps.")]
    )
    turns = [Turn("system", system), Turn("user", "hi"), Turn("assistant", "Hello!")]
    rendered = "".join(f"{special}{text}<|end|>" for special, text in spans(turns))
    assert rendered == (
        "<|system|> You are Ada Holm, a baker.\nAbout you:\n- I bake rye bread.\n"
        "You don't talk about: politics.\nExamples:\nFan: Why rye?\nAda Holm: It keeps.<|end|>"
        "<|user|> hi<|end|><|assistant|> Hello!<|end|>"
    )
