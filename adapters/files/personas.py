"""Persona files: TOML in, checked values out."""

import re
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.domain.errors import PersonaError
from bot.domain.payment import FREE_DAILY, MAX_FREE_DAILY
from bot.domain.persona import Example, Persona
from bot.ports.personas import PersonaFile

NANO = Decimal(10) ** 9
MAX_FILE_BYTES = 64 * 1024
MAX_PRICE_NANO = 2**53 - 1


# The spellings of docs/spec/formats.md section 1, without zero.
_POSITIVE_DECIMAL = r"^([1-9][0-9]{0,8}(\.[0-9]{1,9})?|0\.[0-9]{0,8}[1-9][0-9]{0,8})$"
_AT_MOST_ONE = r"^(1(\.0{1,9})?|0\.[0-9]{0,8}[1-9][0-9]{0,8})$"
_SHARE = r"^(1(\.0{1,9})?|0(\.[0-9]{1,9})?)$"
_PENALTY = r"^(2(\.0{1,9})?|[01](\.[0-9]{1,9})?)$"
_DECIMALS = {
    "sampler.temperature": 'a decimal number above 0 such as "0.8"',
    "sampler.top_p": 'a decimal number above 0, at most 1, such as "0.95"',
    "sampler.min_p": 'a decimal number from 0 to 1 such as "0.05"',
    "sampler.presence_penalty": 'a decimal number from 0 to 2 such as "0.3"',
    "sampler.frequency_penalty": 'a decimal number from 0 to 2 such as "0.3"',
}
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Example(_Strict):
    fan: str
    twin: str


class _Price(_Strict):
    per_reply: str
    free_daily: int = Field(default=FREE_DAILY, ge=0, le=MAX_FREE_DAILY)


class _Sampler(_Strict):
    temperature: str = Field(default="0.2", pattern=_POSITIVE_DECIMAL)
    top_k: int = Field(default=40, ge=1, le=256)
    top_p: str = Field(default="0.95", pattern=_AT_MOST_ONE)
    min_p: str = Field(default="0", pattern=_SHARE)
    presence_penalty: str = Field(default="0", pattern=_PENALTY)
    frequency_penalty: str = Field(default="0", pattern=_PENALTY)
    max_tokens: int = Field(default=64, ge=1, le=1024)


class _File(_Strict):
    name: str
    role: str
    creator: str
    model: str = Field(default="", max_length=64)
    facts: list[str]
    off_limits: list[str] = []
    examples: list[_Example] = []
    price: _Price
    sampler: _Sampler = _Sampler()


def load_personas(folder: Path) -> list[PersonaFile]:
    """Read every `*.toml` of a folder, sorted by name.

    Raises:
        PersonaError: a file is unreadable or breaks a rule, or there is none; one sentence that
            names the file.
    """
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise PersonaError(f"There is no persona in {folder}: put a NAME.toml there.")
    return [load_persona(path) for path in paths]


def load_persona(path: Path) -> PersonaFile:
    """Read one persona file.

    Raises:
        PersonaError: the file is unreadable or breaks a rule.
    """
    if not _SLUG.fullmatch(path.stem):
        raise PersonaError(
            f"{path}: a persona's file name must be of small letters, digits, - and _."
        )
    try:
        content = _File.model_validate(tomllib.loads(_read(path)))
        persona = Persona(
            name=content.name,
            role=content.role,
            facts=tuple(content.facts),
            off_limits=tuple(content.off_limits),
            examples=tuple(Example(fan=e.fan, twin=e.twin) for e in content.examples),
        )
    except PersonaError as error:
        raise PersonaError(f"{path}: {error}") from error
    except ValidationError as error:
        raise PersonaError(f"{path}: {_sentence(error.errors()[0])}") from error
    except (OSError, RecursionError, ValueError) as error:
        # ValueError: not UTF-8, not TOML, or a number with more digits than Python reads.
        raise PersonaError(f"{path} can't be read: {error}.") from error
    return PersonaFile(
        slug=path.stem,
        creator=content.creator,
        persona=persona,
        price_nano=_nano(path, content.price.per_reply),
        temperature=content.sampler.temperature,
        top_k=content.sampler.top_k,
        top_p=content.sampler.top_p,
        max_tokens=content.sampler.max_tokens,
        min_p=content.sampler.min_p,
        presence_penalty=content.sampler.presence_penalty,
        frequency_penalty=content.sampler.frequency_penalty,
        model=content.model,
        free_daily=content.price.free_daily,
    )


def _read(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise PersonaError("this is not a file.")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise PersonaError(f"the file is larger than {MAX_FILE_BYTES} bytes.")
    return path.read_text(encoding="utf-8")


def _sentence(error: Any) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    where = ".".join(str(part) for part in error["loc"])
    decimal = error["type"] == "string_pattern_mismatch"
    return f"{where}: {_DECIMALS[where] if decimal else error['msg']}."


def _nano(path: Path, amount: str) -> int:
    try:
        nano = Decimal(amount) * NANO
    except ArithmeticError:  # no number, or one beyond all bounds
        nano = Decimal(-1)
    if not nano.is_finite() or not 0 <= nano <= MAX_PRICE_NANO or nano != int(nano):
        raise PersonaError(
            f'{path}: price.per_reply "{amount}" must be a decimal of at most nine places, '
            'such as "0.002".'
        )
    return int(nano)
