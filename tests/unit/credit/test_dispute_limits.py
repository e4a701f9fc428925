"""How long a reply can be disputed, and that no dispute waits for ever, whatever is gone."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.credit.disputes import FORGOTTEN, GIVE_UP
from bot.domain.errors import EngineCrashedError, InvariantError, UserError
from bot.ports.credit import DisputeState
from bot.ports.inference import ReplayOutcome, ReplayRequest
from tests.credit_rig import ANA, CreditRig, open_rig
from tests.fakes.engine import MemoryEngine
from tests.fakes.store import MemoryStore
from tests.stage import PRICE, Stage

OLDEST = timedelta(days=30)


class _Failing(MemoryEngine):
    """Fails each time in one way."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    async def replay(self, request: ReplayRequest) -> ReplayOutcome:
        del request
        raise self._error


async def test_a_reply_of_thirty_days_can_be_disputed_and_an_older_one_not(rig: CreditRig) -> None:
    rig.anchored = True
    before = await rig.buy()
    old = await rig.say()
    rig.stage.clock.advance(timedelta(minutes=1))
    young = await rig.say()
    rig.stage.clock.advance(OLDEST - timedelta(seconds=30))

    with pytest.raises(UserError, match="can be disputed for 30 days, and this one is older"):
        await rig.door.dispute(old.receipt_id, ANA, "late")
    begun = await rig.door.dispute(young.receipt_id, ANA, "just in time")
    rig.stage.clock.advance(timedelta(minutes=1))
    again = await rig.door.dispute(young.receipt_id, ANA, "what came of it?")

    assert (begun.state, again) == (DisputeState.CHECKING, begun)
    assert await rig.disputes.run() == 1
    assert (await rig.door.view(ANA)).paid_nano == before - 2 * PRICE
    assert (await rig.stage.audit()).wrong == []


@pytest.mark.parametrize(
    "error", [EngineCrashedError("each time"), InvariantError("it does not fit any more")]
)
async def test_a_replay_that_always_fails_is_given_back_after_a_week(
    rig: CreditRig, error: Exception
) -> None:
    rig.anchored = True
    before = await rig.buy()
    reply = await rig.say()
    rig.stage.engine = _Failing(error)
    await rig.door.dispute(reply.receipt_id, ANA, "")
    soon = await rig.disputes.run()
    rig.stage.clock.advance(GIVE_UP - timedelta(seconds=30))
    nearly = await rig.disputes.run()
    rig.stage.clock.advance(timedelta(seconds=30))

    assert (soon, nearly, await rig.disputes.run(), await rig.disputes.run()) == (0, 0, 1, 0)
    (view,) = await rig.door.disputes(ANA)
    assert view.state is DisputeState.UPHELD
    assert view.sentence.startswith("The reply could not be made once more within a week. ")
    assert (await rig.door.view(ANA)).paid_nano == before
    assert (await rig.stage.audit()).wrong == []


async def test_a_dispute_of_what_was_forgotten_ends_and_gives_nothing() -> None:
    store = MemoryStore()
    rig = await open_rig(Stage(store=store, reader=store))
    before = await rig.buy()
    reply = await rig.say()
    await rig.door.dispute(reply.receipt_id, ANA, "")
    # As by somebody else's wish to be forgotten in the same conversation.
    replies = store.tables.replies
    replies[reply.receipt_hash] = replace(replies[reply.receipt_hash], opening_key=b"")

    assert await rig.disputes.run() == 1

    (view,) = await rig.door.disputes(ANA)
    assert (view.state, view.sentence) == (DisputeState.REJECTED, FORGOTTEN)
    assert (await rig.door.view(ANA)).paid_nano == before - PRICE
    assert await rig.disputes.run() == 0
