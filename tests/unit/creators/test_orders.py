"""Pause, resume, revoke: on a word and by signature, in two seconds, on running replies too."""

import asyncio
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.crypto import eip712
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.domain.errors import AdmissionError, BotError, UserError
from bot.domain.leaf import OrderLeaf, parse_leaf, twin_prefix
from bot.domain.order import OrderAction, order_data, parse_order
from bot.domain.statements import Outcome
from bot.ports.chat import IncomingMessage
from bot.ports.creator_store import SpokenPause
from bot.ports.creators import DraftEdit
from tests.fakes.creator_store import MemoryCreatorStore
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import WriteFault
from tests.stage import SURFACE, memory_stage
from tests.unit.creators.house import (
    KEY,
    OTHER_KEY,
    WALLET,
    ZOE,
    House,
    memory_of,
    sign,
    token_of,
)

LIMIT_S = 2.0


async def test_a_spoken_pause_acts_at_once_and_survives_a_restart(house: House) -> None:
    await house.live()

    result = await house.desk.pause(ZOE, "zoe")

    assert result.sentence == "Zoe is paused: it answers nobody until you resume it."
    with pytest.raises(AdmissionError, match="Zoe is paused by its creator"):
        await house.say("m1")
    assert await house.stage.make_inbox().twins() == []
    again = await house.restarted()
    assert (await again.desk.show(ZOE, "zoe")).state == "paused"
    with pytest.raises(AdmissionError, match="paused by its creator"):
        await again.say("m2")
    assert (await again.desk.resume(ZOE, "zoe")).link is None
    assert (await again.say("m3")).seq == 1


async def test_a_pause_cuts_a_running_reply_in_time_and_is_named_in_its_receipt(
    house: House,
) -> None:
    await house.live()
    task = await house.running_reply()
    begun = time.monotonic()

    await house.desk.pause(ZOE, "zoe")
    assert house.stage.engine.pause is not None
    halts = list(house.stage.running._halts.values())

    assert time.monotonic() - begun < LIMIT_S
    assert [halt.asked.is_set() for halt in halts] == [True]
    assert halts[0].by.startswith("pause:2026-11-20T10:00:00Z:")
    house.stage.engine.pause.set()
    reply = await task
    assert (reply.finish, reply.halt) == ("cut", halts[0].by)


class SlowEngine(MemoryEngine):
    """Takes a tenth of a second a token: a reply of 200 would take 20 seconds."""

    async def _wait(self, halt: asyncio.Event, *, crash_now: bool) -> None:
        del halt, crash_now
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("signed", [False, True])
async def test_a_slow_reply_ends_well_within_two_seconds(signed: bool) -> None:  # noqa: FBT001
    house = await House(replace(memory_stage(), engine=SlowEngine())).open()
    await house.live()
    link = None
    if signed:
        link = await house.prepare(await house.desk.revoke(ZOE, "zoe", None))
    house.stage.engine.begun.clear()
    task = asyncio.create_task(house.say("slow"))
    await house.stage.engine.begun.wait()
    await asyncio.sleep(0.3)
    begun = time.monotonic()

    if link is None:
        await house.desk.pause(ZOE, "zoe")
    else:
        await house.signing.submit(link[0], body=link[1].body, signature=sign(link[1]))
    reply = await task

    assert time.monotonic() - begun < LIMIT_S / 2
    assert reply.finish == "cut"
    assert reply.output_tokens
    orders = memory_of(house).tables.orders
    named = orders[0].order_hash.hex() if orders else "pause:2026-11-20T10:00:00Z:"
    assert (reply.halt or "").startswith(named)
    assert (await house.stage.audit()).wrong == []


async def test_a_signed_pause_ends_a_slow_reply_in_time_and_it_is_refunded() -> None:
    house = await House(replace(memory_stage(), engine=SlowEngine())).open()
    await house.live()
    # A pause acts as soon as it is spoken: only the signature is left to end this reply.
    token, prepared = await house.prepare(await house.desk.pause(ZOE, "zoe"))
    await house.creators.end_pause("zoe")
    await house.shelf.follow("zoe")
    house.stage.engine.begun.clear()
    task = asyncio.create_task(house.say("slow"))
    await house.stage.engine.begun.wait()
    await asyncio.sleep(0.3)
    assert not task.done()
    begun = time.monotonic()

    sentence = await house.signing.submit(token, body=prepared.body, signature=sign(prepared))
    reply = await task

    assert time.monotonic() - begun < LIMIT_S
    assert sentence == "Zoe is paused, by your signature."
    (order,) = memory_of(house).tables.orders
    assert parse_order(order.body).action is OrderAction.PAUSE
    assert (reply.finish, reply.halt) == ("cut", order.order_hash.hex())
    assert reply.output_tokens
    await house.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    (after,) = (await house.stage.reader.read_all()).replies
    assert "refunded" in {after.outcome, after.reversal}
    assert (await house.stage.audit()).wrong == []


async def test_whoever_looks_while_it_is_paused_does_not_wake_it(house: House) -> None:
    await house.live()

    await asyncio.gather(
        *(house.shelf.follow("zoe") for _ in range(3)),
        house.desk.pause(ZOE, "zoe"),
        *(house.shelf.follow("zoe") for _ in range(3)),
        house.desk.show(ZOE, "zoe"),
    )

    with pytest.raises(AdmissionError, match="paused"):
        await house.say("m1")


async def test_a_reply_admitted_a_moment_before_the_pause_is_cut_too(house: House) -> None:
    await house.live()
    twin = house.stage.roster.find("zoe")
    await house.desk.pause(ZOE, "zoe")
    house.stage.roster.put(twin)  # as a task sees it that has looked a moment ago

    with pytest.raises(BotError):
        await house.say("m1")

    assert memory_of(house).tables.replies == {}


async def test_a_signed_pause_stands_in_the_log_and_ends_by_a_signature_alone(house: House) -> None:
    await house.live()
    sentence = await house.sign(await house.desk.pause(ZOE, "zoe"))

    (stored,) = memory_of(house).tables.orders
    order = parse_order(stored.body)
    assert sentence == "Zoe is paused, by your signature."
    assert (order.action, order.number, order.manifest) == (OrderAction.PAUSE, 1, None)
    digest = order_data(order, "Zoe").digest()
    assert recover_signer(digest, parse_signature(stored.signature)) == WALLET
    leaf = memory_of(house).tables.leaves[stored.log_index]
    assert parse_leaf(leaf) == OrderLeaf(order.hash, twin_prefix(order.twin))

    said = await house.desk.pause(ZOE, "zoe")
    assert (said.sentence, said.link) == ("Zoe is paused already, by your signature.", None)
    wish = await house.desk.resume(ZOE, "zoe")
    assert "takes one to go on" in wish.sentence
    with pytest.raises(AdmissionError):
        await house.say("m1")
    assert await house.sign(wish) == "Zoe may answer again."
    assert (await house.say("m2")).seq == 1
    assert [parse_order(o.body).number for o in memory_of(house).tables.orders] == [1, 2]


async def test_a_signed_pause_names_its_order_in_what_it_cuts(house: House) -> None:
    await house.live()
    link = await house.desk.pause(ZOE, "zoe")
    await house.desk.resume(ZOE, "zoe")
    link = await house.desk.pause(ZOE, "zoe")
    await house.creators.end_pause("zoe")
    await house.shelf.follow("zoe")
    task = await house.running_reply()

    await house.sign(link)

    (halt,) = house.stage.running._halts.values()
    (stored,) = memory_of(house).tables.orders
    assert halt.by == stored.order_hash.hex()
    assert house.stage.engine.pause is not None
    house.stage.engine.pause.set()
    assert (await task).halt == stored.order_hash.hex()


async def test_a_reply_cut_in_the_middle_is_refunded_and_audits(house: House) -> None:
    await house.live()
    seen: list[str] = []
    message = IncomingMessage(
        twin="zoe", surface=SURFACE, fan="ana", message_id="m1", text="tell me"
    )

    def watch(text: str) -> None:
        seen.append(text)
        house.shelf.halt("zoe", "Zoe is paused by its creator.", by="pause:test:1")

    reply = await house.stage.make_answer().answer(message, watch)

    records = await house.stage.reader.read_all()
    (kept,) = records.replies
    assert seen
    assert reply == kept
    assert (kept.finish, kept.halt) == ("cut", "pause:test:1")
    await house.stage.delivery.record(kept.receipt_id, Outcome.DELIVERED)
    (after,) = (await house.stage.reader.read_all()).replies
    assert "refunded" in {after.outcome, after.reversal}


async def test_resuming_withdraws_the_link_to_sign_the_pause(house: House) -> None:
    await house.live()
    link = await house.desk.pause(ZOE, "zoe")
    token, prepared = await house.prepare(link)
    await house.desk.resume(ZOE, "zoe")

    with pytest.raises(UserError, match="nothing to sign"):
        await house.signing.submit(token, body=prepared.body, signature=sign(prepared))

    assert memory_of(house).tables.orders == []
    assert (await house.desk.resume(ZOE, "zoe")).sentence == "Zoe is not paused."


async def test_a_pause_spoken_after_a_resume_link_outlives_its_signature(house: House) -> None:
    await house.live()
    await house.sign(await house.desk.pause(ZOE, "zoe"))
    wish = await house.desk.resume(ZOE, "zoe")
    await house.creators.end_pause("zoe")
    house.stage.clock.advance(timedelta(seconds=5))
    await house.creators.speak_pause(SpokenPause("zoe", "pause:later", house.stage.clock.now()))

    await house.sign(wish)

    assert (await house.desk.show(ZOE, "zoe")).state == "paused"


async def test_a_revoked_version_rests_until_a_new_one_is_signed(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    await house.publish()

    link = await house.desk.revoke(ZOE, "zoe", 2)
    shown = await house.signing.look(token_of(link))
    sentence = await house.sign(link)

    assert (shown.kind, shown.version, shown.signer) == ("revoke", 2, WALLET)
    assert "no older version comes back" in shown.warnings[0]
    assert sentence == "Version 2 of Zoe is revoked."
    view = await house.desk.show(ZOE, "zoe")
    assert view.state == "needs signature"
    assert [(v.version, v.state) for v in view.versions] == [(2, "revoked"), (1, "replaced")]
    with pytest.raises(AdmissionError, match="until its creator signs a new version"):
        await house.say("m1")
    with pytest.raises(UserError, match="revoked already"):
        await house.desk.revoke(ZOE, "zoe", 2)

    await house.sign(await house.desk.rollback(ZOE, "zoe", 1))
    assert (await house.say("m2")).seq == 1


async def test_an_older_version_can_be_revoked_while_the_newest_answers(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    await house.publish()

    await house.sign(await house.desk.revoke(ZOE, "zoe", 1))

    view = await house.desk.show(ZOE, "zoe")
    assert [(v.version, v.state) for v in view.versions] == [(2, "live"), (1, "revoked")]
    assert (await house.say("m1")).seq == 1


async def test_a_revoked_twin_is_gone_for_good_and_its_name_stays_taken(house: House) -> None:
    await house.live()
    link = await house.desk.revoke(ZOE, "zoe", None)
    assert "final" in (await house.signing.look(token_of(link))).warnings[0]

    sentence = await house.sign(link)

    assert "ended for good" in sentence
    for open_house in (house, await house.restarted()):
        assert (await open_house.desk.show(ZOE, "zoe")).state == "revoked"
        with pytest.raises(AdmissionError, match="answers nobody any more"):
            await open_house.say("m1")
        for call in (open_house.desk.publish, open_house.desk.pause, open_house.desk.resume):
            with pytest.raises(UserError, match="revoked for good"):
                await call(ZOE, "zoe")
        with pytest.raises(UserError, match="taken"):
            await open_house.begin("zoe")


async def test_a_publication_that_was_prepared_before_the_end_is_refused(house: House) -> None:
    await house.live()
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    token, prepared = await house.prepare(await house.desk.publish(ZOE, "zoe"))
    await house.sign(await house.desk.revoke(ZOE, "zoe", None))

    with pytest.raises(UserError, match="ended by its creator"):
        await house.signing.submit(token, body=prepared.body, signature=sign(prepared))

    assert len(memory_of(house).tables.manifests) == 1


async def test_orders_that_cross_are_not_both_taken(house: House) -> None:
    await house.live()
    pause = await house.prepare(await house.desk.pause(ZOE, "zoe"))
    revoke = await house.prepare(await house.desk.revoke(ZOE, "zoe", 1))
    await house.signing.submit(pause[0], body=pause[1].body, signature=sign(pause[1]))

    with pytest.raises(UserError, match="Something else was signed"):
        await house.signing.submit(revoke[0], body=revoke[1].body, signature=sign(revoke[1]))

    _, again = await house.prepare(await house.desk.revoke(ZOE, "zoe", 1))
    assert parse_order(again.body.encode()).number == 2


async def test_only_the_creator_may_order(house: House) -> None:
    await house.live()
    link = await house.desk.revoke(ZOE, "zoe", None)
    with pytest.raises(UserError, match=f"belongs to {WALLET}"):
        await house.prepare(link, key=OTHER_KEY)
    token, prepared = await house.prepare(link)

    with pytest.raises(UserError, match=f"the twin belongs to {WALLET}: connect that wallet"):
        await house.signing.submit(token, body=prepared.body, signature=sign(prepared, OTHER_KEY))
    wrong = order_data(parse_order(prepared.body.encode()), "Zoe").digest(chain_id=1)
    with pytest.raises(UserError, match="signed for chain 1;"):
        await house.signing.submit(
            token,
            body=prepared.body,
            signature=eip712.encode_signature(eip712.sign_digest(KEY, wrong)),
        )

    assert memory_of(house).tables.orders == []


async def test_a_draft_alone_can_be_neither_paused_nor_revoked(house: House) -> None:
    await house.begin()

    for call in (house.desk.pause, house.desk.resume):
        with pytest.raises(UserError, match="not published yet"):
            await call(ZOE, "zoe")
    with pytest.raises(UserError, match="not published yet"):
        await house.desk.revoke(ZOE, "zoe", None)


@pytest.mark.parametrize("fault", [WriteFault.LOST, WriteFault.APPLIED])
async def test_a_pause_that_could_not_be_kept_counts_as_what_is_kept(
    house: House, fault: WriteFault
) -> None:
    await house.live()
    assert isinstance(house.creators, MemoryCreatorStore)
    house.creators.faults[len(house.creators.writes) + 1] = fault

    with pytest.raises(BotError):
        await house.desk.pause(ZOE, "zoe")

    paused = fault is WriteFault.APPLIED
    assert (await house.desk.show(ZOE, "zoe")).state == ("paused" if paused else "live")
    if paused:
        with pytest.raises(AdmissionError):
            await house.say("m1")
    else:
        assert (await house.say("m1")).seq == 1


async def test_a_new_version_of_a_paused_twin_waits_for_its_resume(house: House) -> None:
    await house.live()
    await house.sign(await house.desk.pause(ZOE, "zoe"))
    await house.desk.edit(ZOE, "zoe", DraftEdit(role="a weaver"))
    link = await house.desk.publish(ZOE, "zoe")
    assert "stays silent" in (await house.signing.look(token_of(link))).warnings[-1]

    await house.sign(link)

    with pytest.raises(AdmissionError, match="paused"):
        await house.say("m1")
    await house.sign(await house.desk.resume(ZOE, "zoe"))
    assert house.stage.roster.find("zoe").manifest.version == 2
