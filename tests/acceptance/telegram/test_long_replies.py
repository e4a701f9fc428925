"""Replies beyond one message."""

from dataclasses import replace

from tests.acceptance.telegram.conftest import ADA, QUICK, Stage, buttons_of, settle, until
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.world import units


async def test_a_long_reply_comes_in_parts_within_the_limits(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.words = [f"Sentence {n} of the harbour 🚢. " for n in range(400)]

    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.confirmed)

    parts = stage.server.world.private(stage.lobby, ADA).from_bot()[1:]
    bodies = [part["text"].partition("\n")[2] for part in parts]
    assert len(parts) == 4
    assert all(units(part["text"]) <= 4096 for part in parts)
    assert parts[0]["text"].startswith("Nova [AI twin] (1/4)\n")
    assert all(body.endswith("🚢.") for body in bodies)
    assert " ".join(bodies) == "".join(stage.inbox.words).rstrip()
    assert [bool(buttons_of(part)) for part in parts] == [False, False, False, True]
    assert [part.number for part in stage.state.sent] == [0, 1, 2, 3]


async def test_entities_stay_below_a_hundred_and_whole(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    stage.inbox.words = [f"😀 `code {n}` " for n in range(250)]

    stage.server.world.say(stage.lobby, ADA, "Hello")
    await until(lambda: stage.inbox.confirmed)

    parts = stage.server.world.private(stage.lobby, ADA).from_bot()[1:]
    codes = []
    for part in parts:
        encoded = part["text"].encode("utf-16-le")
        assert len(part["entities"]) <= 100
        for entity in part["entities"][1:]:
            start, end = entity["offset"] * 2, (entity["offset"] + entity["length"]) * 2
            codes.append(encoded[start:end].decode("utf-16-le"))
    assert codes == [f"`code {n}`" for n in range(250)]


async def test_a_reply_that_stopped_half_way_goes_on_where_it_stopped(stage: Stage) -> None:
    surface = await stage.start(pace=replace(QUICK, chat_s=0.5))  # time to fail between parts
    await stage.ask("/twin nova")
    stage.inbox.words = ["Ships come home. " * 400]
    fault = Fault("sendMessage", times=0, status=500)
    with stage.server.fault(fault):
        stage.server.world.say(stage.lobby, ADA, "Hello")
        await until(lambda: stage.state.sent)
        fault.times = 1000
        await settle()
        await surface.stop()
    assert stage.inbox.confirmed == []

    await stage.start()
    await until(lambda: stage.inbox.confirmed)
    await settle()

    heads = [text.partition("\n")[0] for text in stage.heard()[1:]]
    assert heads == ["Nova [AI twin] (1/2)", "Nova [AI twin] (2/2)"]
    assert len(stage.inbox.asked) == 1


async def test_a_platform_that_refuses_buttons_gets_plain_words_and_the_link(stage: Stage) -> None:
    await stage.start()
    await stage.ask("/twin nova")
    with stage.server.fault(Fault("sendMessage", status=400)):
        reply = await stage.ask("Hello")

    assert buttons_of(reply) == {}
    assert reply["text"].endswith(f"#k={stage.inbox.key}")


async def test_a_service_without_a_public_name_shows_the_link_as_words(stage: Stage) -> None:
    stage.inbox.base = "http://localhost:8800"
    await stage.start()
    await stage.ask("/twin nova")

    reply = await stage.ask("Hello")

    assert (
        f"Proof: http://localhost:8800/r/receipt-00000000000001#k={stage.inbox.key}"
        in (reply["text"])
    )
