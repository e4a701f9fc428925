"""What may be answered at a first set-up: each check returns the value or says what is wrong."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from bot.domain.errors import UserError
from bot.ports.checks import DISCORD_TOKEN, TELEGRAM_TOKEN

LAST_PORT = 65535
LAST_SYSTEM_PORT = 1023
_ACCOUNT = re.compile(r"\*|(discord|telegram):(\*|[0-9]+)", re.ASCII)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_YES, _NO = {"y", "yes"}, {"n", "no", ""}
NOBODY, EVERYBODY = "nobody", "everybody"
POLLING, WEBHOOK = "polling", "webhook"
STARTER = "starter"


def check_folder(text: str) -> str:
    """Accept a folder that is there, or can be made."""
    path = Path(text.strip()).expanduser()
    if not text.strip():
        raise UserError("Name a folder.")
    nearest = path
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    if not nearest.is_dir():
        raise UserError(f"{nearest} is a file, not a folder.")
    return str(path)


def check_port(text: str) -> int:
    """Accept a port's number."""
    if not text.strip().isdecimal() or not 1 <= int(text) <= LAST_PORT:
        raise UserError(f"A port is a number from 1 to {LAST_PORT}.")
    if int(text) <= LAST_SYSTEM_PORT:
        raise UserError("Ports up to 1023 are the system's: choose a higher one.")
    return int(text)


def check_address(text: str) -> str:
    """Accept a public address, or none."""
    text = text.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname)
        is_address = is_address and parts.port != 0 and parts.username is None
    except ValueError:
        is_address, parts = False, urlsplit("")
    if text and (not is_address or parts.query or parts.fragment or re.search(r"[\s?#]", text)):
        raise UserError("An address looks like https://twins.example.org, without ? or #.")
    return text


def check_choice(text: str) -> bool:
    """Accept yes or no."""
    word = text.strip().lower()
    if word not in _YES | _NO:
        raise UserError("Answer y or n.")
    return word in _YES


def check_discord_token(text: str) -> str:
    """Accept what looks like a Discord bot's token."""
    if DISCORD_TOKEN.fullmatch(text.strip()) is None:
        raise UserError(
            "This is no bot token: one has three parts with dots between them. "
            "The application's id, public key and client secret are something else."
        )
    return text.strip()


def check_telegram_token(text: str) -> str:
    """Accept what looks like a Telegram bot's token."""
    if TELEGRAM_TOKEN.fullmatch(text.strip()) is None:
        raise UserError("This is no bot token: one looks like 123456:ABC-DEF.")
    return text.strip()


def check_slug(text: str) -> str:
    """Accept a twin's short name, or none for a lobby."""
    text = text.strip().lower()
    if text and _SLUG.fullmatch(text) is None:
        raise UserError("A twin's short name has small letters, digits, - and _.")
    return text


def check_updates(text: str) -> bool:
    """Accept polling or webhook; return whether it is the latter."""
    word = text.strip().lower()
    if word not in {POLLING, WEBHOOK}:
        raise UserError("Answer polling or webhook.")
    return word == WEBHOOK


def check_creators(text: str) -> tuple[str, ...]:
    """Accept nobody, everybody, or a list of accounts."""
    words = text.lower().replace(",", " ").split()
    if words in ([NOBODY], [EVERYBODY]):
        return ("*",) if words == [EVERYBODY] else ()
    wrong = [word for word in words if _ACCOUNT.fullmatch(word) is None]
    if wrong or not words:
        raise UserError(
            "Answer nobody, everybody, or accounts such as discord:80351110224678912 "
            "telegram:4001, with spaces between them."
        )
    return tuple(words)


def check_model_path(text: str) -> str:
    """Accept a model file, or nothing for the starter model."""
    text = text.strip()
    if text in {"", STARTER}:
        return ""
    path = Path(text).expanduser()
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    return str(path.absolute())
