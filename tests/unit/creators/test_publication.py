"""A draft becomes a signed version that answers fans; and every way in which it must not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.crypto import eip712
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.domain.errors import AdmissionError, EngineOverloadedError, LinkExpiredError, UserError
from bot.domain.leaf import ManifestLeaf, parse_leaf, twin_prefix
from bot.domain.manifest import parse_manifest, signing_data
from bot.domain.terms import ModelTerms
from bot.ports.creators import DraftEdit
from tests.fakes.model import FakeModel
from tests.fakes.models import MemoryModels
from tests.unit.creators.house import (
    EMBEDDED_CHAIN,
    EVE,
    KEY,
    NOBODY,
    OTHER_KEY,
    OTHER_WALLET,
    WALLET,
    ZOE,
    House,
    memory_of,
    sign,
    token_of,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0"
    "000003010100c9fe92ef0000000049454e44ae426082"
)


async def test_a_signed_draft_answers_fans_at_once_and_after_a_restart(house: House) -> None:
    await house.begin()
    with pytest.raises(UserError, match="no twin 'zoe'"):
        await house.say("before")

    sentence = await house.publish()

    assert sentence == "Version 1 of Zoe is signed and in force."
    assert (await house.say("m1")).seq == 1
    again = await house.restarted()
    assert (await again.say("m2")).seq == 2
    assert (await again.desk.show(ZOE, "zoe")).state == "live"


async def test_what_is_kept_is_signed_by_the_wallet_and_stands_in_the_log(house: House) -> None:
    await house.live()

    (stored,) = memory_of(house).tables.manifests
    manifest = parse_manifest(stored.body)
    signer = recover_signer(signing_data(manifest).digest(), parse_signature(stored.signature))
    assert signer == WALLET == manifest.creator
    assert manifest.payout == NOBODY
    assert manifest.derived_twin == manifest.twin
    leaf = memory_of(house).tables.leaves[stored.log_index]
    assert parse_leaf(leaf) == ManifestLeaf(manifest.hash, twin_prefix(manifest.twin))


async def test_the_persona_is_prefilled_before_anybody_signs(house: House) -> None:
    await house.begin()
    await house.desk.publish(ZOE, "zoe")

    prefixes = set(house.stage.engine.states.prefixes)
    await house.publish()

    assert house.stage.roster.find("zoe").prefix in prefixes


async def test_the_next_version_replaces_the_live_one_without_a_restart(house: House) -> None:
    await house.live()
    await house.say("m1")
    await house.desk.edit(ZOE, "zoe", DraftEdit(facts=("I fire at night.",)))
    await house.desk.set_price(ZOE, "zoe", "0.005")

    link = await house.desk.publish(ZOE, "zoe")
    shown = await house.signing.look(token_of(link))
    await house.sign(link)

    assert shown.version == 2
    assert "+ - I fire at night." in shown.changes
    assert "- Price: 0.002 tUSD per reply, 100 a day free" in shown.changes
    reply = await house.say("m2")
    assert reply.price_nano == 5_000_000
    view = await house.desk.show(ZOE, "zoe")
    assert [(one.version, one.state) for one in view.versions] == [(2, "live"), (1, "replaced")]
    assert view.changes == ()
    newest, oldest = (parse_manifest(m.body) for m in reversed(memory_of(house).tables.manifests))
    assert newest.previous == oldest.hash


async def test_an_unchanged_draft_is_not_signed_twice(house: House) -> None:
    await house.live()

    with pytest.raises(UserError, match="version 1 of Zoe says already"):
        await house.desk.publish(ZOE, "zoe")

    house.stage.clock.advance(timedelta(days=336))
    assert await house.publish() == "Version 2 of Zoe is signed and in force."


async def test_the_first_signature_binds_the_twin_to_its_address(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    link = await house.desk.publish(ZOE, "zoe")

    assert (await house.signing.look(token_of(link))).signer == WALLET
    with pytest.raises(UserError, match=f"belongs to {WALLET}.*not {OTHER_WALLET}"):
        await house.prepare(link, key=OTHER_KEY)


async def test_of_two_prepared_addresses_only_one_gets_the_twin(house: House) -> None:
    await house.begin()
    link = await house.desk.publish(ZOE, "zoe")
    token, mine = await house.prepare(link)
    _, other = await house.prepare(link, key=OTHER_KEY)
    await house.signing.submit(token, body=mine.body, signature=sign(mine))

    with pytest.raises(UserError, match="used before"):
        await house.signing.submit(token, body=other.body, signature=sign(other, OTHER_KEY))

    assert len(memory_of(house).tables.manifests) == 1


async def test_preparing_again_gives_the_same_bytes(house: House) -> None:
    await house.begin()
    link = await house.desk.publish(ZOE, "zoe")
    _, first = await house.prepare(link)
    house.stage.clock.advance(timedelta(minutes=3))
    token = token_of(link)

    again = await house.signing.prepare(token, signer=WALLET.lower(), payout=NOBODY)

    assert again == first


async def test_addresses_can_be_tried_only_so_often(house: House) -> None:
    await house.begin()
    link = await house.desk.publish(ZOE, "zoe")
    for number in range(32):
        await house.prepare(link, payout=f"0x{number + 1:040x}")

    with pytest.raises(UserError, match="Too many addresses"):
        await house.prepare(link, payout=OTHER_WALLET)


@pytest.mark.parametrize("v", ["00", "01", "1b", "1c"])
async def test_every_spelling_of_a_good_signature_is_taken(house: House, v: str) -> None:
    await house.begin()
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))
    signature = sign(prepared)
    parity = int(signature[-2:], 16) - 27
    if int(v, 16) % 27 != parity:
        v = {"00": "01", "01": "00", "1b": "1c", "1c": "1b"}[v]

    spelled = f" 0X{signature[2:-2].upper()}{v.upper()} "
    await house.signing.submit(token, body=prepared.body, signature=spelled)

    (stored,) = memory_of(house).tables.manifests
    assert stored.signature == signature


async def _prepared(house: House) -> tuple[str, str, str]:
    await house.begin()
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))
    return token, prepared.body, sign(prepared)


@pytest.mark.parametrize(
    "signature",
    ["", "0x", "nonsense", "0x" + "1" * 129, "0x" + "g" * 130, "1" * 130, "0x" + "1" * 132],
)
async def test_a_malformed_signature_has_its_own_sentence(house: House, signature: str) -> None:
    token, body, _ = await _prepared(house)

    with pytest.raises(UserError, match="not a signature"):
        await house.signing.submit(token, body=body, signature=signature)

    assert memory_of(house).tables.manifests == []


async def test_a_wild_v_is_malformed(house: House) -> None:
    token, body, signature = await _prepared(house)

    with pytest.raises(UserError, match="not a signature"):
        await house.signing.submit(token, body=body, signature=signature[:-2] + "25")


async def test_a_high_s_is_refused(house: House) -> None:
    token, body, signature = await _prepared(house)
    s, v = int(signature[66:130], 16), int(signature[130:], 16)
    high = f"{signature[:66]}{ORDER - s:064x}{55 - v:02x}"

    with pytest.raises(UserError, match="its s is high"):
        await house.signing.submit(token, body=body, signature=high)


async def test_a_signature_of_no_key_is_refused(house: House) -> None:
    token, body, _ = await _prepared(house)

    with pytest.raises(UserError, match="of no key at all"):
        await house.signing.submit(token, body=body, signature="0x" + "00" * 64 + "1b")


async def test_another_key_is_named(house: House) -> None:
    token, body, _ = await _prepared(house)
    digest = signing_data(parse_manifest(body.encode())).digest()
    foreign = eip712.encode_signature(eip712.sign_digest(OTHER_KEY, digest))

    with pytest.raises(UserError, match=f"signed by {OTHER_WALLET}, but .* for {WALLET}"):
        await house.signing.submit(token, body=body, signature=foreign)


@pytest.mark.parametrize("chain", [1, 5, 137, 8453, EMBEDDED_CHAIN])
async def test_a_wrong_chain_id_is_named(house: House, chain: int) -> None:
    token, body, signature = await _prepared(house)
    data = signing_data(parse_manifest(body.encode()))
    wrong = eip712.sign_digest(KEY, data.digest(chain_id=chain))

    with pytest.raises(UserError, match=f"signed for chain {chain};.*without a chain id"):
        await house.signing.submit(token, body=body, signature=eip712.encode_signature(wrong))

    assert await house.signing.submit(token, body=body, signature=signature)


async def test_another_body_is_refused(house: House) -> None:
    token, body, _ = await _prepared(house)
    changed = body.replace('"nano":2000000', '"nano":9000000')
    assert changed != body
    digest = signing_data(parse_manifest(changed.encode())).digest()
    signature = eip712.encode_signature(eip712.sign_digest(KEY, digest))

    for foreign in (changed, "", "{}", body + " ", "\ud800"):
        with pytest.raises(UserError, match="not what this page has shown"):
            await house.signing.submit(token, body=foreign, signature=signature)

    assert memory_of(house).tables.manifests == []


async def test_a_body_of_another_link_is_refused(house: House) -> None:
    token, _, _ = await _prepared(house)
    await house.begin("yves")
    _, other = await house.prepare(await house.desk.publish(ZOE, "yves"))

    with pytest.raises(UserError, match="not what this page has shown"):
        await house.signing.submit(token, body=other.body, signature=sign(other))


async def test_a_replay_says_the_same_and_does_nothing(house: House) -> None:
    token, body, signature = await _prepared(house)
    first = await house.signing.submit(token, body=body, signature=signature)
    leaves = len(memory_of(house).tables.leaves)

    house.stage.clock.advance(timedelta(days=1))
    again = await house.signing.submit(token, body=body, signature=signature)

    assert again == first == (await house.signing.look(token)).done
    assert len(memory_of(house).tables.leaves) == leaves
    with pytest.raises(UserError, match="nothing left to sign"):
        await house.signing.prepare(token, signer=WALLET, payout="")


async def test_an_expired_link_changes_nothing(house: House) -> None:
    token, body, signature = await _prepared(house)
    house.stage.clock.advance(timedelta(minutes=30, seconds=1))

    with pytest.raises(LinkExpiredError):
        await house.signing.look(token)
    with pytest.raises(LinkExpiredError):
        await house.signing.prepare(token, signer=WALLET, payout="")
    with pytest.raises(LinkExpiredError):
        await house.signing.submit(token, body=body, signature=signature)

    assert memory_of(house).tables.manifests == []


async def test_a_newer_link_replaces_the_older(house: House) -> None:
    token, body, signature = await _prepared(house)
    await house.desk.publish(ZOE, "zoe")

    with pytest.raises(UserError, match="newer one has replaced it"):
        await house.signing.submit(token, body=body, signature=signature)


@pytest.mark.parametrize("token", ["", "x", "ü" * 43, "A" * 43, "\ud800"])
async def test_a_guessed_token_opens_nothing(house: House, token: str) -> None:
    with pytest.raises(UserError, match="no such signing link"):
        await house.signing.look(token)


async def test_a_token_is_kept_as_its_hash_alone(house: House) -> None:
    await house.begin()
    token = token_of(await house.desk.publish(ZOE, "zoe"))

    assert len(token) == 43
    assert token not in repr(house.creators)


@pytest.mark.parametrize(
    ("signer", "payout", "words"),
    [
        ("0x12", "", "signing address '0x12' is no address"),
        (WALLET[:-1] + ("A" if WALLET[-1] != "A" else "B"), "", "a letter is wrong; copy it again"),
        (NOBODY, "", "nobody's"),
        (WALLET, "zoe.eth", "payout 'zoe.eth' is no address"),
    ],
)
async def test_a_wrong_address_has_its_sentence(
    house: House, signer: str, payout: str, words: str
) -> None:
    await house.begin()
    token = token_of(await house.desk.publish(ZOE, "zoe"))

    with pytest.raises(UserError, match=words):
        await house.signing.prepare(token, signer=signer, payout=payout)


async def test_a_persona_too_long_for_the_model_is_refused_before_signing(house: House) -> None:
    house.stage.engine.model = FakeModel(context_tokens=300)
    await house.begin()
    await house.desk.edit(ZOE, "zoe", DraftEdit(facts=("long " * 100,)))

    with pytest.raises(UserError, match="too long for the model"):
        await house.desk.publish(ZOE, "zoe")


async def test_a_busy_engine_is_said_before_signing_and_leaves_the_link_open(house: House) -> None:
    await house.begin()
    house.stage.engine.max_queued = 0

    with pytest.raises(EngineOverloadedError):
        await house.desk.publish(ZOE, "zoe")

    house.stage.engine.max_queued = 8
    token, body, signature = token_of(link := await house.desk.publish(ZOE, "zoe")), "", ""
    _, prepared = await house.prepare(link)
    house.stage.engine.max_queued = 0
    body, signature = prepared.body, sign(prepared)
    with pytest.raises(EngineOverloadedError):
        await house.signing.submit(token, body=body, signature=signature)
    assert memory_of(house).tables.manifests == []
    house.stage.engine.max_queued = 8
    assert await house.signing.submit(token, body=body, signature=signature)


async def test_other_terms_of_the_operator_need_a_new_signature(house: House) -> None:
    await house.live()
    stage = house.stage.restarted()
    other = ModelTerms("other", bytes(32), 2)
    changed = House(stage, house.creators)
    changed.shelf._terms = replace(stage.publisher._terms, model=other)
    changed.shelf._models = MemoryModels(stage.engine, other)
    await changed.open()

    assert (await changed.desk.show(ZOE, "zoe")).state == "needs signature"
    with pytest.raises(AdmissionError, match="Zoe is resting until its creator signs"):
        await changed.say("m1")


async def test_an_expired_version_rests_and_says_so(house: House) -> None:
    await house.live()
    house.stage.clock.advance(timedelta(days=366))

    assert (await house.desk.show(ZOE, "zoe")).state == "expired"
    with pytest.raises(AdmissionError, match="signature has expired"):
        await house.say("m1")
    with pytest.raises(AdmissionError, match="signature has expired"):
        await (await house.restarted()).say("m2")


async def test_rollback_signs_an_older_text_as_the_next_version(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    await house.publish()

    await house.sign(await house.desk.rollback(ZOE, "zoe", 1))

    view = await house.desk.show(ZOE, "zoe")
    assert view.draft.role == "a potter from Lisbon"
    assert [one.version for one in view.versions] == [3, 2, 1]
    assert house.stage.roster.find("zoe").persona.role == "a potter from Lisbon"
    with pytest.raises(UserError, match="no version 9"):
        await house.desk.rollback(ZOE, "zoe", 9)


async def test_rollback_to_what_is_live_changes_nothing(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))

    with pytest.raises(UserError, match="says already"):
        await house.desk.rollback(ZOE, "zoe", 1)

    assert (await house.desk.show(ZOE, "zoe")).draft.role == "a weaver"


async def test_the_picture_goes_live_with_its_version(house: House) -> None:
    await house.begin()
    await house.desk.set_avatar(ZOE, "zoe", PNG)
    await house.publish()
    (card,) = await house.stage.make_inbox().twins()

    await house.desk.set_avatar(ZOE, "zoe", b"")
    (same,) = await house.stage.make_inbox().twins()

    assert card.avatar == PNG == same.avatar
    assert (card.version, card.creator) == (1, WALLET)
    again = await house.restarted()
    assert again.stage.roster.find("zoe").avatar == PNG
    assert any(
        line.startswith("- Picture:") for line in (await again.desk.show(ZOE, "zoe")).changes
    )


async def test_strangers_learn_nothing_of_a_twin(house: House) -> None:
    await house.live()

    with pytest.raises(UserError) as known:
        await house.desk.show(EVE, "zoe")
    with pytest.raises(UserError) as unknown:
        await house.desk.show(EVE, "nothing")

    assert str(known.value) == str(unknown.value)
    for call in (house.desk.publish, house.desk.pause, house.desk.resume, house.desk.export_card):
        with pytest.raises(UserError, match="You have no twin of that name"):
            await call(EVE, "zoe")
