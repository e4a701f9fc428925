"""The check-up's judgement of the platforms: facts in, findings out."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from bot.ports.checks import DiscordFacts, DiscordServer, State, TelegramFacts
from bot.wiring import platform_verdicts as verdicts

ALL = sum(bit for bit, _ in verdicts.PERMISSIONS.values())
DOCS = Path(__file__).parents[3] / "docs"
GOOD = DiscordServer("1", "Harbour", ALL)
APP = DiscordFacts("Twins", "42", reads_messages=True, is_limited=True, servers=(GOOD,), skew_s=0.0)
HOOK = "https://twins.example.org/telegram/7001"
BOT = TelegramFacts(
    number="7001",
    username="lobbybot",
    reads_all=False,
    makes_bots=False,
    joins_groups=True,
    webhook="",
    pending=0,
    last_error="",
    is_contested=False,
    skew_s=0.0,
)


def test_permissions_are_those_that_the_documentation_explains() -> None:
    text = (DOCS / "discord.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \|", text.partition("| permission |")[2], re.MULTILINE)
    table = rows[: next(i for i, row in enumerate(rows) if row.startswith(("`", "|", " "))) or None]
    explained = {name for row in table for name in row.split(", ")}

    assert set(verdicts.PERMISSIONS) <= explained
    assert f"permissions={ALL}" in text
    assert verdicts.invitation("APPLICATION_ID") in text


@pytest.mark.parametrize("name", verdicts.PERMISSIONS)
def test_each_missing_permission_is_named_with_its_server(name: str) -> None:
    bit, is_vital = verdicts.PERMISSIONS[name]
    poor = DiscordServer("2", "Cellar", ALL & ~bit)

    findings = verdicts.judge_permissions(replace(APP, servers=(GOOD, poor)))

    assert [f.state for f in findings] == [State.FAULT if is_vital else State.WARNING, State.OK]
    assert f"server Cellar (2) these are missing: {name}." in findings[0].sentence
    assert "guild_id=2" in findings[0].remedy
    assert "1 of 2 servers" in findings[1].sentence


def test_an_administrator_lacks_nothing() -> None:
    assert verdicts.missing_permissions(verdicts.ADMINISTRATOR) == []
    assert verdicts.missing_permissions(0) == list(verdicts.PERMISSIONS)


def test_an_application_without_servers_is_told_how_to_be_added() -> None:
    finding = verdicts.judge_discord(replace(APP, servers=()))

    assert finding.state is State.WARNING
    assert "client_id=42" in finding.remedy
    assert verdicts.judge_discord(APP).state is State.OK


@pytest.mark.parametrize(
    ("reads", "asked", "state", "part"),
    [
        (True, True, State.OK, "it is on"),
        (True, False, State.OK, "not asked for"),
        (False, True, State.WARNING, "it is off"),
        (False, False, State.OK, "as configured"),
    ],
)
def test_intent_is_compared_with_the_configuration(
    reads: bool,  # noqa: FBT001
    asked: bool,  # noqa: FBT001
    state: State,
    part: str,
) -> None:
    finding = verdicts.judge_intent(replace(APP, reads_messages=reads), asked=asked)

    assert (finding.state, part in finding.sentence) == (state, True)


@pytest.mark.parametrize(
    ("facts", "wanted", "serving", "state", "part"),
    [
        (BOT, "", False, State.OK, "polling, as configured"),
        (BOT, "", True, State.OK, "polling, as configured"),
        (replace(BOT, is_contested=True), "", False, State.FAULT, "another program polls"),
        (replace(BOT, webhook=HOOK), HOOK, True, State.OK, "webhook as configured"),
        (replace(BOT, webhook=HOOK), "", False, State.OK, "removes when it starts"),
        (replace(BOT, webhook=HOOK), "", True, State.WARNING, "removes when it starts"),
        (BOT, HOOK, False, State.OK, "sets it when it starts"),
        (BOT, HOOK, True, State.WARNING, "sets it when it starts"),
        (replace(BOT, webhook="https://b/"), HOOK, True, State.WARNING, "another webhook"),
        (
            replace(BOT, webhook=HOOK, last_error="Connection refused"),
            HOOK,
            True,
            State.WARNING,
            "could not deliver: Connection refused",
        ),
        (replace(BOT, pending=500), "", True, State.WARNING, "500 updates wait"),
        (replace(BOT, pending=500), "", False, State.OK, "500 updates wait"),
    ],
)
def test_way_of_updates_is_compared_with_the_configuration(
    facts: TelegramFacts,
    wanted: str,
    serving: bool,  # noqa: FBT001
    state: State,
    part: str,
) -> None:
    finding = verdicts.judge_telegram(facts, wants_webhook=wanted, is_serving=serving)

    assert (finding.state, part in finding.sentence) == (state, True)
    assert bool(finding.remedy) == (state is not State.OK)


def test_privacy_mode_matters_only_where_the_bot_can_be_in_groups() -> None:
    off = replace(BOT, reads_all=True)

    assert verdicts.judge_privacy(BOT) is None
    assert verdicts.judge_privacy(replace(off, joins_groups=False)) is None
    finding = verdicts.judge_privacy(off)
    assert finding is not None
    assert finding.state is State.WARNING


def test_a_bot_for_an_unknown_twin_is_named_with_its_file() -> None:
    found = verdicts.judge_twins({"a.token": "mira", "b.token": "nobody"}, {"mira", "zoe"})

    (finding,) = found
    assert (finding.check, finding.state) == ("Telegram bot of b.token", State.WARNING)
    assert "'nobody'" in finding.sentence


def test_managed_bots_are_said_to_be_on_or_off() -> None:
    assert "one tap" in verdicts.judge_managed(replace(BOT, makes_bots=True)).sentence
    assert verdicts.judge_managed(BOT).sentence.startswith("off:")
