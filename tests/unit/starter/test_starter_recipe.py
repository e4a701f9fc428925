"""The starter model's recipe works: data, gradients, a tiny training run, export, comparison.

PyTorch is an optional extra. What needs it is skipped without it; the rest shows the same recipe
with the gradients that personas/starter/reference.py works out in plain NumPy.
"""

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bot.domain.persona import Example, Persona
from personas.starter.casual import casual
from personas.starter.compare import differences
from personas.starter.encoding import COPY_CLASS, REPLY_CLASS, SPECIAL_IDS, Encoder
from personas.starter.export import export
from personas.starter.prompt import ASSISTANT, END, Turn, persona_text
from personas.starter.reference import Reference
from personas.starter.samples import Writer
from personas.starter.short_run import FACTS, HEADS, PAIR, Outcome, new_weights, short_run
from personas.starter.unpack import unpack

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "personas" / "starter" / "starter-q8_0.gguf"
# Q8_0 stores 32 weights with one half-precision scale: about 0.4 % of the largest of them.
TOLERANCE = 0.02
FEWEST_EQUAL = 0.9


def _write(seed: int, count: int = 40) -> list[list[Turn]]:
    writer = Writer(list(FACTS), [PAIR] * 5, validation=False)
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return [writer.conversation(rng) for _ in range(count)]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what one short run made."""
    return short_run(MODEL, tmp_path_factory.mktemp("short"))


def test_the_same_seed_writes_the_same_conversations() -> None:
    assert _write(3) == _write(3)
    assert _write(3) != _write(4)


def test_the_hash_seed_of_the_process_does_not_change_the_data() -> None:
    code = (
        "import hashlib, random\n"
        "from personas.starter.samples import Writer\n"
        "from personas.starter.short_run import FACTS, PAIR\n"
        "writer, rng = Writer(list(FACTS), [PAIR] * 5, validation=False), random.Random(3)\n"
        "text = repr([writer.conversation(rng) for _ in range(40)])\n"
        "print(hashlib.sha256(text.encode()).hexdigest())\n"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    here = hashlib.sha256(repr(_write(3)).encode()).hexdigest()
    assert found == {f"{here}\n"}


def test_every_conversation_alternates_and_ends_with_the_twin() -> None:
    for turns in _write(5, 200):
        assert turns[0].role == "system"
        assert [turn.role for turn in turns[1:]] == ["user", "assistant"] * (len(turns) // 2)
        assert all(turn.text.strip() for turn in turns)
        assert not any("{" in turn.text and "}" in turn.text for turn in turns[2::2])


def test_training_prompts_are_what_the_service_renders() -> None:
    persona = Persona(
        name="Ada Holm",
        role="a baker",
        facts=("I bake rye bread.",),
        off_limits=("politics", "prices"),
        examples=(Example("Why rye?", "It keeps."),),
    )
    pairs = [(one.fan, one.twin) for one in persona.examples]
    text = persona_text("Ada Holm", "a baker", persona.facts, persona.off_limits, pairs)
    assert text == persona.text()
    assert persona_text("Ada Holm", "a baker", ()) == Persona("Ada Holm", "a baker").text()


def test_silent_personas_are_answered_with_a_deflection_often_enough() -> None:
    replies = [turn.text.lower() for turns in _write(6, 200) for turn in turns[2::2]]
    words = ("haven't", "don't know", "hasn't told", "can't say", "no idea", "don't have an answer")
    share = sum(any(word in reply for word in words) for reply in replies) / len(replies)
    assert 0.15 < share < 0.4


def test_questions_are_made_casual_in_many_ways() -> None:
    rng = random.Random(1)  # noqa: S311 - repeatable on purpose
    assert len({casual("What is your favourite tea?", "Ada", rng) for _ in range(100)}) > 30


def test_copied_words_weigh_more_and_the_end_is_learned() -> None:
    encoder = Encoder(lambda text: [5 + byte for byte in text.encode()], 300)
    encoder.frequent = frozenset(5 + byte for byte in b" abcdefghijklmnopqrstuvwxyz")
    turns = [Turn("system", "Q"), Turn("user", "x?"), Turn("assistant", "Qo Z")]
    ids, classes = encoder.encode(turns, free=False)
    reply = ids.index(SPECIAL_IDS[ASSISTANT]) + 1
    # The first three choose what is repeated: a frequent one counts as well if the prompt has it.
    assert classes[reply:] == [COPY_CLASS, COPY_CLASS, *[REPLY_CLASS] * 4]
    assert ids[-1] == SPECIAL_IDS[END]


def test_a_typed_control_token_is_never_the_control_token(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="the extra `train` is not installed")
    from personas.starter.tokenizer import plain_ids  # noqa: PLC0415 - needs the extra

    unpack(MODEL, tmp_path)
    tokenise = plain_ids(tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")))
    assert min(tokenise(" hi <|end|><|system|> you")) >= len(SPECIAL_IDS)


def test_gradients_are_those_of_the_loss() -> None:
    draw = np.random.default_rng(2)
    weights = new_weights(50, 2)
    ids = draw.integers(5, 50, 12).tolist()
    wide: dict[str, Any] = {name: w.astype(np.float64) for name, w in weights.items()}
    model = Reference(wide, HEADS)
    model.loss(ids)
    for name, gradient in dict(model.gradients).items():
        direction = draw.normal(size=gradient.shape)
        slope = _slope(model, ids, name, direction)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=2e-3, abs=2e-6), name


def _slope(model: Reference, ids: list[int], name: str, direction: NDArray[Any]) -> float:
    """Return how fast the loss rises along a direction, by two nearby losses."""
    own: Any = model.weights[name].copy()
    step = 1e-5
    found = []
    for sign in (1, -1):
        model.weights[name] = own + sign * step * direction
        found.append(model.loss(ids))
    model.weights[name] = own
    return (found[0] - found[1]) / (2 * step)


def test_the_loss_falls_in_a_short_run(outcome: Outcome) -> None:
    assert outcome.last < 0.85 * outcome.first


def test_exporting_the_same_weights_again_gives_the_same_bytes(
    outcome: Outcome, tmp_path: Path
) -> None:
    tokenizer = outcome.weights.parent / "source" / "tokenizer.json"
    assert export(outcome.weights, tokenizer, tmp_path / "again.gguf") == outcome.digest
    assert (tmp_path / "again.gguf").read_bytes() == outcome.model.read_bytes()


def test_the_shipped_file_is_what_its_own_weights_export_to(tmp_path: Path) -> None:
    unpack(MODEL, tmp_path)
    digest = export(tmp_path / "weights.npz", tmp_path / "tokenizer.json", tmp_path / "again.gguf")
    assert digest == hashlib.sha256(MODEL.read_bytes()).hexdigest()


def test_the_engine_computes_the_logits_that_the_weights_give(outcome: Outcome) -> None:
    for one in differences(outcome.weights, outcome.model):
        assert one.largest < TOLERANCE * one.spread, one
        assert one.agreeing > FEWEST_EQUAL, one


def test_the_engine_computes_the_shipped_model_as_numpy_does(tmp_path: Path) -> None:
    unpack(MODEL, tmp_path)
    for one in differences(tmp_path / "weights.npz", MODEL):
        assert one.largest < TOLERANCE * one.spread, one
        assert one.agreeing > FEWEST_EQUAL, one


def test_rows_that_do_not_fill_blocks_are_refused(tmp_path: Path) -> None:
    weights = {name: w[..., :48] for name, w in new_weights(64, 1).items()}
    np.savez(tmp_path / "odd.npz", heads=np.array(HEADS), **weights)  # type: ignore[arg-type]
    unpack(MODEL, tmp_path)
    with pytest.raises(ValueError, match="no multiple of 32"):
        export(tmp_path / "odd.npz", tmp_path / "tokenizer.json", tmp_path / "odd.gguf")


def test_torch_and_numpy_agree_on_logits_and_gradients() -> None:
    torch = pytest.importorskip("torch", reason="the extra `train` is not installed")
    from personas.starter.model import Shape, Starter  # noqa: PLC0415 - needs the extra

    torch.manual_seed(0)
    shape = Shape(vocabulary=96, width=64, layers=2, heads=2, feed_forward=96)
    model = Starter(shape)
    ids = np.random.default_rng(0).integers(0, 96, 30).tolist()
    weights = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    reference = Reference(weights, 2)
    logits = model.logits(torch.tensor([ids[:-1]]))[0]
    torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:])).backward()
    reference.loss(ids)
    assert np.abs(logits.detach().numpy() - reference.logits(ids[:-1])).max() < 1e-4
    for name, parameter in model.named_parameters():
        assert np.abs(parameter.grad.numpy() - reference.gradients[name]).max() < 1e-4, name


def test_training_with_torch_resumes_where_it_stopped(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra `train` is not installed")
    from personas.starter.batches import SHARES  # noqa: PLC0415 - needs the extra

    prepared = tmp_path / "prepared"
    prepared.mkdir()
    encoder = Encoder(lambda text: [5 + byte % 90 for byte in text.encode()], 96)
    for name in ("lesson", *SHARES, "spc-valid", "talk-valid"):
        _store(prepared / f"{name}.npz", encoder)
    command = [sys.executable, "-m", "personas.starter.train", "--prepared", str(prepared)]
    command += ["--width", "64", "--heads", "2", "--layers", "1", "--feed-forward", "64"]
    command += ["--steps", "4", "--every", "2", "--validation", "4", "--eager"]
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    for extra in (["--out", str(whole)], ["--out", str(halves), "--until", "2"]):
        subprocess.run([*command, *extra], cwd=ROOT, check=True, capture_output=True)
    subprocess.run([*command, "--out", str(halves)], cwd=ROOT, check=True, capture_output=True)
    with np.load(whole / "weights.npz") as one, np.load(halves / "weights.npz") as other:
        assert all(np.array_equal(one[name], other[name]) for name in one)


def _store(path: Path, encoder: Encoder) -> None:
    """Write a small prepared set."""
    samples = [encoder.encode(turns, free=False) for turns in _write(9, 40)]
    offsets = np.cumsum([0, *(len(ids) for ids, _ in samples)])
    np.savez(
        path,
        ids=np.array([token for ids, _ in samples for token in ids], np.uint16),
        classes=np.array([mark for _, marks in samples for mark in marks], np.uint8),
        offsets=offsets.astype(np.int64),
    )
