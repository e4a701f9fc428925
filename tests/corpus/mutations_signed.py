"""Falsehoods of steps 1 to 4: bytes, signatures, manifest and terms."""

import base64
import json
import random
from typing import Any

from tests.corpus.maker import b64, canonical, envelope, public
from tests.corpus.mutations import flip_byte, flip_hex, mutation
from tests.corpus.plans import Plan, key_of

Json = Any
RECEIPT_TYPE = "application/vnd.twinproof.receipt+json"


@mutation(1, "bytes")
def _cut_off(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


@mutation(1, "bytes")
def _bytes_after_the_end(data: bytes, rng: random.Random) -> bytes:
    return data + rng.choice([b"\n", b" ", b"\0", b"{}", data])


@mutation(1, "bytes")
def _a_byte_before(data: bytes, rng: random.Random) -> bytes:
    return rng.choice([b" ", b"\xef\xbb\xbf", b"["]) + data


@mutation(1, "bytes")
def _whitespace_within(data: bytes, rng: random.Random) -> bytes:
    marks = [at for at, byte in enumerate(data) if byte in b":,{" and data[at + 1 : at + 2] == b'"']
    at = rng.choice([mark for mark in marks if data.count(b'"', 0, mark) % 2 == 0]) + 1
    return data[:at] + rng.choice([b" ", b"\n", b"\t"]) + data[at:]


@mutation(1, "bytes")
def _a_key_twice(data: bytes, rng: random.Random) -> bytes:
    key = rng.choice([b'"v":"twinproof-bundle/2"', b'"seals":[]', b'"anchor":null'])
    return data[:-1] + b"," + key + b"}"


@mutation(1, "bytes")
def _keys_in_another_order(data: bytes, _rng: random.Random) -> bytes:
    value = json.loads(data)
    turned = dict(sorted(value.items(), reverse=True))
    return json.dumps(turned, ensure_ascii=False, separators=(",", ":")).encode()


@mutation(1, "bytes")
def _bad_utf8(data: bytes, rng: random.Random) -> bytes:
    at = data.index(b'"v":"twinproof-bundle') + 5 + rng.randrange(8)
    return data[:at] + rng.choice([b"\xff", b"\xc3(", b"\xed\xa0\x80"]) + data[at:]


@mutation(1, "bytes")
def _an_escape_that_need_not_be(data: bytes, _rng: random.Random) -> bytes:
    return data.replace(b'"v":"twinproof-bundle/2"', b'"v":"twinproof\\u002dbundle/2"')


@mutation(1, "bytes")
def _nested_beyond_all_bounds(data: bytes, rng: random.Random) -> bytes:
    depth = rng.choice([40, 5000])
    return data[:-1] + b',"z":' + b"[" * depth + b"]" * depth + b"}"


@mutation(1, "bytes")
def _a_number_that_is_none(data: bytes, rng: random.Random) -> bytes:
    number = rng.choice([b"1.0", b"1e3", b"-0", b"NaN", b"9007199254740992", b"01", b"Infinity"])
    return data[:-1] + b',"z":' + number + b"}"


@mutation(1, "bytes")
def _not_an_object(data: bytes, rng: random.Random) -> bytes:
    return rng.choice([b"", b"null", b"[]", b'"a"', b"7", b"[" + data + b"]"])


@mutation(1, "bytes")
def _larger_than_any_bundle(data: bytes, _rng: random.Random) -> bytes:
    return data + b" " * (4 * 1024 * 1024)


@mutation(1, "bundle")
def _an_unknown_member(bundle: Json, rng: random.Random) -> Json:
    place = rng.choice([bundle, bundle["manifest"], bundle["log"], bundle["receipt"]])
    return place.update({rng.choice(["extra", "V", ""]): None}) or bundle


@mutation(1, "bundle")
def _a_member_is_missing(bundle: Json, rng: random.Random) -> Json:
    place = rng.choice([bundle, bundle["manifest"], bundle["log"], bundle["receipt"]])
    del place[rng.choice(sorted(place))]
    return bundle


@mutation(1, "bundle")
def _another_version(bundle: Json, rng: random.Random) -> Json:
    return bundle | {"v": rng.choice(["twinproof-bundle/1", "twinproof-bundle/3", "", None, 2])}


@mutation(1, "bundle")
def _a_value_of_another_kind(bundle: Json, rng: random.Random) -> Json:
    name = rng.choice(["receipt", "manifest", "log", "seals"])
    return bundle | {name: rng.choice([None, 5, "x", True])}


@mutation(1, "bundle")
def _two_signatures(bundle: Json, _rng: random.Random) -> Json:
    bundle["receipt"]["signatures"] *= 2
    return bundle


@mutation(1, "bundle")
def _no_signature(bundle: Json, _rng: random.Random) -> Json:
    bundle["receipt"]["signatures"] = []
    return bundle


@mutation(1, "bundle")
def _base64_in_another_spelling(bundle: Json, rng: random.Random) -> Json:
    text = bundle["log"]["leaf"]
    spellings = [text[:-1], text + "\n", text.replace("=", "") + "*", text + "=", "-_" + text[2:]]
    bundle["log"]["leaf"] = rng.choice([one for one in spellings if one != text])
    return bundle


@mutation(1, "bundle")
def _base64_with_unused_bits(bundle: Json, _rng: random.Random) -> Json:
    text = bundle["receipt"]["signatures"][0]["sig"]  # 64 bytes: two characters of padding
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = alphabet[alphabet.index(text[-3]) | 1]
    bundle["receipt"]["signatures"][0]["sig"] = text[:-3] + last + "=="
    return bundle


@mutation(1, "bundle")
def _hexadecimal_in_capitals(bundle: Json, _rng: random.Random) -> Json:
    signature = bundle["receipt"]["signatures"][0]
    signature["keyid"] = signature["keyid"].upper()
    return bundle


@mutation(1, "bundle")
def _a_wallet_signature_in_another_spelling(bundle: Json, rng: random.Random) -> Json:
    text = bundle["manifest"]["signature"]
    others = [text[2:], text[:-2], "0X" + text[2:], text + "00", text[:-1] + "G"]
    bundle["manifest"]["signature"] = rng.choice(others)
    return bundle


@mutation(1, "bundle")
def _too_many_seals(bundle: Json, _rng: random.Random) -> Json:
    return bundle | {"seals": [bundle["receipt"]] * 9}


@mutation(1, "case")
def _a_link_of_another_reply(case: Any, rng: random.Random) -> Any:  # noqa: ANN401
    case_type = type(case)
    other = base64.urlsafe_b64encode(rng.randbytes(16)).decode()[:22]
    return case_type(case.bundle, case.key, case.policy, other)


@mutation(1, "receipt")
def _a_receipt_of_another_version(receipt: Json, rng: random.Random) -> Json:
    return receipt | {"v": rng.choice(["twinproof-receipt/1", "twinproof-receipt/3"])}


@mutation(1, "receipt")
def _a_receipt_with_a_beacon(receipt: Json, _rng: random.Random) -> Json:
    receipt["seed"]["beacon"] = {"net": "quicknet", "round": 1}
    return receipt


@mutation(1, "receipt")
def _a_type_of_receipt_that_is_none(receipt: Json, rng: random.Random) -> Json:
    return receipt | {"type": rng.choice(["", "Reply", "void", None])}


@mutation(1, "receipt")
def _a_receipt_that_starts_at_zero(receipt: Json, _rng: random.Random) -> Json:
    return receipt | {"seq": 0}


@mutation(1, "receipt")
def _another_number_of_fields(receipt: Json, rng: random.Random) -> Json:
    receipt["fields"]["count"] = rng.choice([10, 11, 13])
    return receipt


@mutation(1, "receipt")
def _a_time_in_another_spelling(receipt: Json, rng: random.Random) -> Json:
    times = ["2026-11-20T10:00:00+00:00", "2026-11-20 10:00:00Z", "2026-11-20T10:00:00.5Z"]
    return receipt | {"time": rng.choice([*times, "2026-02-30T10:00:00Z", "0000-01-01T00:00:00Z"])}


@mutation(1, "receipt")
def _another_profile(receipt: Json, _rng: random.Random) -> Json:
    receipt["model"]["profile"] = "exact/2"
    return receipt


@mutation(1, "manifest")
def _a_manifest_of_another_version(manifest: Json, _rng: random.Random) -> Json:
    return manifest | {"v": "twinproof-manifest/1"}


@mutation(1, "manifest")
def _an_unknown_filter(manifest: Json, rng: random.Random) -> Json:
    manifest["filter"]["policy"] = rng.choice(["stop/1", "stop-repeat/2"])
    return manifest


@mutation(1, "manifest")
def _too_many_redraws(manifest: Json, _rng: random.Random) -> Json:
    manifest["filter"]["redraws"] = 5
    return manifest


@mutation(1, "manifest")
def _an_unknown_rule(manifest: Json, rng: random.Random) -> Json:
    return manifest | {"rules": rng.choice([["crisis/2"], ["a/1", "crisis/1"], [""]])}


@mutation(1, "manifest")
def _a_rule_twice(manifest: Json, _rng: random.Random) -> Json:
    return manifest | {"rules": ["crisis/1", "crisis/1"]}


@mutation(1, "manifest")
def _knowledge_before_its_time(manifest: Json, _rng: random.Random) -> Json:
    return manifest | {"knowledge": {"root": "00" * 32}}


@mutation(1, "manifest")
def _a_key_of_small_order(manifest: Json, rng: random.Random) -> Json:
    identity = "01" + "00" * 31
    name = rng.choice(["signing_key", "vrf_key"])
    manifest["operator"][name] = identity
    return manifest


@mutation(1, "manifest")
def _a_name_that_hides_something(manifest: Json, rng: random.Random) -> Json:
    return manifest | {"name": rng.choice(["Mira\u202eoloS", "Mi\u200bra", "Mira\nSolano", " "])}


@mutation(1, "manifest")
def _an_address_without_its_checksum(manifest: Json, _rng: random.Random) -> Json:
    return manifest | {"payout": manifest["payout"].lower()}


@mutation(2, "receipt_envelope")
def _a_receipt_changed_after_signing(signed: Json, rng: random.Random) -> Json:
    receipt = json.loads(base64.b64decode(signed["payload"]))
    name = rng.choice(["seq", "build", "root"])
    if name == "seq":
        receipt["seq"] += 1
    elif name == "build":
        receipt["model"]["build"] = flip_hex(receipt["model"]["build"], rng)
    else:
        receipt["fields"]["root"] = flip_hex(receipt["fields"]["root"], rng)
    return signed | {"payload": b64(canonical(receipt))}


@mutation(2, "receipt_envelope")
def _a_signature_with_one_bit_changed(signed: Json, rng: random.Random) -> Json:
    signature = base64.b64decode(signed["signatures"][0]["sig"])
    signed["signatures"][0]["sig"] = b64(flip_byte(signature, rng))
    return signed


@mutation(2, "receipt_envelope")
def _a_payload_of_another_type(signed: Json, rng: random.Random) -> Json:
    kinds = ["", "application/json", "application/vnd.twinproof.outcome+json"]
    payload = base64.b64decode(signed["payload"])
    return envelope(rng.choice(kinds), payload, key_of("operator"))


@mutation(2, "receipt_signer")
def _a_receipt_signed_by_somebody_else(_seed: bytes, _rng: random.Random) -> bytes:
    return key_of("somebody else")


@mutation(2, "receipt_envelope")
def _an_operator_that_the_creator_never_named(signed: Json, _rng: random.Random) -> Json:
    receipt = json.loads(base64.b64decode(signed["payload"]))
    receipt["operator"] = public(key_of("somebody else")).hex()
    return envelope(RECEIPT_TYPE, canonical(receipt), key_of("somebody else"))


@mutation(3, "manifest_body")
def _a_manifest_changed_after_signing(body: bytes, rng: random.Random) -> bytes:
    manifest = json.loads(body)
    change = rng.choice(["version", "price", "free", "split", "model", "persona"])
    if change == "version":
        manifest["version"] += 1
    elif change == "price":
        manifest["price"]["nano"] += 1 if manifest["price"]["nano"] < 2**53 - 1 else -1
    elif change == "free":
        count = manifest["price"]["free_daily"]
        manifest["price"]["free_daily"] = count - 1 if count else 1
    elif change == "split":
        manifest["split"] = {"creator_bp": 7777, "operator_bp": 2223}
    elif change == "model":
        manifest["model"]["gguf"] = flip_hex(manifest["model"]["gguf"], rng)
    else:
        manifest["persona"] = flip_hex(manifest["persona"], rng)
    return canonical(manifest)


@mutation(3, "creator")
def _a_manifest_signed_by_somebody_else(_seed: bytes, _rng: random.Random) -> bytes:
    return key_of("somebody else")


@mutation(3, "manifest_signature")
def _a_creators_signature_with_a_digit_changed(signature: str, rng: random.Random) -> str:
    return "0x" + flip_hex(signature[2:66], rng) + signature[66:]


@mutation(3, "manifest")
def _a_twin_that_derives_from_nothing(manifest: Json, rng: random.Random) -> Json:
    return manifest | {"slug": manifest["slug"] + rng.choice("abc")}


@mutation(3, "receipt")
def _a_receipt_under_another_manifest(receipt: Json, rng: random.Random) -> Json:
    return receipt | {"manifest": flip_hex(receipt["manifest"], rng)}


def _of(name: str) -> None:
    """Add a mutation of one term."""

    def strike(receipt: Json, rng: random.Random) -> Json:
        return _TERMS[name](receipt, rng)

    strike.__name__ = f"another_{name}"
    mutation(4, "receipt")(strike)


def _price(receipt: Json, _rng: random.Random) -> Json:
    # The largest price that a parser reads can only be lowered.
    step = 1 if receipt["price"]["nano"] < 2**53 - 1 else -1
    receipt["price"]["nano"] += step
    receipt["price"]["operator_nano"] += step if receipt["price"]["operator_nano"] else 0
    return receipt


def _split(receipt: Json, rng: random.Random) -> Json:
    step = rng.choice([1, 1000])
    receipt["price"]["creator_nano"] += step
    return receipt


def _token(receipt: Json, _rng: random.Random) -> Json:
    receipt["price"]["token"] = "TWINS"  # noqa: S105 - a currency
    return receipt


def _gguf(receipt: Json, rng: random.Random) -> Json:
    receipt["model"]["gguf"] = flip_hex(receipt["model"]["gguf"], rng)
    return receipt


def _library(receipt: Json, rng: random.Random) -> Json:
    receipt["model"]["library"] = rng.choice(["llama-cpp-python 0.3.37", "vLLM 1.0"])
    return receipt


def _time(receipt: Json, rng: random.Random) -> Json:
    times = ["2026-10-31T23:59:59Z", "2027-11-01T00:00:01Z", "0001-01-01T00:00:00Z"]
    return receipt | {"time": rng.choice(times)}


def _twin(receipt: Json, rng: random.Random) -> Json:
    return receipt | {"twin": flip_hex(receipt["twin"], rng)}


_TERMS = {
    "price": _price,
    "split": _split,
    "token": _token,
    "model": _gguf,
    "library": _library,
    "time outside of the validity": _time,
    "twin": _twin,
}
for _name in _TERMS:
    _of(_name)


def _is_fixed(plan: Plan) -> bool:
    return bool(plan.receipt["type"] == "fixed")


@mutation(4, "receipt", _is_fixed)
def _a_second_fixed_answer(receipt: Json, rng: random.Random) -> Json:
    return receipt | {"attempt": rng.randint(1, 9)}


@mutation(4, "manifest", _is_fixed)
def _a_rule_that_the_creator_never_signed(manifest: Json, _rng: random.Random) -> Json:
    return manifest | {"rules": []}
