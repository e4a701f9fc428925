"""The self-check of the exact profile: it fails where the profile does not hold, and only there."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from adapters.llama.answers import AnswerBook
from adapters.llama.library import inspect_build, prepare_environment
from bot.inference.selfcheck import Findings, check_profile, settle
from bot.ports.runner import Feed, Logits
from bot.wiring.engine import STARTER
from bot.wiring.engine_process import STARTER_ANSWER
from tests.fakes.gguf_model import write_model
from tests.fakes.model import FakeModel

prepare_environment()  # before the library loads


def _off(logits: Logits) -> Logits:
    """The smallest difference that there can be, in one number."""
    logits[-1, 3] = np.nextafter(logits[-1, 3], np.float32(9e9))
    return logits


class DependsOnBatch(FakeModel):
    def decode(self, feeds: Sequence[Feed]) -> Logits:
        logits = super().decode(feeds)
        if len(feeds) > 1:
            logits[1] = _off(logits[1:2])[0]
        return logits


class DependsOnChunks(FakeModel):
    def decode(self, feeds: Sequence[Feed]) -> Logits:
        logits = super().decode(feeds)
        lone = len(feeds) == 1 and len(feeds[0].tokens) == 1
        return _off(logits) if lone else logits


class MarksCopies(FakeModel):
    """What was copied, or cut, or restored, is never quite what it was."""

    marked = "copy"

    def copy(self, source: int, target: int) -> None:
        super().copy(source, target)
        self._mark(target, "copy")

    def trim(self, sequence: int, length: int) -> None:
        super().trim(sequence, length)
        self._mark(sequence, "trim")

    def restore(self, sequence: int, tokens: int, state: bytes) -> bool:
        taken = super().restore(sequence, tokens, state)
        self._mark(sequence, "restore")
        return taken

    def _mark(self, sequence: int, how: str) -> None:
        held = self.held.get(sequence, ())
        if how == self.marked and held:
            self.held[sequence] = ((held[0] + 1) % 250, *held[1:])


class MarksTrims(MarksCopies):
    marked = "trim"


class MarksRestores(MarksCopies):
    marked = "restore"


def test_model_that_keeps_the_promise_passes_and_is_left_empty() -> None:
    model = FakeModel(sequences=4)

    assert check_profile(model).failed == ()
    assert not any(model.held.values())
    assert model.evaluated < 300
    assert model.evaluations < 40


@pytest.mark.parametrize(
    ("model", "failed"),
    [
        (DependsOnBatch(), {"one by one and in a batch"}),
        (DependsOnChunks(), {"one by one and in a batch"}),
        (MarksCopies(), {"a copied persona", "a cut and moved conversation"}),
        (MarksTrims(), {"a cut and moved conversation", "a saved and restored conversation"}),
        (MarksRestores(), {"a saved and restored conversation"}),
        (FakeModel(refuses_states=True), {"a saved and restored conversation"}),
    ],
    ids=["batch", "chunks", "copies", "trims", "restores", "refused states"],
)
def test_model_that_breaks_it_in_one_number_fails_where_it_does(
    model: FakeModel, failed: set[str]
) -> None:
    found = check_profile(model)

    assert failed <= set(found.failed)
    assert not settle(found, None).exact
    assert all(words in settle(found, None).remark for words in failed)


def test_answer_is_the_same_every_time_and_another_for_another_model() -> None:
    class Another(FakeModel):
        def decode(self, feeds: Sequence[Feed]) -> Logits:
            return super().decode(feeds) * np.float32(1.5)

    assert check_profile(FakeModel()).answer == check_profile(FakeModel(sequences=9)).answer
    assert check_profile(FakeModel()).answer != check_profile(Another()).answer
    assert check_profile(Another()).failed == ()


@pytest.mark.parametrize(
    ("failed", "known", "exact", "words"),
    [
        ((), None, True, "holds"),
        ((), bytes(32), True, "holds"),
        ((), bytes(31) + b"x", False, "on record"),
        (("a copied persona",), bytes(32), False, "a copied persona"),
    ],
)
def test_verdict(failed: tuple[str, ...], known: bytes | None, exact: bool, words: str) -> None:  # noqa: FBT001
    verdict = settle(Findings(failed, bytes(32)), known)

    assert verdict.exact is exact
    assert words in verdict.remark


@pytest.mark.slow
@pytest.mark.parametrize("kv", ["q8_0", "f16"])
def test_f16_cache_of_the_starter_model_is_found_out(
    kv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adapters.llama import loading  # noqa: PLC0415 - loads the library
    from adapters.llama.model import LlamaModel  # noqa: PLC0415

    monkeypatch.setattr(loading, "KV_Q8_0", 8 if kv == "q8_0" else 1)
    model = LlamaModel(STARTER, threads=1, name="starter", portable=True)

    assert bool(check_profile(model).failed) is (kv == "f16")


@pytest.mark.slow
def test_profile_is_confirmed_by_the_check_alone_and_only_for_the_portable_build() -> None:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    for portable in (True, False):
        model = LlamaModel(STARTER, threads=1, name="starter", portable=portable)
        assert not model.info().profile_exact
        model.confirm_profile()
        assert model.info().profile_exact is portable


@pytest.mark.slow
def test_starter_model_answers_what_is_on_record_beside_it() -> None:
    """After the model has changed: `python -m scripts.known_answer`."""
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    model = LlamaModel(STARTER, threads=2, name="starter", portable=True)
    digest = sha256(STARTER.read_bytes()).hexdigest()
    build = inspect_build()
    known = AnswerBook(STARTER_ANSWER, own=None).find(digest, build.library)

    assert known is not None
    if build.portable:
        assert check_profile(model).answer == known


@pytest.mark.slow
def test_another_model_answers_something_else(tmp_path: Path) -> None:
    from adapters.llama.model import LlamaModel  # noqa: PLC0415 - loads the library

    write_model(tmp_path / "other.gguf", width=128, layers=3)
    other = LlamaModel(tmp_path / "other.gguf", threads=2, name="other", portable=True)
    starter = LlamaModel(STARTER, threads=2, name="starter", portable=True)

    assert check_profile(other).failed == ()
    assert check_profile(other).answer != check_profile(starter).answer
