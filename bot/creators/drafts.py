"""Drafts: what a creator writes, checked at each edit; pure. What breaks a rule changes nothing."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from bot.crypto.hashing import sha256
from bot.domain.errors import UserError
from bot.domain.manifest import Manifest, price_words
from bot.domain.money import NANO, format_nano
from bot.domain.persona import Persona, encode_persona
from bot.domain.terms import MAX_PENALTY, MAX_TOP_K, SamplerTerms
from bot.ports.creator_store import Draft, DraftContent
from bot.ports.creators import DraftEdit, DraftText
from bot.ports.personas import PersonaFile

T = TypeVar("T")

MAX_PERSONA_BYTES = 64 * 1024
MAX_REPLY_TOKENS = 1024
MAX_TEMPERATURE = 5
MAX_PRICE_NANO = 2**53 - 1
FIRST_PRICE_NANO = 2_000_000
FIRST_SAMPLER = SamplerTerms(temperature="0.2", top_k=40, top_p="0.95", max_tokens=200)
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,9})?", re.ASCII)


def check_slug(slug: str) -> None:
    """Refuse a name that can't stand in addresses and commands.

    Raises:
        UserError: it breaks the rule, which the sentence states.
    """
    if not _SLUG.fullmatch(slug):
        raise UserError(
            "A twin's short name has 1 to 64 small letters, digits, - and _, and begins with a "
            'letter or digit: for example "mira".'
        )


def first_content(name: str, role: str) -> DraftContent:
    """Return what a new draft says.

    Raises:
        UserError: name or role break a rule.
    """
    return DraftContent(Persona(name=name, role=role), FIRST_SAMPLER, FIRST_PRICE_NANO)


def edited(content: DraftContent, change: DraftEdit) -> DraftContent:
    """Return a draft with changes.

    Raises:
        UserError: a value breaks a rule; one sentence.
    """
    persona, sampler = content.persona, content.sampler
    persona = Persona(
        name=_new(change.name, persona.name),
        role=_new(change.role, persona.role),
        facts=_new(change.facts, persona.facts),
        off_limits=persona.off_limits if change.off_limits is None else _topics(change.off_limits),
        examples=_new(change.examples, persona.examples),
    )
    sampler = SamplerTerms(
        temperature=_new(change.temperature, sampler.temperature),
        top_k=_new(change.top_k, sampler.top_k),
        top_p=_new(change.top_p, sampler.top_p),
        max_tokens=_new(change.max_tokens, sampler.max_tokens),
        min_p=_new(change.min_p, sampler.min_p),
        presence_penalty=_new(change.presence_penalty, sampler.presence_penalty),
        frequency_penalty=_new(change.frequency_penalty, sampler.frequency_penalty),
    )
    check_persona_size(persona)
    _check_sampler(sampler)
    return replace(content, persona=persona, sampler=sampler)


def check_persona_size(persona: Persona) -> None:
    """Refuse a persona that no model could hold.

    Raises:
        UserError: it has more bytes than a persona file may have.
    """
    size = len(encode_persona(persona))
    if size > MAX_PERSONA_BYTES:
        raise UserError(
            f"The persona is too long: {size // 1024} KiB of at most "
            f"{MAX_PERSONA_BYTES // 1024} KiB. Shorten it."
        )


def parse_price(amount: str) -> int:
    """Return a price per reply in nano-units.

    Raises:
        UserError: not a decimal within the limits.
    """
    text = amount.strip()
    nano = int(Decimal(text) * NANO) if _DECIMAL.fullmatch(text) else -1
    if not 0 <= nano <= MAX_PRICE_NANO:
        raise UserError(
            'The price must be a decimal number such as "0.002", with at most nine places and '
            f"at most {format_nano(MAX_PRICE_NANO).partition('.')[0]}."
        )
    return nano


def draft_text(content: DraftContent) -> DraftText:
    """Return a draft's texts, as forms show them."""
    persona, sampler = content.persona, content.sampler
    return DraftText(
        name=persona.name,
        role=persona.role,
        facts=persona.facts,
        off_limits=persona.off_limits,
        examples=persona.examples,
        temperature=sampler.temperature,
        top_p=sampler.top_p,
        top_k=sampler.top_k,
        max_tokens=sampler.max_tokens,
        min_p=sampler.min_p,
        presence_penalty=sampler.presence_penalty,
        frequency_penalty=sampler.frequency_penalty,
    )


def persona_file(slug: str, content: DraftContent) -> PersonaFile:
    """Return a draft as publishing reads it."""
    sampler = content.sampler
    return PersonaFile(
        slug=slug,
        creator=content.persona.name,
        persona=content.persona,
        price_nano=content.price_nano,
        free_daily=content.free_daily,
        temperature=sampler.temperature,
        top_k=sampler.top_k,
        top_p=sampler.top_p,
        max_tokens=sampler.max_tokens,
        min_p=sampler.min_p,
        presence_penalty=sampler.presence_penalty,
        frequency_penalty=sampler.frequency_penalty,
    )


def published_content(manifest: Manifest, persona: Persona, avatar: bytes) -> DraftContent:
    """Return what a published version said."""
    return DraftContent(
        persona, manifest.sampler, manifest.price_nano, avatar, free_daily=manifest.free_daily
    )


def sampler_words(sampler: SamplerTerms) -> str:
    """Return a sampler's parameters in words."""
    return (
        f"Temperature {sampler.temperature}, top-p {sampler.top_p}, top-k {sampler.top_k}, "
        f"min-p {sampler.min_p}, presence penalty {sampler.presence_penalty}, frequency penalty "
        f"{sampler.frequency_penalty}, at most {sampler.max_tokens} tokens"
    )


def describe_changes(old: DraftContent, new: DraftContent, token: str) -> tuple[str, ...]:
    """Return the lines that differ, `- …` before `+ …`; empty if nothing does."""
    lines = difflib.unified_diff(_lines(old, token), _lines(new, token), n=0, lineterm="")
    return tuple(
        f"{line[0]} {line[1:]}"
        for line in list(lines)[2:]  # after the two lines that name files
        if line[0] in "+-"
    )


def _lines(content: DraftContent, token: str) -> Sequence[str]:
    sampler = content.sampler
    return [
        *content.persona.text().split("\n"),
        f"Price: {price_words(content.price_nano, token, content.free_daily)}",
        sampler_words(sampler),
        f"Picture: {_picture_words(content.avatar)}",
    ]


def owned_by(draft: Draft | None, platform: str, account: str) -> bool:
    """Whether an account may configure a draft."""
    return draft is not None and (draft.platform, draft.account) == (platform, account)


def _check_sampler(sampler: SamplerTerms) -> None:
    temperature, top_p = _decimal(sampler.temperature), _decimal(sampler.top_p)
    if not 0 < temperature <= MAX_TEMPERATURE:
        raise UserError(
            f'The temperature must be a decimal number above 0, at most {MAX_TEMPERATURE}: "0.8".'
        )
    if not 0 < top_p <= 1:
        raise UserError('top-p must be a decimal number above 0, at most 1: for example "0.95".')
    if not 0 <= _decimal(sampler.min_p) <= 1:
        raise UserError('min-p must be a decimal number from 0 to 1: for example "0.05".')
    for name, penalty in (
        ("presence", sampler.presence_penalty),
        ("frequency", sampler.frequency_penalty),
    ):
        if not 0 <= _decimal(penalty) <= MAX_PENALTY:
            raise UserError(
                f"The {name} penalty must be a decimal number from 0 to {MAX_PENALTY}: "
                'for example "0.3".'
            )
    if not 1 <= sampler.top_k <= MAX_TOP_K:
        raise UserError(f"top-k must be a whole number from 1 to {MAX_TOP_K}.")
    if not 1 <= sampler.max_tokens <= MAX_REPLY_TOKENS:
        raise UserError(f"A reply may have 1 to {MAX_REPLY_TOKENS} tokens.")


def _topics(lines: Sequence[str]) -> tuple[str, ...]:
    """Return topics one by one, also those that stand in one line.

    The persona text joins them with commas, so it stays the same; but the signing page, which finds
    the topics in that text again, need not try every way of cutting a long list.
    """
    return tuple(topic.strip() for line in lines for topic in line.split(", ") if topic.strip())


def _picture_words(avatar: bytes) -> str:
    return sha256(avatar).hex()[:16] if avatar else "none"


def _decimal(text: str) -> Decimal:
    return Decimal(text) if _DECIMAL.fullmatch(text) else Decimal(-1)


def _new(value: T | None, old: T) -> T:
    return old if value is None else value
