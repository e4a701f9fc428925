"""What is given out of the log: right at every size, nothing unsigned, nothing of a person."""

import asyncio
import json

import pytest

from bot.crypto import merkle
from bot.crypto.dsse import parse_envelope
from bot.crypto.encoding import parse_b64
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import open_note
from bot.crypto.tiles import Tile, parse_bundle, parse_hashes, width_at
from bot.domain.ids import receipt_tag_of
from bot.domain.statements import Outcome, OutcomeStatement
from bot.domain.witnesses import WitnessPolicy
from bot.ports.transparency import StoredCosignature
from bot.receipts.log import append_leaf
from bot.transparency.growth import parse_head
from bot.transparency.published import PublishedLog
from tests.credit_rig import open_rig
from tests.log_rig import LogRig
from tests.stage import LOG, SURFACE
from tests.unit.transparency.test_cosigning import _witness as make_witness

LEAVES = [b"leaf %d" % number for number in range(700)]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, 700])
async def test_tiles_of_every_level_are_those_of_the_tree(rig: LogRig, size: int) -> None:
    await rig.append(LEAVES[:size])
    await rig.sign()
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES[:size]]

    for index in range((size + 255) // 256):
        tile = Tile(0, index, width_at(0, index, size))
        span = slice(tile.start, tile.start + tile.width)
        data, entries = await rig.public.tile(tile), await rig.public.entries(tile)
        assert data is not None
        assert entries is not None
        assert parse_hashes(data, tile.width) == hashes[span]
        assert parse_bundle(entries, tile.width) == LEAVES[span]
    above = width_at(1, 0, size)
    if above:
        data = await rig.public.tile(Tile(1, 0, above))
        roots = [merkle.root_of(hashes[256 * n : 256 * (n + 1)]) for n in range(above)]
        assert data == b"".join(roots)


async def test_nothing_is_given_out_that_no_signed_head_covers(rig: LogRig) -> None:
    await rig.append(LEAVES[:10])
    await rig.sign()
    await rig.append(LEAVES[10:300])

    asked = [Tile(0, 0, 10), Tile(0, 0, 11), Tile(0, 0), Tile(0, 1, 1), Tile(1, 0, 1), Tile(63, 0)]
    given = [await rig.public.entries(tile) is not None for tile in asked[:4]]
    hashes = [await rig.public.tile(tile) is not None for tile in asked]

    assert given == [True, False, False, False]
    assert hashes == [True, False, False, False, False, False]
    await rig.sign()
    assert await rig.public.entries(Tile(0, 0)) is not None


async def test_full_tiles_are_read_once(rig: LogRig) -> None:
    await rig.append(LEAVES[:300])
    await rig.sign()
    first = await rig.public.entries(Tile(0, 0))
    await rig.database.close()  # what was read stays in memory
    assert isinstance(rig.public, PublishedLog)
    rig.public._reader = None  # type: ignore[assignment]

    assert await rig.public.entries(Tile(0, 0)) == first


async def test_the_memory_of_tiles_is_bounded(rig: LogRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.transparency.published.MAX_KEPT_BYTES", 20_000)
    await rig.append(LEAVES)
    await rig.sign()
    for _ in range(2):
        for tile in (Tile(0, 0), Tile(0, 1)):
            await rig.public.entries(tile)
            await rig.public.tile(tile)

    assert isinstance(rig.public, PublishedLog)
    kept = rig.public._kept
    assert len(kept) >= 2
    assert sum(map(len, kept.values())) == rig.public._kept_bytes <= 20_000


async def test_the_newest_head_with_enough_witnesses_is_shown(rig: LogRig) -> None:
    witness = make_witness()
    public = PublishedLog(reader=rig.reader, log=LOG, policy=WitnessPolicy(1, (witness.key,)))
    sizes = []
    for number in range(4):
        await rig.append([b"%d" % number])
        await rig.sign()
        if number in {1, 3}:
            await rig.asking(witness).offer(witness)
        note = await public.checkpoint()
        assert note is not None
        sizes.append((parse_head(note, LOG).size, len(open_note(note, LOG).others)))

    assert sizes == [(1, 0), (2, 1), (2, 1), (4, 1)]


async def test_a_head_that_was_shown_is_followed_by_no_smaller_one(rig: LogRig) -> None:
    witness = make_witness()
    public = PublishedLog(reader=rig.reader, log=LOG, policy=WitnessPolicy(1, (witness.key,)))
    await rig.append([b"1"])
    first = await rig.sign()
    await rig.append([b"2"])
    await rig.sign()
    before = await public.checkpoint()
    line = await witness.ask(b"old 0\n\n" + first.note.encode())
    await rig.cosignatures.add(StoredCosignature(witness.key.public_key, 1, 5, line.body.decode()))

    after = await public.checkpoint()

    assert before is not None
    assert after is not None
    assert [parse_head(note, LOG).size for note in (before, after)] == [2, 2]


async def test_manifests_are_published_as_signed_and_by_hash(rig: LogRig) -> None:
    live = await rig.stage.open()
    await rig.sign()

    bundle = await rig.public.bodies(Tile(0, 0, 1))
    one = await rig.public.body(live.manifest_hash)

    assert bundle is not None
    assert one is not None
    assert parse_bundle(bundle, 1, prefix_bytes=4) == [one]
    assert sha256(parse_b64(json.loads(one)["body"])) == live.manifest_hash
    assert await rig.public.body(bytes(32)) is None


async def test_statements_of_outcomes_and_voids_are_published_whole(rig: LogRig) -> None:
    await rig.stage.open()
    reply = await rig.stage.say()
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    await rig.sign()

    bundle = await rig.public.bodies(Tile(0, 0, 3))

    assert bundle is not None
    manifest, receipt, outcome = parse_bundle(bundle, 3, prefix_bytes=4)
    assert manifest
    assert receipt == b""
    statement = OutcomeStatement.parse(parse_envelope(outcome).payload)
    assert statement == OutcomeStatement(receipt_tag_of(reply.receipt_hash), Outcome.DELIVERED)


async def test_every_outcome_of_a_reply_is_published(rig: LogRig) -> None:
    credit = await open_rig(rig.stage)
    await credit.buy()
    reply = await credit.say()
    await rig.stage.withdrawal.withdraw(SURFACE, f"m{credit.asked}")
    await credit.door.refund("terminal", "charge")
    await rig.sign()
    size = reply.log_index + 4

    bundle = await rig.public.bodies(Tile(0, 0, size))

    assert bundle is not None
    said = parse_bundle(bundle, size, prefix_bytes=4)[-3:]
    statements = [OutcomeStatement.parse(parse_envelope(one).payload) for one in said]
    assert [one.outcome for one in statements] == [
        Outcome.DELIVERED,
        Outcome.WITHDRAWN,
        Outcome.REFUNDED,
    ]


async def test_nothing_that_is_served_names_a_person_or_a_message(rig: LogRig) -> None:
    await rig.stage.open()
    words = ("the fan's very own words", "fan-7781", "message-4242")
    reply = await rig.stage.say(words[0], fan=words[1], number=words[2])
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    head = await rig.sign()
    tile = Tile(0, 0, head.size)

    served = [await rig.public.tile(tile), await rig.public.entries(tile)]
    served += [await rig.public.bodies(tile), (await rig.public.checkpoint() or "").encode()]

    private = [word.encode() for word in words] + [reply.text.encode(), reply.opening_key]
    private += [reply.conversation, reply.envelope, reply.sealed]
    for data in served:
        assert data is not None
        assert not any(value in data for value in private)
        assert not any(word in data for word in (b"token", b'fan"'))


async def test_reading_the_log_waits_for_no_writer(rig: LogRig) -> None:
    await rig.append(LEAVES)
    await rig.sign()
    async with rig.stage.store.transaction() as tx, asyncio.timeout(5):
        await append_leaf(tx, b"under way")

        assert await rig.public.entries(Tile(0, 0)) is not None
        assert await rig.public.checkpoint() is not None
        assert await rig.public.entries(Tile(0, 2, 189)) is None


async def test_a_proof_stands_under_the_newest_witnessed_head_that_covers_its_leaf(
    rig: LogRig,
) -> None:
    witness = make_witness()
    public = PublishedLog(reader=rig.reader, log=LOG, policy=WitnessPolicy(1, (witness.key,)))
    for number in range(4):
        await rig.append([b"%d" % number])
        await rig.sign()
        if number in {0, 2}:
            await rig.asking(witness).offer(witness)
    await rig.append([b"not signed yet"])

    notes = [await public.head_for(index) for index in (0, 2, 3, 4)]

    assert notes[3] is None
    found = [(parse_head(note, LOG).size, len(open_note(note, LOG).others)) for note in notes[:3]]  # type: ignore[arg-type]
    assert found == [(3, 1), (3, 1), (4, 0)]


async def test_a_proof_has_no_more_lines_than_the_format_allows(rig: LogRig) -> None:
    await rig.append([b"leaf"])
    head = await rig.sign()
    for number in range(20):
        line = f"— w{number}.example {'A' * 100}\n"
        await rig.cosignatures.add(StoredCosignature(sha256(b"%d" % number), 1, 5, line))

    note = await rig.public.head_for(0)

    assert note is not None
    assert note.startswith(head.note)
    assert note.count("\n— ") == 16
