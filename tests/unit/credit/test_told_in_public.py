"""What others may read of a fan's money, and messages that nobody asked a twin to answer."""

from dataclasses import replace

import pytest

from bot.domain.errors import CreditError
from bot.domain.ledger import fan_account
from bot.ports.chat import IncomingMessage
from tests.credit_rig import STAR_NANO, open_rig
from tests.stage import MIRA, Stage, message

UNFREE = replace(MIRA, free_daily=0)


def _unasked(number: str) -> IncomingMessage:
    return replace(message(number=number), unasked=True)


async def test_the_price_is_for_all_and_the_credit_for_the_fan(stage: Stage) -> None:
    rig = await open_rig(stage, files=(UNFREE,))
    await rig.buy(stars=3)

    with pytest.raises(CreditError) as refused:
        await stage.say(number="first paid one")

    assert "you have 0.003000003 tUSD" in str(refused.value)
    assert "costs 0.002000001 tUSD of your credit" in refused.value.public
    assert "if you write on, you agree" in refused.value.public
    assert "0.003" not in refused.value.public


async def test_a_reply_that_nobody_asked_for_spends_no_credit(stage: Stage) -> None:
    rig = await open_rig(stage, files=(UNFREE,))
    await rig.buy(stars=3)
    await rig.say()
    spent = await stage.balance(fan_account(await rig.account()))

    with pytest.raises(CreditError, match="gives no free replies"):
        await stage.reply_to(_unasked("in passing"))

    assert await stage.balance(fan_account(await rig.account())) == spent < 3 * STAR_NANO


async def test_a_reply_that_nobody_asked_for_may_be_free(stage: Stage) -> None:
    rig = await open_rig(stage, files=(replace(MIRA, free_daily=1),))

    reply = await stage.reply_to(_unasked("in passing"))

    assert reply.price_nano > 0
    assert (await rig.stage.audit()).wrong == []
