"""Messages in quick succession, through the surface and the real core, with a slow engine."""

import asyncio

from tests.acceptance.telegram.conftest import ADA, Stage, settle, until
from tests.stage import memory_stage


async def test_what_is_said_while_the_first_reply_is_written_is_answered_together(
    stage: Stage,
) -> None:
    core = memory_stage()
    await core.open()
    await stage.start(inbox=core.make_inbox())
    await stage.ask("/twin mira")
    core.engine.pause = asyncio.Event()
    stage.server.world.say(stage.lobby, ADA, "one")
    await core.engine.begun.wait()
    stage.server.world.say(stage.lobby, ADA, "two")
    stage.server.world.say(stage.lobby, ADA, "three")
    await until(lambda: len(stage.state.open) == 3)
    await settle()
    before = len(core.engine.requests)
    core.engine.pause.set()
    await until(lambda: not stage.state.open)
    await settle()

    replies = [text for text in stage.heard() if text.startswith("Mira [AI twin]")]
    assert before == 1
    assert len(core.engine.requests) == len(replies) == 2
    stored = sorted((await core.reader.read_all()).replies, key=lambda reply: reply.seq)
    assert [reply.fan_text for reply in stored] == ["one", "two\nthree"]
    assert [reply.outcome for reply in stored] == ["delivered", "delivered"]
    assert (await core.audit()).wrong == []
