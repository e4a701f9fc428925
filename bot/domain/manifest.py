"""Manifests: what a creator signs for one version of a twin (docs/spec/formats.md section 3)."""

import re
from dataclasses import dataclass
from datetime import datetime

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.ed25519 import check_public_key
from bot.crypto.eip712 import TwinManifestData, parse_address
from bot.crypto.encoding import parse_hex
from bot.crypto.errors import FormatError
from bot.crypto.hashing import sha256
from bot.crypto.signed_note import VerifierKey, parse_vkey
from bot.domain.ids import derive_twin_id
from bot.domain.money import BASIS_POINTS, format_nano
from bot.domain.payment import MAX_FREE_DAILY, MAX_OPERATOR_BP
from bot.domain.reading import ObjectReader
from bot.domain.terms import (
    HASH_BYTES,
    MAX_NAME,
    FilterTerms,
    ModelTerms,
    RenderingProgram,
    SamplerTerms,
    read_filter,
    read_model,
    read_rendering,
    read_rules,
    read_sampler,
)
from bot.domain.times import encode_time, parse_time

VERSION = "twinproof-manifest/2"
PROFILE = "exact/1"
ISA = "x86-64-v3"
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_TOKEN_SYMBOL = re.compile(r"[A-Za-z0-9._-]{1,16}", re.ASCII)
_KEYS = (
    "v twin slug name version previous persona model engine rendering sampler filter rules "
    "knowledge price split creator payout operator log beacon valid_from valid_until"
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of a twin, as its creator signs it.

    Attributes:
        twin: 32 bytes, derived from creator and slug.
        version: from 1.
        previous: hash of the manifest that this one replaces.
        persona: hash of the persona.
        library: the inference library and its version.
        rules: ids of the rules of fixed answers in force.
        price_nano: per reply, in 1e-9 of `price_token`.
        free_daily: replies that a fan gets free in 24 hours.
        creator_bp: the creator's share in basis points; the operator has the rest, at most
            `MAX_OPERATOR_BP`.
        creator: EIP-55 address; so is `payout`.
        signing_key: the operator's Ed25519 public key; `vrf_key` the VRF public key.
        log: the log's vkey; its name is the origin.
        valid_from: aware UTC, whole seconds; so is `valid_until`, and both are inclusive.
    """

    twin: bytes
    slug: str
    name: str
    version: int
    previous: bytes | None
    persona: bytes
    model: ModelTerms
    library: str
    rendering: RenderingProgram
    sampler: SamplerTerms
    filter: FilterTerms
    rules: tuple[str, ...]
    price_nano: int
    price_token: str
    free_daily: int
    creator_bp: int
    creator: str
    payout: str
    signing_key: bytes
    vrf_key: bytes
    log: VerifierKey
    valid_from: datetime
    valid_until: datetime

    @property
    def derived_twin(self) -> bytes:
        """The twin id that creator and slug give; `twin` must be the same."""
        return derive_twin_id(parse_address(self.creator), self.slug)

    @property
    def hash(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return sha256(encode_manifest(self))


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode as canonical JSON, after checking that it would parse again.

    Raises:
        FormatError: a value is outside the limits of the format.
    """
    data = encode_canonical(_to_json(manifest))
    if parse_manifest(data) != manifest:
        raise FormatError("the manifest does not survive encoding: are its times whole seconds?")
    return data


def parse_manifest(data: bytes) -> Manifest:
    """Parse canonical JSON; neither the twin id nor any signature is checked here.

    Raises:
        FormatError: the bytes are not a manifest of version 2.
    """
    reader = ObjectReader(parse_canonical(data), "manifest", _KEYS)
    reader.constant("v", VERSION)
    reader.constant("beacon", None)
    reader.constant("knowledge", None)
    price = reader.object("price", "nano token free_daily")
    operator = reader.object("operator", "signing_key vrf_key")
    return Manifest(
        twin=reader.hex("twin", HASH_BYTES),
        slug=reader.convert("slug", _parse_slug),
        name=reader.title("name", maximum=MAX_NAME),
        version=reader.integer("version", minimum=1),
        previous=reader.hex_or_null("previous", HASH_BYTES),
        persona=reader.hex("persona", HASH_BYTES),
        model=read_model(reader),
        library=_read_library(reader.object("engine", "library profile isa")),
        rendering=read_rendering(reader),
        sampler=read_sampler(reader),
        filter=read_filter(reader),
        rules=read_rules(reader),
        price_nano=price.integer("nano"),
        price_token=price.convert("token", parse_symbol),
        free_daily=price.integer("free_daily", maximum=MAX_FREE_DAILY),
        creator_bp=_read_split(reader.object("split", "creator_bp operator_bp")),
        creator=reader.convert("creator", _checked_address),
        payout=reader.convert("payout", _checked_address),
        signing_key=operator.convert("signing_key", _parse_key),
        vrf_key=operator.convert("vrf_key", _parse_key),
        log=_read_log(reader.object("log", "origin key")),
        valid_from=reader.convert("valid_from", parse_time),
        valid_until=reader.convert("valid_until", parse_time),
    )


def signing_data(manifest: Manifest) -> TwinManifestData:
    """Build the EIP-712 struct that the creator signs."""
    return TwinManifestData(
        name=manifest.name,
        twin=manifest.twin,
        persona=manifest.persona,
        model=manifest.model.gguf,
        manifest=manifest.hash,
        price=price_words(manifest.price_nano, manifest.price_token, manifest.free_daily),
        split=split_words(manifest.creator_bp),
        payout=parse_address(manifest.payout),
        operator_key=manifest.signing_key,
        log_origin=manifest.log.name,
        valid_from=encode_time(manifest.valid_from),
        valid_until=encode_time(manifest.valid_until),
    )


def price_words(nano: int, token: str, free_daily: int) -> str:
    """Return a price as creators sign it and fans read it."""
    return f"{format_nano(nano)} {token} per reply, {free_daily} a day free"


def split_words(creator_bp: int) -> str:
    """Return a split as creators sign it."""
    return f"creator {_percent(creator_bp)} %, operator {_percent(BASIS_POINTS - creator_bp)} %"


def _to_json(manifest: Manifest) -> JsonValue:
    return {
        "v": VERSION,
        "twin": manifest.twin.hex(),
        "slug": manifest.slug,
        "name": manifest.name,
        "version": manifest.version,
        "previous": manifest.previous.hex() if manifest.previous else None,
        "persona": manifest.persona.hex(),
        "model": manifest.model.to_json(),
        "engine": {"library": manifest.library, "profile": PROFILE, "isa": ISA},
        "rendering": manifest.rendering.to_json(),
        "sampler": manifest.sampler.to_json(),
        "filter": manifest.filter.to_json(),
        "rules": manifest.rules,
        "knowledge": None,
        "price": {
            "nano": manifest.price_nano,
            "token": manifest.price_token,
            "free_daily": manifest.free_daily,
        },
        "split": {
            "creator_bp": manifest.creator_bp,
            "operator_bp": BASIS_POINTS - manifest.creator_bp,
        },
        "creator": manifest.creator,
        "payout": manifest.payout,
        "operator": {"signing_key": manifest.signing_key.hex(), "vrf_key": manifest.vrf_key.hex()},
        "log": {"origin": manifest.log.name, "key": manifest.log.encode()},
        "beacon": None,
        "valid_from": encode_time(manifest.valid_from),
        "valid_until": encode_time(manifest.valid_until),
    }


def _read_library(reader: ObjectReader) -> str:
    reader.constant("profile", PROFILE)
    reader.constant("isa", ISA)
    return reader.title("library", maximum=MAX_NAME)


def _read_split(reader: ObjectReader) -> int:
    least = BASIS_POINTS - MAX_OPERATOR_BP
    creator_bp = reader.integer("creator_bp", minimum=least, maximum=BASIS_POINTS)
    reader.constant("operator_bp", BASIS_POINTS - creator_bp)
    return creator_bp


def _read_log(reader: ObjectReader) -> VerifierKey:
    key = reader.convert("key", parse_vkey)
    if reader.text("origin") != key.name:
        raise FormatError("manifest.log.origin: not the name in the log's key")
    return key


def _parse_key(text: str) -> bytes:
    key = parse_hex(text, HASH_BYTES)
    check_public_key(key)
    return key


def _parse_slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise FormatError("not a name of small letters, digits, - and _")
    return text


def parse_symbol(text: str) -> str:
    """Return a token's symbol.

    Raises:
        FormatError: it is none.
    """
    if not _TOKEN_SYMBOL.fullmatch(text):
        raise FormatError("not a token symbol")
    return text


def _checked_address(text: str) -> str:
    parse_address(text)
    return text


def _percent(basis_points: int) -> str:
    return f"{basis_points // 100}.{basis_points % 100:02d}"
