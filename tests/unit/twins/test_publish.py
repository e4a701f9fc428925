"""Publishing: a persona becomes a signed manifest once, and again only when its terms change."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.crypto.eip712 import parse_signature, recover_signer
from bot.domain.errors import (
    AdmissionError,
    ConfigurationError,
    StoreBusyError,
    UnknownTwinError,
)
from bot.domain.leaf import ManifestLeaf, parse_leaf, twin_prefix
from bot.domain.manifest import parse_manifest, signing_data
from bot.domain.persona import Persona
from bot.ports.personas import PersonaFile
from bot.ports.stores import StoredManifest
from bot.twins.publish import RENEW_BEFORE, VALIDITY
from tests.fakes.engine import MemoryEngine
from tests.fakes.model import FakeModel
from tests.stage import MIRA, THEO, Stage


async def _stored(stage: Stage) -> list[StoredManifest]:
    return list((await stage.reader.read_all()).manifests)


async def test_manifest_is_signed_by_its_creator_and_logged(stage: Stage) -> None:
    twin = await stage.open()

    (stored,) = await _stored(stage)
    manifest = parse_manifest(stored.body)
    records = await stage.reader.read_all()
    signer = recover_signer(signing_data(manifest).digest(), parse_signature(stored.signature))
    assert signer == manifest.creator
    assert manifest == twin.manifest
    assert (manifest.version, manifest.previous) == (1, None)
    assert parse_leaf(records.leaves[stored.log_index]) == ManifestLeaf(
        manifest.hash, twin_prefix(manifest.twin)
    )


async def test_unchanged_persona_keeps_its_manifest(stage: Stage) -> None:
    first = await stage.open()
    stage.clock.advance(timedelta(days=100))

    again = await stage.publisher.publish(MIRA)

    assert again == first
    assert len(await _stored(stage)) == 1


@pytest.mark.parametrize(
    "changed",
    [
        replace(MIRA, price_nano=1),
        replace(MIRA, temperature="0.3"),
        replace(MIRA, persona=Persona(name="Mira", role="a cook", facts=("I bake.",))),
        replace(MIRA, max_tokens=17),
    ],
    ids=["price", "sampler", "persona", "length"],
)
async def test_changed_terms_are_signed_as_the_next_version(
    stage: Stage, changed: PersonaFile
) -> None:
    first = await stage.open()

    second = await stage.publisher.publish(changed)

    assert (second.manifest.version, second.manifest.previous) == (2, first.manifest_hash)
    assert second.manifest.twin == first.manifest.twin
    assert stage.roster.find("mira") == second
    assert len(await _stored(stage)) == 2


@pytest.mark.parametrize(("days_left", "versions"), [(31, 1), (30, 2), (-1, 2)])
async def test_manifest_is_renewed_before_it_expires(
    stage: Stage, days_left: int, versions: int
) -> None:
    assert timedelta(days=30) == RENEW_BEFORE
    await stage.open()
    stage.clock.advance(VALIDITY - timedelta(days=days_left))

    twin = await stage.publisher.publish(MIRA)

    assert twin.manifest.version == versions


async def test_two_twins_have_ids_and_prefixes_of_their_own(stage: Stage) -> None:
    await stage.open((MIRA, THEO))

    mira, theo = stage.roster.find("mira"), stage.roster.find("theo")
    assert mira.manifest.twin != theo.manifest.twin
    assert stage.engine.states.prefixes.keys() == {mira.prefix, theo.prefix}
    assert [twin.manifest.slug for twin in stage.roster.all()] == ["mira", "theo"]
    assert stage.roster.by_id(theo.manifest.twin) == theo
    assert stage.roster.by_id(bytes(32)) is None


async def test_a_twin_at_rest_answers_nobody_with_its_reason_and_wakes_up(stage: Stage) -> None:
    mira = await stage.open((MIRA, THEO))

    stage.roster.rest(mira, "Mira is paused by its creator.")

    with pytest.raises(AdmissionError, match="Mira is paused by its creator"):
        stage.roster.find("mira")
    with pytest.raises(UnknownTwinError, match=r"no twin 'nobody' here\. Live twins: theo"):
        stage.roster.find("nobody")
    assert stage.roster.by_id(mira.manifest.twin) is None
    assert stage.roster.known(mira.manifest.twin) == mira == stage.roster.named("mira")
    assert [twin.manifest.slug for twin in stage.roster.all()] == ["theo"]
    assert mira.manifest.creator in stage.roster.creators()
    stage.roster.put(mira)
    assert stage.roster.find("mira") == stage.roster.by_id(mira.manifest.twin) == mira


async def test_open_intents_of_a_twin_at_rest_are_void(stage: Stage) -> None:
    mira = await stage.open()
    stage.engine.errors.append(StoreBusyError("killed here"))
    with pytest.raises(StoreBusyError):
        await stage.say()
    stage.roster.rest(mira, "Mira is paused by its creator.")

    assert await stage.recovery.run() == 0

    (intent,) = (await stage.reader.read_all()).intents
    assert intent.state == "void"


async def test_replies_use_the_prepared_prefix(stage: Stage) -> None:
    mira = await stage.open()
    before = stage.engine.evaluated

    reply = await stage.say()

    context = (await stage.reader.read_all()).intents[0].context
    fresh = len(context) - len(mira.prefix) + len(reply.output_tokens)
    assert stage.engine.evaluated - before <= fresh


async def test_persona_too_long_for_the_model_is_refused(stage: Stage) -> None:
    stage.engine = MemoryEngine(model=FakeModel(context_tokens=80))

    with pytest.raises(ConfigurationError, match="mira is too long"):
        await stage.open()


async def test_reply_cites_the_manifest_that_was_in_force(stage: Stage) -> None:
    await stage.open()
    first = await stage.say(number="m1")
    twin = await stage.publisher.publish(replace(MIRA, price_nano=7))
    second = await stage.say(number="m2")

    assert (first.price_nano, second.price_nano) == (MIRA.price_nano, 7)
    assert (second.seq, second.turn) == (2, 2)
    intents = {i.key: i.manifest for i in (await stage.reader.read_all()).intents}
    assert intents[second.intent] == twin.manifest_hash != intents[first.intent]
