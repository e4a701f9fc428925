"""The local server's further rules: deletions, files, members, profiles and managed bots."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.acceptance.telegram.conftest import ADA, BEN
from tests.acceptance.telegram.server import BotApiServer
from tests.acceptance.telegram.test_server import Foreign
from tests.acceptance.telegram.world import TIME, BotSide, Json

BUTTON = {"text": "Make", "request_managed_bot": {"request_id": 1, "suggested_name": "Nova"}}


@pytest.fixture
async def bot(server: BotApiServer) -> BotSide:
    server.world.add_fan(ADA, "Ada")
    server.world.add_fan(BEN, "Ben")
    return server.world.add_bot(7001, "lobbybot", manages=True)


@pytest.fixture
async def foreign(server: BotApiServer, bot: BotSide) -> AsyncIterator[Foreign]:
    async with aiohttp.ClientSession() as http:
        yield Foreign(server, bot, http)


async def test_messages_are_deleted_for_two_days(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    theirs = server.world.say(bot, ADA, "Hello")
    old = (await foreign.post("sendMessage", chat_id=ADA, text="old"))["result"]["message_id"]
    server.world.private(bot, ADA).messages[old]["date"] = TIME - 49 * 3600

    gone = await foreign.post("deleteMessage", chat_id=ADA, message_id=theirs["message_id"])
    again = await foreign.post("deleteMessage", chat_id=ADA, message_id=theirs["message_id"])
    late = await foreign.post("deleteMessage", chat_id=ADA, message_id=old)

    assert gone["ok"]
    assert again["description"] == "Bad Request: message to delete not found"
    assert "can't be deleted" in late["description"]


async def test_in_a_group_a_bot_deletes_only_its_own(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    group = server.world.add_group(-1001, ADA, bot.id)
    theirs = server.world.post(group, ADA, "Hello")

    answer = await foreign.post("deleteMessage", chat_id=-1001, message_id=theirs["message_id"])

    assert "can't be deleted" in answer["description"]


async def test_files_go_up_and_down(server: BotApiServer, bot: BotSide, foreign: Foreign) -> None:
    server.world.say(bot, ADA, "Hello")
    form = aiohttp.FormData({"chat_id": str(ADA)})
    form.add_field("document", b"{}", filename="card.json")
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{server.api_base}{bot.token}/sendDocument", data=form) as response:
            sent: Json = (await response.json())["result"]
        told = await foreign.post("getFile", file_id=sent["document"]["file_id"])
        path = told["result"]["file_path"]
        async with http.get(f"{server.file_base}{bot.token}/{path}") as response:
            data = await response.read()
        async with http.get(f"{server.file_base}7:WRONG/{path}") as response:
            foreign_status = response.status

    assert (sent["document"]["file_name"], data, foreign_status) == ("card.json", b"{}", 404)


async def test_a_file_of_more_than_20_mb_is_not_given(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    sent = server.world.send_file(bot, ADA, "big.png", b"x" * (20 * 1024 * 1024 + 1))

    answer = await foreign.post("getFile", file_id=sent["document"]["file_id"])

    assert answer["description"] == "Bad Request: file is too big"


async def test_the_button_that_makes_bots_needs_the_right_and_a_private_chat(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    server.world.say(bot, ADA, "Hello")
    server.world.add_group(-1001, ADA, bot.id)
    markup = {"keyboard": [[BUTTON]]}

    good = await foreign.post("sendMessage", chat_id=ADA, text="x", reply_markup=markup)
    group = await foreign.post("sendMessage", chat_id=-1001, text="x", reply_markup=markup)
    bot.user["can_manage_bots"] = False
    unfit = await foreign.post("sendMessage", chat_id=ADA, text="x", reply_markup=markup)

    assert "reply_markup" not in good["result"]
    assert [group["ok"], unfit["ok"]] == [False, False]


async def test_a_token_is_given_to_the_manager_alone(
    server: BotApiServer, bot: BotSide, foreign: Foreign
) -> None:
    other = server.world.add_bot(7002, "otherbot", manages=True)
    server.world.make_managed(other, ADA, 8001, "ada_bot")
    server.world.make_managed(bot, ADA, 8002, "ada2_bot")

    mine = await foreign.post("getManagedBotToken", user_id=8002)
    theirs = await foreign.post("getManagedBotToken", user_id=8001)

    assert mine["result"] == "8002:SECRET-ada2_bot"
    assert not theirs["ok"]


async def test_members_and_profiles(server: BotApiServer, bot: BotSide, foreign: Foreign) -> None:
    group = server.world.add_group(-1001, ADA, bot.id)
    group.admins.add(ADA)

    found = [await foreign.post("getChatMember", chat_id=-1001, user_id=n) for n in (ADA, BEN)]
    long = await foreign.post("setMyShortDescription", short_description="x" * 121)
    good = await foreign.post("setMyName", name="Nova")

    assert [answer["result"]["status"] for answer in found] == ["creator", "left"]
    assert (long["ok"], good["ok"], bot.profile) == (False, True, {"name": "Nova"})
