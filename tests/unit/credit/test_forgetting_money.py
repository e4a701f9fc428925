"""A forgetting that is late: it takes what was there when it was asked for, and nothing later."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.crypto.hashing import sha256
from bot.domain.errors import TransientError
from bot.domain.ledger import fan_account
from bot.domain.statements import Outcome
from bot.ports.credit import DisputeState
from bot.ports.erasures import Tombstone
from bot.ports.inference import ReplayOutcome, ReplayRequest
from bot.ports.stores import StoredReply
from tests.credit_rig import ANA, STAR_NANO, CreditRig, open_rig
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.fans_rig import FansRig, memory_rig, sqlite_rig
from tests.stage import PRICE, SURFACE, Stage, message


class _Other(MemoryEngine):
    """Replays everything with another seed."""

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        other = replace(request.request, seed=bytes(32))
        return await super().replay(replace(request, request=other))


@pytest.fixture(params=["memory", "sqlite"])
async def fans(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FansRig]:
    if request.param == "memory":
        yield memory_rig(tmp_path)
        return
    async with sqlite_rig(tmp_path) as rig:
        yield rig


async def _elsewhere(rig: CreditRig) -> StoredReply:
    """Let the fan say something in another chat, and have it delivered."""
    said = replace(message("hi", number="zz"), surface=replace(SURFACE, chat="other"))
    reply = await rig.stage.reply_to(said)
    await rig.stage.delivery.record(reply.receipt_id, Outcome.DELIVERED)
    return reply


async def _unfinished(fans: FansRig, rig: CreditRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fan ask to be forgotten while they are being answered, for too long."""
    monkeypatch.setattr("bot.twins.fans_data.ROUNDS", 1)
    monkeypatch.setattr("bot.twins.fans_data.LOOK_AGAIN_S", 0)
    stage = rig.stage
    with (
        stage.running.running((await stage.reader.read_all()).intents[0]),
        pytest.raises(TransientError),
    ):
        await fans.fans.forget("terminal", "ana")
    stage.clock.advance(timedelta(hours=5))


async def _upheld(rig: CreditRig, reply: StoredReply) -> str:
    """Dispute a reply that does not come out again; return what the fan is told."""
    rig.stage.engine = _Other()
    await rig.door.dispute(reply.receipt_id, ANA, "x")
    assert await rig.disputes.run() == 1
    (seen,) = [one for one in await rig.door.disputes(ANA) if one.receipt_id == reply.receipt_id]
    assert seen.state is DisputeState.UPHELD
    return seen.sentence


async def test_credit_bought_after_an_unfinished_forgetting_stays(
    fans: FansRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_rig(fans.stage)
    await rig.buy(stars=8)
    old = await rig.say()
    await _unfinished(fans, rig, monkeypatch)
    await rig.buy(charge="new", stars=50)
    new = await _elsewhere(rig)
    before = (await rig.door.view(ANA)).paid_nano

    assert await fans.fans.replay() == 1

    async with rig.stage.store.reading() as tx:
        erased = [await tx.reply_of(one.intent) for one in (old, new)]
    assert [one.erased for one in erased if one] == [True, False]
    assert (await rig.door.view(ANA)).paid_nano == before == 58 * STAR_NANO - 2 * PRICE
    assert "given back to your credit" in await _upheld(rig, new)
    assert (await rig.door.view(ANA)).paid_nano == before + PRICE
    assert (await rig.stage.audit()).wrong == []


async def test_asked_once_more_the_account_goes(
    fans: FansRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_rig(fans.stage)
    await rig.buy(stars=8)
    await rig.say()
    await _unfinished(fans, rig, monkeypatch)
    await rig.buy(charge="new", stars=50)
    await fans.fans.replay()
    assert await fans.records.knows(ANA)

    await fans.fans.forget("terminal", "ana")

    assert (await rig.door.view(ANA)).paid_nano == 0
    assert not await fans.records.knows(ANA)


async def test_unfinished_forgetting_of_who_bought_nothing_since_takes_the_account(
    fans: FansRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = await open_rig(fans.stage)
    await rig.buy(stars=8)
    await rig.say()
    await _unfinished(fans, rig, monkeypatch)

    await fans.fans.replay()

    assert not await fans.records.knows(ANA)
    assert (await rig.stage.audit()).wrong == []


async def test_reply_that_overtakes_a_forgetting_stays_disputable(fans: FansRig) -> None:
    rig = await open_rig(fans.stage)
    await rig.buy(stars=8)
    await rig.say()
    asked_at = rig.stage.clock.now()
    rig.stage.clock.advance(timedelta(seconds=1))
    kept = await _elsewhere(rig)
    account = await rig.account()

    assert await fans.records.erase(ANA, Tombstone(sha256(b"ana"), asked_at)) is not None

    assert await rig.account() == account
    await _upheld(rig, kept)
    assert await rig.stage.balance(fan_account(account)) == 8 * STAR_NANO - PRICE
    assert (await rig.stage.audit()).wrong == []


async def test_dispute_gives_to_the_account_that_the_fan_has() -> None:
    """However it comes about that another account has paid: nobody can use that one any more."""
    store = MemoryStore()
    rig = await open_rig(Stage(store=store, reader=store))
    await rig.buy(stars=8)
    reply = await rig.say()
    old = await rig.account()
    store.tables.credit.accounts.clear()

    assert "0.002000001 tUSD were given back to your credit" in await _upheld(rig, reply)

    assert await rig.account() != old
    assert (await rig.door.view(ANA)).paid_nano == PRICE
    assert (await rig.stage.audit()).wrong == []


@pytest.mark.parametrize("unit", ["priced", "waiting"])
async def test_erasing_leaves_an_account_with_a_later_purchase(fans: FansRig, unit: str) -> None:
    rig = await open_rig(fans.stage)
    await rig.buy(stars=8)
    await rig.say()
    asked_at = rig.stage.clock.now()
    rig.stage.clock.advance(timedelta(seconds=1))
    account = await rig.account()
    async with rig.stage.store.transaction() as tx:
        ((bought, _),) = await tx.purchases_of(account)
        later = replace(bought, charge_id="later", at=rig.stage.clock.now())
        if unit == "waiting":
            later = replace(later, unit="new", nano=0, rate_table=None)
        await tx.add_purchase(later)
        twin, known = rig.stage.roster.find("mira").manifest.twin, PRICE
        assert await tx.agreement(account, twin, known) is not None
        await tx.add_notice(account, "limit", "stays")

    erasure = await fans.records.erase(ANA, Tombstone(sha256(b"ana"), asked_at))

    assert erasure is not None
    assert erasure.replies == 1
    assert await rig.account() == account
    async with rig.stage.store.transaction() as tx:
        assert await tx.agreement(account, twin, known) is None  # they are asked again
        assert await tx.take_notices(account) == ["stays"]
