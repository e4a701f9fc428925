from dataclasses import replace
from typing import Any

import pytest

from bot.crypto.canonical import JsonValue, encode_canonical, parse_canonical
from bot.crypto.errors import FormatError
from bot.domain.manifest import encode_manifest, parse_manifest, signing_data
from scripts.vector_parts import MANIFEST

VALUE = parse_canonical(encode_manifest(MANIFEST))


def _with(path: str, value: JsonValue) -> bytes:
    """Encode the manifest with one member, named like `a.b`, set or added."""
    assert isinstance(VALUE, dict)
    changed: Any = dict(VALUE)
    inner = changed
    *parents, key = path.split(".")
    for parent in parents:
        inner[parent] = dict(inner[parent])
        inner = inner[parent]
    inner[key] = value
    return encode_canonical(changed)


def test_creator_reads_price_and_split_in_words() -> None:
    data = signing_data(MANIFEST)

    assert data.price == "0.002000001 TWIN per reply, 100 a day free"
    assert data.split == "creator 85.00 %, operator 15.00 %"
    assert (data.valid_from, data.valid_until) == ("2026-11-01T00:00:00Z", "2027-11-01T00:00:00Z")


def test_twin_derives_from_creator_and_slug() -> None:
    assert MANIFEST.derived_twin == MANIFEST.twin
    assert replace(MANIFEST, slug="other").derived_twin != MANIFEST.twin


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("v", "twinproof-manifest/1"),
        ("beacon", "x"),
        ("extra", 1),
        ("twin", "00"),
        ("slug", "Mira"),
        ("slug", ""),
        ("slug", "-a"),
        ("name", ""),
        ("name", "\u3000"),
        ("name", "two\nlines"),
        ("name", "Mira\u202e"),
        ("name", "Mira\u2028"),
        ("model.name", "a\x1b[2J"),
        ("model.name", "a\u200bb"),
        ("engine.library", "a\x9bb"),
        ("engine.library", "a\U000e0041"),
        ("version", 0),
        ("version", True),
        ("previous", ""),
        ("model.lora", "x"),
        ("model.size_bytes", 0),
        ("engine.profile", "exact/2"),
        ("engine.isa", "armv8"),
        ("rendering.program", "jinja"),
        ("rendering.window_tokens", 0),
        ("rendering.window_tokens", 65537),
        ("rendering.before_persona", [-1]),
        ("rendering.before_persona", [2**31]),
        ("rendering.before_persona", "12"),
        ("sampler.algorithm", "greedy"),
        ("sampler.temperature", "0"),
        ("sampler.temperature", "0.0"),
        ("sampler.temperature", "1e3"),
        ("sampler.temperature", "-1"),
        ("sampler.temperature", ".5"),
        ("sampler.temperature", "1."),
        ("sampler.temperature", 1),
        ("sampler.top_p", "1.1"),
        ("sampler.min_p", "1.000000001"),
        ("sampler.min_p", "-0"),
        ("sampler.min_p", 0),
        ("sampler.presence_penalty", "2.1"),
        ("sampler.presence_penalty", "00"),
        ("sampler.frequency_penalty", "-1"),
        ("sampler.frequency_penalty", None),
        ("sampler.repeat_penalty", "1"),
        ("sampler.top_k", 0),
        ("sampler.top_k", 257),
        ("sampler.max_tokens", 0),
        ("filter.policy", "stop/1"),
        ("filter.redraws", -1),
        ("filter.redraws", 5),
        ("filter.redraws", None),
        ("rules", ["crisis/1", "crisis/1"]),
        ("rules", ["crisis/2"]),
        ("rules", [1]),
        ("rules", None),
        ("knowledge", []),
        ("filter.stop_strings", [""]),
        ("price.nano", -1),
        ("price.token", "two words"),
        ("split.creator_bp", 8501),
        ("split.operator_bp", 1501),
        ("split", {"creator_bp": 6999, "operator_bp": 3001}),
        ("split", {"creator_bp": 10001, "operator_bp": -1}),
        ("price.free_daily", -1),
        ("price.free_daily", 10001),
        ("price.free_daily", "100"),
        ("price.free_daily", None),
        ("price", {"nano": 1, "token": "TWIN"}),
        ("creator", MANIFEST.creator.lower()),
        ("payout", "0x00"),
        ("operator.signing_key", "zz"),
        ("operator.signing_key", "01" + "00" * 31),
        ("operator.signing_key", "ee" + "ff" * 30 + "7f"),
        ("operator.vrf_key", "00" * 32),
        ("operator.vrf_key", "02" + "00" * 31),
        ("log.origin", "other"),
        ("log.key", "no+vkey"),
        ("valid_from", "2026-11-01T00:00:00+00:00"),
        ("valid_from", "2026-02-30T00:00:00Z"),
        ("valid_from", "0000-01-01T00:00:00Z"),
    ],
    ids=repr,
)
def test_value_outside_the_format_is_refused(path: str, value: JsonValue) -> None:
    with pytest.raises(FormatError):
        parse_manifest(_with(path, value))


def test_missing_key_is_refused_by_its_path() -> None:
    assert isinstance(VALUE, dict)
    rest = {key: value for key, value in VALUE.items() if key != "split"}

    with pytest.raises(FormatError, match=r"manifest\.split: missing key"):
        parse_manifest(encode_canonical(rest))


def test_foreign_key_name_is_quoted_and_cut() -> None:
    with pytest.raises(FormatError) as caught:
        parse_manifest(_with("\x1b[2J\u202e\n" + "x" * 5000, 1))

    assert str(caught.value).startswith(r"manifest.'\x1b[2J\u202e\nxxx")
    assert len(str(caught.value)) == len("manifest.") + 40 + len(": unknown key")


def test_manifest_that_would_not_parse_is_not_encoded() -> None:
    with pytest.raises(FormatError):
        encode_manifest(replace(MANIFEST, slug="Not A Slug"))
    with pytest.raises(FormatError, match="whole seconds"):
        encode_manifest(replace(MANIFEST, valid_from=MANIFEST.valid_from.replace(microsecond=1)))
