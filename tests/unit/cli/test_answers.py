"""Answers of a set-up: each is checked at once, in one sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.cli import answers
from bot.config import CreatorSettings, ServiceSettings
from bot.domain.errors import UserError

DISCORD = "MTExMTExMTExMTExMTExMTEx.GabcdE." + "x" * 38
TELEGRAM = "7001:" + "A" * 35


@pytest.mark.parametrize(
    ("check", "text", "value"),
    [
        (answers.check_port, " 8801 ", 8801),
        (answers.check_address, "https://twins.example.org/", "https://twins.example.org"),
        (answers.check_address, "http://localhost:8800/base", "http://localhost:8800/base"),
        (answers.check_address, "", ""),
        (answers.check_choice, "Y", True),
        (answers.check_choice, "", False),
        (answers.check_discord_token, f" {DISCORD}\n", DISCORD),
        (answers.check_telegram_token, TELEGRAM, TELEGRAM),
        (answers.check_slug, "Mira-2", "mira-2"),
        (answers.check_slug, "", ""),
        (answers.check_updates, "Webhook", True),
        (answers.check_updates, "polling", False),
        (answers.check_creators, "nobody", ()),
        (answers.check_creators, "Everybody", ("*",)),
        (answers.check_creators, "discord:1, telegram:*", ("discord:1", "telegram:*")),
        (answers.check_model_path, "starter", ""),
        (answers.check_model_path, "", ""),
    ],
)
def test_a_right_answer_is_its_value(
    check: Callable[[str], object], text: str, value: object
) -> None:
    assert check(text) == value


@pytest.mark.parametrize(
    ("check", "text", "part"),
    [
        (answers.check_port, "0", "from 1 to"),
        (answers.check_port, "65536", "from 1 to"),
        (answers.check_port, "http", "from 1 to"),
        (answers.check_port, "-1", "from 1 to"),
        (answers.check_port, "²", "from 1 to"),
        (answers.check_port, "443", "higher"),
        (answers.check_address, "twins.example.org", "https://"),
        (answers.check_address, "ftp://twins.example.org", "https://"),
        (answers.check_address, "https://", "https://"),
        (answers.check_address, "https://a.example/?x=1", "without"),
        (answers.check_address, "https://a.example/#", "without"),
        (answers.check_address, "https://a b.example", "https://"),
        (answers.check_address, "https://[::1", "https://"),
        (answers.check_address, "https://a.example:99999", "https://"),
        (answers.check_address, "https://me:pw@a.example", "https://"),
        (answers.check_choice, "maybe", "y or n"),
        (answers.check_discord_token, "1234567890123456789", "three parts"),
        (answers.check_discord_token, TELEGRAM, "three parts"),
        (answers.check_telegram_token, DISCORD, "123456:"),
        (answers.check_telegram_token, "7001", "123456:"),
        (answers.check_telegram_token, "7001:A/../B", "123456:"),
        (answers.check_slug, "Mira Solano", "small letters"),
        (answers.check_slug, "../x", "small letters"),
        (answers.check_updates, "", "polling or webhook"),
        (answers.check_creators, "", "nobody, everybody"),
        (answers.check_creators, "discord:me", "nobody, everybody"),
        (answers.check_creators, "nobody discord:1", "nobody, everybody"),
        (answers.check_model_path, "/nowhere/model.gguf", "There is no file"),
        (answers.check_folder, " ", "Name a folder"),
    ],
)
def test_a_wrong_answer_is_one_sentence_that_does_not_repeat_a_secret(
    check: Callable[[str], object], text: str, part: str
) -> None:
    with pytest.raises(UserError, match=part) as refused:
        check(text)

    assert "\n" not in str(refused.value)
    assert text not in {DISCORD, TELEGRAM} or text not in str(refused.value)


@pytest.mark.parametrize("text", ["https://a.example", "http://127.0.0.1:1/x/y", ""])
def test_what_is_accepted_as_an_address_is_accepted_by_the_configuration(text: str) -> None:
    assert ServiceSettings(base_url=answers.check_address(text)).base_url == text


@pytest.mark.parametrize("text", ["nobody", "everybody", "discord:* telegram:12"])
def test_what_is_accepted_as_creators_is_accepted_by_the_configuration(text: str) -> None:
    accounts = answers.check_creators(text)

    assert CreatorSettings(accounts=accounts).accounts == accounts


def test_a_folder_may_be_new_but_not_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert answers.check_folder(str(tmp_path / "new" / "data")) == str(tmp_path / "new" / "data")
    with pytest.raises(UserError, match="is a file"):
        answers.check_folder(str(tmp_path / "file" / "data"))
