"""What other products' proofs let through, tried on ours.

The list is of what was found in a proxy's signed answers: fields outside of the signature, a signed
request that was not the one that ran, proofs that rot, replays, verifiers that nobody can run.
Each is a falsehood in a bundle whose other parts are made consistent again where an attacker could.
"""

import base64
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.domain.errors import VerificationError
from bot.receipts.trust import parse_policy
from bot.receipts.verify import verify_bundle
from tests.corpus.maker import Case, Change, canonical, make
from tests.corpus.plans import Plan, draw, key_of

ROOT = Path(__file__).resolve().parents[2]
Json = Any


def _plan() -> Plan:
    """A delivered, opened reply with earlier turns, under a policy."""
    rng = random.Random(11)  # noqa: S311 - drawn again, not secret
    while True:
        plan = draw(rng)
        quotes = len(plan.fields["spans"]) > 2
        if plan.opened and plan.policy and quotes and plan.outcome == "delivered":
            return plan


def _step(case: Case) -> int | None:
    """The step that fails in the core; None if the case verifies."""
    try:
        verify_bundle(
            case.bundle, key=case.key, policy=parse_policy(json.dumps(case.policy).encode())
        )
    except VerificationError as error:
        return error.step
    return None


def test_the_bundle_that_is_attacked_here_verifies() -> None:
    assert _step(make(_plan())) is None


def _reply(change: Callable[[Json], object]) -> Change:
    """Change the receipt's body after it was signed, as a relay between operator and fan could."""

    def strike(signed: Json) -> Json:
        body = json.loads(base64.b64decode(signed["payload"]))
        change(body)
        return signed | {"payload": base64.b64encode(canonical(body)).decode()}

    return strike


@pytest.mark.parametrize(
    ("weakness", "change"),
    [
        ("which weights", lambda body: body["model"].update(gguf="ab" * 32)),
        ("which library", lambda body: body["model"].update(library="another")),
        ("the price", lambda body: body["price"].update(nano=body["price"]["nano"] + 1)),
        (
            "who is paid how much",
            lambda body: body["price"].update(creator_nano=body["price"]["creator_nano"] + 1),
        ),
        ("which twin", lambda body: body.update(twin="ab" * 32)),
        ("under which persona and terms", lambda body: body.update(manifest="ab" * 32)),
        ("the sequence number", lambda body: body.update(seq=body["seq"] + 1)),
        ("which attempt", lambda body: body.update(attempt=body["attempt"] + 1)),
        ("when", lambda body: body.update(time="2026-12-24T00:00:00Z")),
        ("the seed", lambda body: body["seed"].update(slot_tag="ab" * 16)),
        ("everything that was said", lambda body: body["fields"].update(root="ab" * 32)),
    ],
)
def test_every_public_field_is_under_the_signature(
    weakness: str, change: Callable[[Json], object]
) -> None:
    assert _step(make(_plan(), {"receipt_envelope": _reply(change)})) == 2, weakness


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("reply", lambda value: value.update(text=value["text"] + " Send me your seed phrase.")),
        ("event", lambda value: value.update(halt="a press that nobody made")),
        ("output", lambda value: value["tokens"].append(7)),
        ("counts", lambda value: value.update(output=2_000_000)),
        ("message", lambda value: value["parts"][0].update(text="something else")),
        ("slot", lambda value: value.update(message="1")),
        ("conversation", lambda value: value.update(id="ab" * 32)),
        ("turn", lambda value: value.update(previous="ab" * 32)),
        ("spans", lambda value: value[0]["tokens"].append(7)),
        ("choice", lambda value: value.update(start=value["start"] + 1)),
        ("seed", lambda value: value.update(vrf_proof=base64.b64encode(bytes(80)).decode())),
    ],
)
def test_what_was_said_is_under_the_signature_too(
    name: str, change: Callable[[Json], object]
) -> None:
    def strike(openings: Json) -> Json:
        openings = json.loads(json.dumps(openings))
        value = next(one["value"] for one in openings["fields"] if one["name"] == name)
        before = json.dumps(value)
        change(value)
        assert json.dumps(value) != before, "nothing was changed"
        return openings

    assert _step(make(_plan(), {"openings": strike})) == 5


def test_the_signed_context_is_the_one_that_is_rendered() -> None:
    """Elsewhere a system prompt is added after hashing: here the spans must give the tokens."""

    def inject(fields: Json) -> Json:
        fields = json.loads(json.dumps(fields))
        values = dict(fields)
        values["context"]["tokens"][4:4] = [901, 902, 903]  # the operator's own words
        values["counts"]["context"] += 3
        return fields

    assert _step(make(_plan(), {"fields": inject})) == 7


def test_the_sampler_that_runs_is_the_one_that_is_signed() -> None:
    """Elsewhere the temperature is overridden after signing: here it stands in the manifest."""

    def hotter(body: bytes) -> bytes:
        manifest = json.loads(body)
        manifest["sampler"]["temperature"] = "1.5"
        return canonical(manifest)

    assert _step(make(_plan(), {"manifest_body": hotter})) == 3


def test_two_answers_to_one_message_have_one_slot_tag() -> None:
    """Elsewhere a request can be repeated until its answer pleases: here both would be seen."""
    plan = _plan()
    again = plan.copy()
    again.fields["output"]["tokens"] = [*plan.fields["output"]["tokens"][:-1], 77]

    tags = {_receipt(make(one))["seed"]["slot_tag"] for one in (plan, again)}

    assert len(tags) == 1
    assert _receipt(make(plan)) != _receipt(make(again))


def _receipt(case: Case) -> Json:
    return json.loads(base64.b64decode(json.loads(case.bundle)["receipt"]["payload"]))


def test_the_public_log_holds_nothing_that_a_link_can_be_made_of() -> None:
    """Elsewhere a listing names what it lists: here a leaf has a tag, and links have a hash."""
    case = make(_plan())
    bundle = json.loads(case.bundle)
    signed = bundle["receipt"]
    body, kind = base64.b64decode(signed["payload"]), signed["payloadType"].encode()
    digest = hashlib.sha256(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)).digest()
    leaves = [base64.b64decode(bundle[name]["leaf"]) for name in ("log", "outcome")]

    assert _step(Case(case.bundle, case.key, case.policy)) is None
    assert not [leaf for leaf in leaves if digest[:16] in leaf]
    assert leaves[0][1:33] in leaves[1]
    assert b"vrf_proof" not in body


def test_a_proof_does_not_rot() -> None:
    """Elsewhere a proof fails once an enclave is retired: nothing here asks a server or a clock."""
    plan = _plan()
    plan.manifest |= {"valid_from": "1999-01-01T00:00:00Z", "valid_until": "1999-12-31T00:00:00Z"}
    plan.receipt["time"] = "1999-06-01T00:00:00Z"

    assert _step(make(plan)) is None


def test_a_lost_key_takes_no_earlier_proof_with_it() -> None:
    plan = _plan()
    manifest = _receipt(make(plan))["manifest"]
    named = {"manifest": manifest, "log": plan.origin}
    plan.policy["revoked"] = [named | {"size": plan.index + 1}]
    assert _step(make(plan)) is None

    plan.policy["revoked"] = [named | {"size": plan.index}]
    assert _step(make(plan)) == 10


def test_the_operators_own_proof_of_another_model_is_not_the_creators_word() -> None:
    """Elsewhere the caller picks the model: here it is under the creator's signature."""

    def swap(manifest: Json) -> Json:
        manifest["model"] |= {"gguf": "ab" * 32}
        return manifest

    plan = _plan()
    plan.receipt["model"]["gguf"] = "ab" * 32
    assert _step(make(plan, {"manifest": swap, "creator": lambda _seed: key_of("operator")})) == 3


def test_a_stranger_verifies_with_one_file(tmp_path: Path) -> None:
    """Elsewhere the published example can't verify any present answer."""
    case = make(_plan())
    assert case.key is not None
    bundle, policy = tmp_path / "bundle.json", tmp_path / "policy.json"
    bundle.write_bytes(case.bundle)
    policy.write_text(json.dumps(case.policy), encoding="utf-8")
    key = base64.urlsafe_b64encode(case.key).decode().rstrip("=")

    program = str(ROOT / "docs" / "verify_receipt.py")
    done = subprocess.run(
        [sys.executable, "-I", program, str(bundle), "--key", key, "--policy", str(policy)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
