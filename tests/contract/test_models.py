"""The contract of a service's models, over the fake and the real ones."""

import pytest

from bot.domain.terms import ModelTerms
from bot.ports.models import ServedModel, ServedModels
from bot.wiring.models import Models
from tests.fakes.engine import MemoryEngine
from tests.fakes.models import MemoryModels

OWN = ModelTerms("own", bytes([1]) * 32, 1)
OTHER = ModelTerms("other", bytes([2]) * 32, 1)


@pytest.fixture(params=["fake", "real"])
def models(request: pytest.FixtureRequest) -> ServedModels:
    own, other = MemoryEngine(), MemoryEngine()
    if request.param == "fake":
        return MemoryModels(own, OWN, [(OTHER, other)])
    return Models(ServedModel(OWN, own), [ServedModel(OTHER, other)])


def test_own_one_is_that_of_whoever_names_none(models: ServedModels) -> None:
    assert models.named("") == models.own
    assert models.own.terms == OWN
    assert models.all()[0] == models.own


def test_each_is_found_by_its_name_and_by_its_hash(models: ServedModels) -> None:
    for served in models.all():
        assert models.named(served.terms.name) == served
        assert models.of(served.terms.gguf) == served
    assert [served.terms for served in models.all()] == [OWN, OTHER]


def test_what_is_not_here_is_none(models: ServedModels) -> None:
    assert models.named("third") is None
    assert models.of(bytes(32)) is None


def test_a_model_of_the_store_that_is_the_own_one_is_there_once() -> None:
    engine = MemoryEngine()
    alias = ModelTerms("alias", OWN.gguf, 1)
    models = Models(ServedModel(OWN, engine), [ServedModel(alias, MemoryEngine())])

    assert [served.terms for served in models.all()] == [OWN]
    assert models.of(OWN.gguf) == models.own
    named = models.named("alias")
    assert named is not None
    assert named.terms == alias
