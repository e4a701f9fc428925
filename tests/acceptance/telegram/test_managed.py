"""Bots of creators' own: one tap, the token into the vault, and a solo bot beside the others."""

from dataclasses import replace

import pytest
from telegram import Update

from adapters.telegram_chat.chat import TelegramChat
from adapters.telegram_chat.creators.words import WHICH_BOT
from adapters.telegram_chat.managed import words
from adapters.telegram_chat.managed.offers import suggest_username
from bot.domain.errors import ConfigurationError
from bot.ports.creators import Actor
from bot.ports.telegram_state import LinkState, ManagedBot
from bot.ports.views import TwinCard
from tests.acceptance.telegram.conftest import ADA, BEN, Stage, settle, until
from tests.acceptance.telegram.server import Fault
from tests.acceptance.telegram.test_creators import made
from tests.acceptance.telegram.world import BotSide, Json

NAME = "telegram/managed/8001"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    stage.lobby.user["can_manage_bots"] = True
    stage.inbox.cards.append(TwinCard("mira", "Mira Solano", "a singer", "free"))
    return stage


async def _offer(stage: Stage, command: str = "/creator bot mira") -> Json:
    if "mira" not in stage.creators.owners:
        await made(stage)
    return await stage.ask(command)


async def _linked(stage: Stage) -> BotSide:
    """Make a bot by one tap and wait until it is linked and takes messages."""
    await _offer(stage)
    bot = stage.server.world.tap_make(stage.lobby, ADA, 8001, "mira_bot")
    await until(lambda: _states(stage) == ["linked"])
    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())
    await until(lambda: any("is Mira Solano now" in text for text in stage.heard()))
    return bot


def _states(stage: Stage) -> list[str]:
    return [str(record.state) for _, record in stage.state.bots.values()]


async def test_one_tap_makes_a_bot_that_is_the_twin(stage: Stage) -> None:
    offer = await _offer(stage)
    keyboard = stage.server.world.private(stage.lobby, ADA).keyboard
    bot = await _linked(stage)

    reply = await stage.ask("Hello", bot=bot)

    assert "no BotFather" in offer["text"]
    assert keyboard is not None
    request = keyboard["keyboard"][0][0]["request_managed_bot"]
    assert request["suggested_name"] == "Mira Solano (AI twin)"
    assert request["suggested_username"] == "mira_bot"
    assert reply["text"].startswith("Mira Solano [AI twin]")
    assert stage.inbox.asked[0].surface.bot == "8001"
    assert stage.secrets.kept == {NAME: bot.token}
    assert stage.server.world.private(stage.lobby, ADA).keyboard is None


async def test_the_bot_says_in_its_profile_what_it_is(stage: Stage) -> None:
    bot = await _linked(stage)

    assert bot.profile["name"] == "Mira Solano (AI twin)"
    assert "not the people themselves" in bot.profile["description"]
    assert bot.profile["short_description"].startswith("AI twin of Mira Solano")
    names = [item["command"] for item in bot.commands["all_private_chats"]]
    assert "forget" in names
    assert "creator" not in names


async def test_both_news_of_one_bot_link_it_once(stage: Stage) -> None:
    bot = await _linked(stage)
    await until(lambda: not stage.state.open)
    stage.lobby.push("managed_bot", {"user": stage.server.world.fans[ADA], "bot": _user(bot)})
    await until(lambda: stage.server.count("getManagedBotToken") >= 3)
    await settle()

    assert sum("is Mira Solano now" in text for text in stage.heard()) == 1
    assert stage.server.count("setMyName") == 1
    assert _states(stage) == ["linked"]


@pytest.mark.parametrize("news", ["message", "update"])
async def test_either_news_alone_is_enough(stage: Stage, news: str) -> None:
    await _offer(stage)

    stage.server.world.make_managed(stage.lobby, ADA, 8001, "mira_bot", news=news)

    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())


async def test_linked_bots_start_again_from_the_vault(stage: Stage) -> None:
    bot = await _linked(stage)
    await stage.surfaces[-1].stop()
    fetched = stage.server.count("getManagedBotToken")
    await stage.start()
    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())

    reply = await stage.ask("Hello", bot=bot)

    assert reply["text"].startswith("Mira Solano [AI twin]")
    assert stage.server.count("getManagedBotToken") == fetched


async def test_a_bot_that_cannot_start_stops_no_other(stage: Stage) -> None:
    bot = await _linked(stage)
    await stage.surfaces[-1].stop()
    other = stage.server.world.add_bot(8002, "rumi_bot")
    other.manager = stage.lobby.id
    await stage.state.keep_managed(
        ManagedBot("7001", str(ADA), "lost", "8009", "lost_bot", LinkState.LINKED)
    )
    await stage.state.keep_managed(
        ManagedBot("7001", str(BEN), "rumi", "8002", "rumi_bot", LinkState.LINKED)
    )
    stage.secrets.kept["telegram/managed/8002"] = other.token  # and of 8009 there is nothing

    await stage.start()
    await until(lambda: {"8001", "8002"} <= set(stage.surfaces[-1].ready_bots()))

    assert (await stage.ask("Hello", bot=bot))["text"].startswith("Mira")
    assert (await stage.ask("Hello", bot=other, fan=BEN))["text"].startswith("Rumi")
    await until(lambda: "failed" in _states(stage))
    assert sum("@lost_bot does not work any more" in text for text in stage.heard()) == 1


async def test_a_token_that_the_vault_cannot_open_is_fetched_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await _linked(stage)
    await stage.surfaces[-1].stop()

    async def unreadable(self: object, name: str) -> str:
        del self, name
        raise ConfigurationError("encrypted with another key")

    with monkeypatch.context() as patch:
        patch.setattr(type(stage.secrets), "find", unreadable)
        await stage.start()
        await until(lambda: "8001" in stage.surfaces[-1].ready_bots())

    assert (await stage.ask("Hello", bot=bot))["text"].startswith("Mira")


async def test_a_replaced_token_is_fetched_again(stage: Stage) -> None:
    bot = await _linked(stage)

    stage.server.world.renew_token(bot, ADA, "8001:SECRET-renewed")
    await until(lambda: stage.secrets.kept == {NAME: "8001:SECRET-renewed"})
    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())

    assert (await stage.ask("Hello", bot=bot))["text"].startswith("Mira Solano [AI twin]")
    assert sum("is Mira Solano now" in text for text in stage.heard()) == 1


async def test_a_replaced_token_is_found_even_if_nobody_tells(stage: Stage) -> None:
    bot = await _linked(stage)
    stage.server.world.renew_token(bot, ADA, "8001:SECRET-renewed", tell=False)
    bot.news.set()  # its poll comes back and the next one is refused
    bot.push("message", {})
    bot.updates.clear()

    await until(lambda: stage.secrets.kept == {NAME: "8001:SECRET-renewed"})

    assert (await stage.ask("Hello", bot=bot))["text"].startswith("Mira Solano [AI twin]")


async def test_a_deleted_bot_is_written_off_and_its_creator_told_once(stage: Stage) -> None:
    bot = await _linked(stage)
    stage.server.world.bots.pop(bot.token)
    bot.polls += 1
    bot.news.set()

    await until(lambda: _states(stage) == ["failed"])
    await until(lambda: any("does not work any more" in text for text in stage.heard()))
    await settle()

    assert sum("@mira_bot does not work any more" in text for text in stage.heard()) == 1
    assert stage.secrets.kept == {}
    assert stage.surfaces[-1].ready_bots() == ["7001"]
    assert (await stage.ask("/help"))["text"]


async def test_a_written_off_bot_can_be_made_anew(stage: Stage) -> None:
    bot = await _linked(stage)
    stage.server.world.bots.pop(bot.token)
    bot.polls += 1
    bot.news.set()
    await until(lambda: _states(stage) == ["failed"])
    await until(lambda: any("does not work any more" in text for text in stage.heard()))

    await _offer(stage)
    stage.server.world.tap_make(stage.lobby, ADA, 8005, "mira2_bot")
    await until(lambda: "8005" in stage.surfaces[-1].ready_bots())

    assert _states(stage) == ["linked"]


async def test_a_second_offer_for_a_linked_twin_names_the_bot(stage: Stage) -> None:
    await _linked(stage)

    answer = await _offer(stage)

    assert answer["text"] == words.already("Mira Solano", "mira_bot")


async def test_an_offer_expires_and_the_bot_is_linked_by_asking_again(stage: Stage) -> None:
    await _offer(stage)
    stage.state.now += 2 * 3600
    stage.server.world.tap_make(stage.lobby, ADA, 8001, "mira_bot")
    await until(lambda: words.UNKNOWN in stage.heard())
    await until(lambda: not stage.state.open)
    assert "linked" not in _states(stage)
    assert stage.surfaces[-1].ready_bots() == ["7001"]

    answer = await _offer(stage)
    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())

    assert answer["text"] == words.already("Mira Solano", "mira_bot")
    assert stage.heard().count(words.UNKNOWN) == 1


async def test_telegram_may_be_away_when_the_token_is_wanted(stage: Stage) -> None:
    await _offer(stage)
    with stage.server.fault(Fault("getManagedBotToken", times=2, status=502)):
        stage.server.world.tap_make(stage.lobby, ADA, 8001, "mira_bot")
        await until(lambda: "8001" in stage.surfaces[-1].ready_bots())


async def test_a_crash_before_the_token_came_is_made_good_at_the_start(stage: Stage) -> None:
    await _offer(stage)
    with stage.server.fault(Fault("getManagedBotToken", times=1000, status=502)):
        stage.server.world.tap_make(stage.lobby, ADA, 8001, "mira_bot")
        await until(lambda: stage.server.count("getManagedBotToken"))
        await stage.surfaces[-1].stop()
    stage.lobby.updates.clear()

    await stage.start()
    await until(lambda: "8001" in stage.surfaces[-1].ready_bots())

    assert _states(stage) == ["linked"]


@pytest.mark.parametrize(
    ("state", "words_of_it"),
    [
        ("paused", "paused by its creator"),
        ("revoked", "ended by its creator"),
        ("needs signature", "has to sign it first"),
    ],
)
async def test_the_bot_of_a_silent_twin_says_so(stage: Stage, state: str, words_of_it: str) -> None:
    bot = await _linked(stage)
    stage.inbox.cards = [card for card in stage.inbox.cards if card.slug != "mira"]
    view = stage.creators.views["mira"]
    stage.creators.views["mira"] = replace(view, state=state)

    hello = await stage.ask("/start", bot=bot)
    answer = await stage.ask("Hello", bot=bot)

    assert words_of_it in hello["text"]
    assert words_of_it in answer["text"]
    assert stage.inbox.asked == []


async def test_without_bot_management_mode_it_says_what_is_missing(stage: Stage) -> None:
    stage.lobby.user["can_manage_bots"] = False

    assert (await _offer(stage))["text"] == words.NOT_HERE


async def test_without_a_vault_there_are_no_bots_of_ones_own(stage: Stage) -> None:
    await stage.start(secrets=None)
    await made(stage)

    assert (await stage.ask("/creator bot"))["text"] == words.NOT_HERE


async def test_of_several_twins_the_creator_says_which(stage: Stage) -> None:
    await made(stage)
    await made(stage, slug="nova2")

    answer = await stage.ask("/creator bot")

    assert answer["text"] == WHICH_BOT


async def test_tokens_are_told_nowhere(
    stage: Stage, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    bot = await _linked(stage)
    stage.server.world.renew_token(bot, ADA, "8001:SECRET-renewed")
    await until(lambda: stage.secrets.kept == {NAME: "8001:SECRET-renewed"})
    stage.server.world.bots.pop("8001:SECRET-renewed")
    bot.polls += 1
    bot.news.set()
    await until(lambda: any("does not work any more" in text for text in stage.heard()))

    output = capsys.readouterr()
    told = output.out + output.err + caplog.text + repr(stage.state) + repr(stage.surfaces)
    told += "".join(stage.heard())
    assert "telegram.managed_lost" in told
    assert "SECRET-renewed" not in told
    assert "SECRET-mira" not in told


async def test_managed_bots_come_and_go_in_webhook_mode(stage: Stage) -> None:
    surface = stage.build(webhook=("https://twins.example.org", "s" * 32))
    await surface.start()
    await until(lambda: stage.lobby.webhook)
    await _make_by_webhook(stage, surface)
    bot = next(one for one in stage.server.world.bots.values() if one.id == 8001)

    await until(lambda: bot.webhook)
    assert bot.webhook["url"] == "https://twins.example.org/telegram/8001"
    stage.server.world.bots.pop(bot.token)  # deleted; nobody calls, but the look finds it out
    await until(lambda: _states(stage) == ["failed"])

    assert surface.ready_bots() == ["7001"]


async def _make_by_webhook(stage: Stage, surface: TelegramChat) -> None:
    account = surface._accounts["7001"]
    await stage.state.keep_managed(ManagedBot("7001", str(ADA), "mira"))
    await stage.creators.create(_actor(), "mira", name="Mira Solano", role="a singer")
    stage.server.world.make_managed(stage.lobby, ADA, 8001, "mira_bot", news="update")
    for update in stage.lobby.updates:
        await account.take([Update.de_json(update, account.bot)])


@pytest.mark.parametrize(
    ("slug", "name"),
    [
        ("mira", "mira_bot"),
        ("9lives", "twin_9lives_bot"),
        ("a--b__c", "a_b_c_bot"),
        ("x" * 64, "x" * 28 + "_bot"),
        ("_-", "my_bot"),
    ],
)
def test_a_suggested_user_name_is_one(slug: str, name: str) -> None:
    assert suggest_username(slug) == name


def _user(bot: BotSide) -> Json:
    return {key: bot.user[key] for key in ("id", "is_bot", "first_name", "username")}


def _actor() -> Actor:
    return Actor("telegram", str(ADA), "Ada")
