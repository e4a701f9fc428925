"""Amounts and people as an operator or a fan types them."""

import pytest

from bot.credit.accounts import parse_amount
from bot.domain.errors import UserError
from bot.domain.money import NANO
from bot.ports.people import Person
from bot.wiring.credit_book import parse_person


@pytest.mark.parametrize(
    ("text", "nano"),
    [("0", 0), (" 0.5 ", NANO // 2), ("0.000000001", 1), ("999999.999999999", 10**15 - 1)],
)
def test_plain_decimals_are_read(text: str, nano: int) -> None:
    assert parse_amount(text) == nano


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "1e3",
        "1e-3",
        "0,5",
        ".5",
        "5.",
        "NaN",
        "inf",
        "٣",
        "1000000",
        "9999999999999",
        "0x1",
    ],
)
def test_anything_else_is_one_sentence(text: str) -> None:
    with pytest.raises(UserError, match="decimal number such as"):
        parse_amount(text)


@pytest.mark.parametrize(
    "text", ["telegram:12345", "discord:98765", "terminal:local", "web:abcdefgh"]
)
def test_people_are_named_as_their_platform_numbers_them(text: str) -> None:
    assert parse_person(text) == Person(*text.split(":"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ana",
        "telegram:",
        "telegram:abc",
        "telegram:-1",
        "discord:٣",
        "terminal:1",
        "irc:5",
        "web:a",
    ],
)
def test_credit_is_given_to_nobody_who_can_not_be(text: str) -> None:
    with pytest.raises(UserError, match="PLATFORM:ID"):
        parse_person(text)
