"""What the budget pays for one group in a day: all its topics together, with the real core."""

from dataclasses import replace

import pytest

from adapters.telegram_chat.chat import TelegramBotSettings
from adapters.telegram_chat.wording import MONEY_SAYS_NO
from bot.twins.charging import SpendingCaps
from tests.acceptance.telegram.conftest import ADA, Stage
from tests.acceptance.telegram.world import BotSide, ChatSide
from tests.credit_rig import open_rig
from tests.stage import MIRA, PRICE, memory_stage

GROUP, OTHER = -1001, -1002
SAID = "Mira [AI twin]"


@pytest.fixture
async def bots(stage: Stage) -> list[BotSide]:
    """Start two bots of one twin over the real use cases; the budget pays two replies a group."""
    core = memory_stage()
    caps = SpendingCaps(server_nano=2 * PRICE)
    await open_rig(core, files=(replace(MIRA, free_daily=9),), caps=caps, rates=())
    made = [stage.server.world.add_bot(n, f"mira{n}bot") for n in (7005, 7006)]
    settings = [TelegramBotSettings(bot.token, "mira") for bot in made]
    await stage.start(*settings, inbox=core.make_inbox(), credit=None)
    return made


async def said(stage: Stage, group: ChatSide, bot: BotSide, topic: int | None = None) -> str:
    """Talk to a bot in a group; return what it does."""
    before, name = len(group.from_bot()), bot.user["username"]
    stage.server.world.post(group, ADA, f"/talk@{name} hello", topic=topic)
    reply = await stage.said_in(group, after=before)
    assert reply["text"].startswith(SAID) or reply["text"] == MONEY_SAYS_NO
    return "answered" if reply["text"].startswith(SAID) else "capped"


async def test_topics_and_bots_of_a_group_share_its_cap(stage: Stage, bots: list[BotSide]) -> None:
    first, second = bots
    group, other = (
        stage.server.world.add_group(number, ADA, first.id, second.id, topics=(11, 12))
        for number in (GROUP, OTHER)
    )

    done = [await said(stage, group, first, 11), await said(stage, group, second, 12)]
    then = [await said(stage, group, bot, topic) for bot, topic in ((first, 12), (second, None))]
    elsewhere = await said(stage, other, first, 11)
    alone = [await stage.ask(f"hello {n}", bot=first) for n in range(3)]

    assert done == ["answered"] * 2
    assert then == ["capped"] * 2
    assert elsewhere == "answered"
    assert all(reply["text"].startswith(SAID) for reply in alone)
