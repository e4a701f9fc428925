"""Twins on different models: each speaks with its own, and says what that one's check has found."""

from dataclasses import replace

import pytest

from bot.crypto.dsse import parse_envelope
from bot.domain.errors import AdmissionError, ConfigurationError
from bot.domain.receipt import parse_receipt
from bot.domain.terms import ModelTerms
from bot.ports.stores import StoredReply
from bot.twins.answer import AnswerFan
from tests.fakes.engine import MemoryEngine
from tests.fakes.model import FakeModel
from tests.fakes.models import MemoryModels
from tests.stage import MIRA, MODEL, Stage, memory_stage, message

OTHER = ModelTerms("other", bytes([7]) * 32, 9)
ZOE = replace(MIRA, slug="zoe", model="other")


@pytest.fixture
def other() -> MemoryEngine:
    return MemoryEngine(model=FakeModel(profile_exact=False))


@pytest.fixture
def stage() -> Stage:
    return memory_stage()


async def _open(stage: Stage, other: MemoryEngine) -> AnswerFan:
    models = MemoryModels(stage.engine, MODEL, [(OTHER, other)])
    await stage.open()
    publisher = stage.publisher
    publisher._models = models
    await publisher.publish(ZOE)
    answer = stage.make_answer()
    answer._models = answer._making._models = answer._deciding._models = models
    return answer


async def _ask(answer: AnswerFan, twin: str) -> StoredReply:
    reply = await answer.answer(replace(message("hello"), twin=twin), lambda _text: None)
    assert isinstance(reply, StoredReply)
    return reply


async def test_each_twin_speaks_with_the_model_of_its_manifest(
    stage: Stage, other: MemoryEngine
) -> None:
    answer = await _open(stage, other)

    mira = await _ask(answer, "mira")
    assert (len(stage.engine.requests), len(other.requests)) == (1, 0)
    zoe = await _ask(answer, "zoe")
    assert (len(stage.engine.requests), len(other.requests)) == (1, 1)

    assert stage.roster.find("zoe").manifest.model == OTHER
    assert _model_of(mira) == (MODEL.gguf, "exact")
    assert _model_of(zoe) == (OTHER.gguf, "tolerant")


def _model_of(reply: StoredReply) -> tuple[bytes, str]:
    receipt = parse_receipt(parse_envelope(reply.envelope).payload)
    return receipt.model.gguf, receipt.model.verdict


async def test_a_twin_whose_model_is_away_answers_nobody(stage: Stage, other: MemoryEngine) -> None:
    await _open(stage, other)
    publisher = stage.publisher

    with pytest.raises(ConfigurationError, match="its model other is not here"):
        await publisher.publish(ZOE)
    await publisher.rest(ZOE)

    with pytest.raises(AdmissionError, match="not on this machine"):
        stage.roster.find("zoe")
    assert stage.roster.find("mira").manifest.model == MODEL


async def test_a_twin_that_never_had_a_version_can_not_rest(stage: Stage) -> None:
    await stage.open()

    await stage.publisher.rest(ZOE)

    assert stage.roster.named("zoe") is None


async def test_a_model_that_goes_away_meanwhile_voids_the_reply_and_frees_its_money(
    stage: Stage, other: MemoryEngine
) -> None:
    answer = await _open(stage, other)
    answer._making._models = MemoryModels(stage.engine, MODEL)

    with pytest.raises(AdmissionError, match="not on this machine"):
        await _ask(answer, "zoe")

    async with stage.store.reading() as tx:
        assert await tx.open_intents() == []
