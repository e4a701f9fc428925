"""Vectors at the edge of the format, and just beyond it."""

from dataclasses import replace
from hashlib import sha512

from nacl import bindings

from bot.crypto import ed25519
from bot.crypto.dsse import Envelope, envelope_to_json
from bot.domain.fields import Choice, Fields, Span, SpanKind
from bot.domain.statements import SEAL_TYPE
from bot.domain.terms import MAX_REDRAWS
from bot.generation.rendering import render
from scripts.vector_log import fixed_key
from scripts.vector_parts import FIELDS, MANIFEST, RENDERING, SLOT, SPANS, Parts
from scripts.vector_strict import (
    IDENTITY,
    LARGEST_SAMPLER,
    MAX_SIZE,
    MIXED,
    ORDER_8,
    OTHER_SPELLING,
    Strict,
    make_strict,
)


def good_strict() -> list[tuple[str, str, bytes]]:
    """Bundles at the edge of what is allowed."""
    anew = (SPANS[0], SPANS[-1])
    after = replace(FIELDS, turn=3, spans=anew, context=render(RENDERING, anew), choice=Choice(3))
    return [
        ("good-after-withdrawn", "the previous turn was withdrawn: the context starts anew",
         make_strict(Strict(fields=after))),
        ("good-sampler", "min-p and both penalties at their largest, temperature at its smallest",
         make_strict(Strict(manifest=LARGEST_SAMPLER))),
        ("good-largest-log", "a log of 2^53 - 1 leaves", make_strict(Strict(size=MAX_SIZE))),
        ("good-web", "the operator numbers the messages", make_strict(
            Strict(fields=replace(FIELDS, slot=replace(SLOT, platform="web", bot="local"))))),
        ("good-telegram", "a group's thread, on Telegram", make_strict(Strict(fields=replace(
            FIELDS, slot=replace(SLOT, platform="telegram", chat="-1001", thread="5"))))),
        ("good-slot-longest", "a message's number of twenty digits", make_strict(
            _on_slot(message="9" * 20))),
        ("good-largest-filter", "the filter draws again four times", make_strict(
            Strict(manifest={"filter.redraws": MAX_REDRAWS}))),
        ("good-no-rules", "no rule of fixed answers is in force", make_strict(
            Strict(manifest={"rules": []}))),
    ]  # fmt: skip


def bad_strict() -> list[tuple[int, str, str, bytes]]:
    """Bundles just beyond it."""
    forged = Strict(receipt={"operator": IDENTITY.hex()}, sign=lambda _, __: IDENTITY + bytes(32))
    mixed = Strict(receipt={"operator": MIXED.hex()})
    cases: list[tuple[int, str, str, Strict]] = [
        (1, "attempt", "an attempt that does not fit its two bytes in the log",
         Strict(receipt={"attempt": 65_536})),
        (1, "fields-count", "a commitment to nine fields", Strict(receipt={"fields.count": 9})),
        (1, "fields-eleven", "a commitment to eleven fields", Strict(receipt={"fields.count": 11})),
        (1, "vrf-proof", "the seed's proof for everybody to try messages with",
         Strict(receipt={"seed.vrf_proof": "A" * 106 + "=="})),
        (1, "receipt-version", "a receipt of version 1",
         Strict(receipt={"v": "twinproof-receipt/1"})),
        (1, "receipt-type", "a receipt of a type that is not known",
         Strict(receipt={"type": "voice"})),
        (1, "fixed-without-rule", "a fixed answer that names no rule",
         Strict(receipt={"type": "fixed"})),
        (1, "rule-of-reply", "a generated reply that names a rule",
         Strict(receipt={"rule": "crisis/1"})),
        (1, "manifest-version", "a manifest of version 1",
         Strict(manifest={"v": "twinproof-manifest/1"})),
        (1, "filter-policy", "a filter of version 1", Strict(manifest={"filter.policy": "stop/1"})),
        (1, "redraws", "a filter that draws again five times",
         Strict(manifest={"filter.redraws": MAX_REDRAWS + 1})),
        (1, "rule-unknown", "a rule that is not known", Strict(manifest={"rules": ["crisis/2"]})),
        (1, "rule-twice", "a rule that stands twice",
         Strict(manifest={"rules": ["crisis/1", "crisis/1"]})),
        (1, "knowledge", "knowledge, which is reserved", Strict(manifest={"knowledge": []})),
        (1, "nine-seals", "more seals than a bundle may have",
         Strict(bundle={"seals": [_unsigned(number) for number in range(9)]})),
        (1, "sealed-number", "a sealed part that is no text", Strict(bundle={"sealed": 0})),
        (1, "proof-null", "no log proof", Strict(bundle={"log.proof": None})),
        (1, "year-zero", "valid from the year 0",
         Strict(manifest={"valid_from": "0000-01-01T00:00:00Z"})),
        (1, "name-lines", "the name goes on as if it were the price",
         Strict(manifest={"name": "Mira\n\nprice: 0 TWIN per reply"})),
        (1, "name-override", "the name holds a bidirectional override",
         Strict(manifest={"name": "Mira\u202eonaloS"})),
        (1, "name-blank", "the name is an ideographic space", Strict(manifest={"name": "\u3000"})),
        (1, "model-name", "the model's name holds an escape character",
         Strict(manifest={"model.name": "a\x1b[2Jb"})),
        (1, "library", "the library holds a zero-width space",
         Strict(manifest={"engine.library": "llama\u200b-cpp"})),
        (1, "library-new-format", "the library holds a formatting character of Unicode 15.0",
         Strict(manifest={"engine.library": "llama\U00013439cpp"})),
        (1, "receipt-library-empty", "a receipt of a library without a name",
         Strict(receipt={"model.library": ""})),
        (1, "receipt-library-long", "a receipt of a library whose name has 65 characters",
         Strict(receipt={"model.library": "x" * 65})),
        (1, "receipt-token-empty", "a receipt in a token without a name",
         Strict(receipt={"price.token": ""})),
        (1, "receipt-token-long", "a receipt in a token whose name has 65 characters",
         Strict(receipt={"price.token": "x" * 65})),
        (4, "receipt-library-other", "the receipt's library has a zero-width space more",
         Strict(receipt={"model.library": f"{MANIFEST.library}\u200b"})),
        (1, "origin-space", "the origin holds a no-break space",
         Strict(origin="log.example\u00a0x")),
        (1, "origin-tab", "the origin holds a tab", Strict(origin="log.example\tx")),
        (1, "origin-control", "the origin holds control characters", Strict(origin="log\x07\x00x")),
        (1, "origin-letter", "the origin holds a Cyrillic letter",
         Strict(origin="l\u043eg.example")),
        (1, "origin-long", "an origin of 129 characters", Strict(origin="x" * 129)),
        (1, "min-p", "candidates that are more probable than the best one",
         Strict(manifest={"sampler.min_p": "1.000000001"})),
        (1, "min-p-sign", "a negative min-p", Strict(manifest={"sampler.min_p": "-0.1"})),
        (1, "presence-penalty", "a presence penalty above 2",
         Strict(manifest={"sampler.presence_penalty": "2.000000001"})),
        (1, "frequency-penalty", "a frequency penalty that is a number and not a decimal string",
         Strict(manifest={"sampler.frequency_penalty": 0})),
        (1, "sampler-key", "a setting of the sampler that version 1 does not know",
         Strict(manifest={"sampler.repeat_penalty": "1"})),
        (1, "small-order-signing-key", "a signing key under which anybody can sign anything",
         replace(forged, manifest={"operator.signing_key": IDENTITY.hex()})),
        (1, "small-order-log-key", "a log key under which anybody can sign anything",
         Strict(log_key=IDENTITY)),
        (1, "small-order-vrf-key", "a VRF key of order 8",
         Strict(manifest={"operator.vrf_key": ORDER_8.hex()})),
        (1, "mixed-order-signing-key", "a signing key with a part of order 8",
         replace(mixed, manifest={"operator.signing_key": MIXED.hex()})),
        (1, "key-spelling", "a log key in a spelling that is not canonical",
         Strict(log_key=OTHER_SPELLING)),
        (2, "torsion", "a signature that only the equation with cofactor accepts",
         Strict(sign=_sign_with_torsion)),
        (5, "persona-name", "the persona's name holds a bidirectional override",
         Strict(persona={"name": "Mira\u202eonaloS"})),
        (6, "platform", "a platform that version 1 does not know", _on_platform("matrix")),
        (6, "platform-case", "a platform in another case, to pass for one that numbers",
         _on_platform("Web")),
        (6, "slot-zero", "a message's number with a leading zero, which gives another seed",
         _on_slot(message="0" + SLOT.message)),
        (6, "slot-plus", "a chat's number with a sign", _on_slot(chat="+17")),
        (6, "slot-long", "a message's number of twenty-one digits", _on_slot(message="1" * 21)),
        (6, "slot-thread", "a thread that is no number", _on_slot(thread=" ")),
        (6, "slot-bot", "a bot without a number", _on_slot(bot="")),
        (6, "slot-line", "a message's number with a line break after it",
         _on_slot(message=f"{SLOT.message}\n")),
        (6, "slot-digits", "a message's number in Arabic-Indic digits",
         _on_slot(message="\u0661\u0662")),
        (6, "slot-discord-chat", "a chat below zero, which Discord has not", _on_slot(chat="-17")),
        (6, "slot-telegram-bot", "a bot below zero", _on_slot(platform="telegram", bot="-901")),
        (6, "slot-web-bot", "an operator's surface with a bot of another name",
         _on_slot(platform="web")),
        (6, "slot-terminal-bot", "a terminal without its bot's name",
         _on_slot(platform="terminal", bot="")),
        (7, "not-previous", "the last pair is of another turn than the previous one",
         Strict(fields=_with_history(turn=3, cited="receipt of turn 2", start=2))),
        (7, "invented-history", "two pairs that end with a turn of another conversation",
         Strict(fields=_with_history(
             turn=4, cited="receipt of turn 1", then="elsewhere", start=2))),
        (5, "rejected-five", "five rejected attempts", Strict(values={"reply.rejected": 5})),
        (5, "choice-start-zero", "a chain that begins before the first turn",
         Strict(values={"choice.start": 0})),
        (5, "choice-older-empty", "a turn without tokens was left out", Strict(
            values={"choice.older": {"receipt": "ab" * 32, "tokens": 0}})),
        (5, "choice-older-long", "more tokens were left out than any context can have", Strict(
            values={"choice.older": {"receipt": "ab" * 32, "tokens": 262_145}})),
        (5, "persona-span-empty", "a persona span without tokens", _with_span(0)),
        (5, "message-span-empty", "a message span without tokens", _with_span(-1)),
        (5, "seed-short", "a proof of the seed that is too short",
         Strict(values={"seed.vrf_proof": "AAAA"})),
        (5, "seed-key", "a seed with a key that the format does not know",
         Strict(values={"seed.beacon": None})),
        (5, "choice-key", "a choice with a key that the format does not know",
         Strict(values={"choice": {"older": None, "start": 1, "end": 2}})),
        (5, "counts-negative", "fewer than no tokens", Strict(values={"counts.output": -1})),
        (5, "event-without-halt", "an event of another shape",
         Strict(values={"event": {"regenerate": None, "replaces": None}})),
        (8, "leaf-attempt", "the leaf speaks of another attempt", Strict(leaf_attempt=1)),
        (8, "leaf-rejected", "the leaf speaks of a rejected attempt", Strict(leaf_rejected=1)),
        (8, "leaf-manifest", "the leaf speaks of another manifest",
         Strict(leaf_manifest=bytes(8))),
        (8, "size", "a log of 2^53 leaves", Strict(size=MAX_SIZE + 1)),
    ]  # fmt: skip
    return [(step, name, about, make_strict(strict)) for step, name, about, strict in cases]


def _unsigned(number: int) -> Parts:
    """Return an envelope that is signed by nobody."""
    envelope = Envelope(SEAL_TYPE, b"%d" % number, IDENTITY, bytes(64))
    return dict(envelope_to_json(envelope))  # type: ignore[arg-type]


def _on_platform(platform: str) -> Strict:
    slot = replace(SLOT, platform=platform)
    return Strict(fields=replace(FIELDS, slot=slot))


def _on_slot(**changes: str) -> Strict:
    slot = replace(SLOT, **changes)
    first = replace(FIELDS.parts[0], id=slot.message)
    return Strict(fields=replace(FIELDS, slot=slot, parts=(first,)))


def _with_span(place: int) -> Strict:
    """Empty a span."""
    spans = list(FIELDS.spans)
    spans[place] = replace(spans[place], tokens=())
    return Strict(fields=replace(FIELDS, spans=tuple(spans), context=render(RENDERING, spans)))


def _with_history(*, turn: int, cited: str, start: int, then: str | None = None) -> Fields:
    """Cite other turns than the previous one, which is `receipt of turn 1` of `FIELDS`."""
    pairs: list[Span] = []
    for name in (cited, then):
        if name is not None:
            receipt = fixed_key(name)
            pairs += [Span(SpanKind.FAN, (30, 31), receipt), Span(SpanKind.TWIN, (40,), receipt)]
    spans = (SPANS[0], *pairs, SPANS[-1])
    return replace(
        FIELDS, turn=turn, spans=spans, context=render(RENDERING, spans), choice=Choice(start)
    )


def _sign_with_torsion(private_key: bytes, message: bytes) -> bytes:
    """Sign with a point of order 8 added to R, as only the key's owner can."""
    expanded = sha512(private_key).digest()
    nonce = bindings.crypto_core_ed25519_scalar_reduce(sha512(expanded[32:] + message).digest())
    base = bindings.crypto_scalarmult_ed25519_base_noclamp(nonce)
    point = bytes(bindings.crypto_core_ed25519_add(base, ORDER_8))
    public = ed25519.public_key_of(private_key)
    hashed = bindings.crypto_core_ed25519_scalar_reduce(sha512(point + public + message).digest())
    clamped = bytes([expanded[0] & 248]) + expanded[1:31] + bytes([expanded[31] & 127 | 64])
    secret = bindings.crypto_core_ed25519_scalar_reduce(clamped + bytes(32))
    product = bindings.crypto_core_ed25519_scalar_mul(hashed, secret)
    return point + bytes(bindings.crypto_core_ed25519_scalar_add(nonce, product))
