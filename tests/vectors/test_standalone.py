"""docs/verify_receipt.py, the verifier that travels alone: RFCs, goldens, hostile JSON, command."""

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docs import verify_receipt as vr
from tests.vectors.standalone_world import (
    KEY,
    KEY_TEXT,
    World,
    jcs,
    policy,
)

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "verify_receipt.py"
SPEC = ROOT / "docs" / "spec"
SHARED = ROOT.parent / "shared" / "vectors"
VRF_FILE = SHARED / "rfc9381-ecvrf-edwards25519-sha512-tai.json"


HOSTILE = {
    "deep": (b"[" * 100000, "nested more than 32 deep"),
    "nested 33 deep": (b"[" * 33 + b"]" * 33, "nested more than 32 deep"),
    "nested 32 deep": (b"[" * 32 + b"]" * 32, "not an object"),
    "not UTF-8": (b'{"v":"\xff"}', "not UTF-8"),
    "half a surrogate pair": (b'{"v":"\\ud800"}', "half of a surrogate pair"),
    "twice": (b'{"v":"a","v":"a"}', "stands twice"),
    "a float": (b'{"v":1.0}', "no integer"),
    "an exponent": (b'{"v":1e999}', "no integer"),
    "not a number": (b'{"v":NaN}', "no integer"),
    "digits": (b'{"v":' + b"9" * 100000 + b"}", "a number of 100000 digits"),
    "2^53": (b'{"v":9007199254740992}', "outside of"),
    "minus zero": (b'{"v":-0}', "another spelling"),
    "an escape": (b'{"v":"\\u0061"}', "another spelling"),
    "too large": (b'"' + b"a" * (4 * 2**20) + b'"', "larger than 4 MiB"),
    "too many": (b"[" + b"0," * 65536 + b"0]", "more than 65536 items"),
    "nothing": (b"", "not JSON"),
    "a list": (b"[]", "not an object"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "not JSON"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_a_clear_error_of_step_1(name: str) -> None:
    data, sentence = HOSTILE[name]

    with pytest.raises(vr.VerificationError, match=sentence) as refused:
        vr.verify(data)

    assert refused.value.step == 1


BASE = jcs(World().bundle())


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, len(BASE) - 1), st.binary(min_size=1, max_size=1), st.sampled_from([KEY, None])
)
def test_no_changed_byte_goes_unnoticed_or_breaks_the_verifier(
    spot: int, byte: bytes, key: bytes | None
) -> None:
    changed = BASE[:spot] + byte + BASE[spot + 1 :]

    proof = vr.check(vr.Proof(changed, key, policy()))

    # Without the key nothing vouches for the sealed part.
    in_sealed = spot > BASE.index(b'"sealed":')
    assert proof.failure is not None or changed == BASE or (in_sealed and key is None)


def test_keys_are_ordered_as_rfc_8785_orders_them() -> None:
    folder = SHARED / "rfc8785" / "testdata"
    if not folder.is_dir():
        pytest.skip("the RFC 8785 vectors are not here")
    for name in ("french", "weird", "unicode"):
        read = vr.loads((folder / "input" / f"{name}.json").read_bytes())
        assert vr.jcs(read) == (folder / "output" / f"{name}.json").read_bytes().strip()


VRF_CASES = json.loads(VRF_FILE.read_text())["vectors"] if VRF_FILE.is_file() else []


@pytest.mark.skipif(not VRF_CASES, reason="the RFC 9381 vectors are not here")
@pytest.mark.parametrize("vector", VRF_CASES, ids=("16", "17", "18")[: len(VRF_CASES)])
def test_vrf_outputs_are_as_rfc_9381_publishes(vector: dict[str, str]) -> None:
    key, alpha, proof = (bytes.fromhex(vector[name]) for name in ("pk", "alpha", "pi"))

    assert vr.vrf_output(key, alpha, proof).hex() == vector["beta"]
    with pytest.raises(vr.RefusalError):
        vr.vrf_output(key, alpha + b"x", proof)
    s_and_order = int.from_bytes(proof[48:], "little") + vr.L
    with pytest.raises(vr.RefusalError, match="decoded"):
        vr.vrf_output(key, alpha, proof[:48] + s_and_order.to_bytes(32, "little"))


GOLDEN = [json.loads(file.read_text()) for file in sorted((SPEC / "vectors").glob("*.json"))]


@pytest.mark.parametrize("vector", GOLDEN, ids=lambda vector: vector["name"])
def test_golden_bundles_are_judged_as_the_specification_says(vector: Json) -> None:
    assert vr.answer_case(vector | {"receipt_id": None}) == vector["expect"]


def test_the_rules_are_those_of_the_specification() -> None:
    rules = json.loads((SPEC / "rules.json").read_text())["rules"]
    stated = {it["id"]: ("|".join(it["phrases"]), "|".join(it["not"]), it["text"]) for it in rules}

    assert stated == vr.RULES
    assert vr.first_rule(["crisis/1"], "the SUICIDE squad, and suicide") == "crisis/1"
    assert vr.first_rule(["crisis/1"], "\u212aill myself") is None  # the Kelvin sign is no k


def test_it_imports_the_standard_library_and_cryptography_only() -> None:
    tree = ast.parse(FILE.read_text())
    names = [
        alias.name for it in ast.walk(tree) if isinstance(it, ast.Import) for alias in it.names
    ]
    names += [str(it.module) for it in ast.walk(tree) if isinstance(it, ast.ImportFrom)]
    roots = {name.partition(".")[0] for name in names}

    assert roots - {"cryptography"} <= sys.stdlib_module_names
    assert not any(isinstance(it, ast.ImportFrom) and it.level for it in ast.walk(tree))


def run(folder: Path, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    command = [sys.executable, "-I", str(FILE), *arguments]
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_the_command_says_what_it_found_and_exits_with_it(tmp_path: Path) -> None:
    (tmp_path / "proof.json").write_bytes(jcs(World().bundle()))
    (tmp_path / "policy.json").write_text(json.dumps(policy(), indent=1))

    code, out, _ = run(tmp_path, f"proof.json#k={KEY_TEXT}", "--policy", "policy.json")
    assert code == 0
    assert [row.split()[0] for row in out.splitlines()[:10]] == [str(n) for n in range(1, 11)]
    assert "VERIFIED: L0, L1; trust: policy." in out
    assert "Hi \\u{1b}[2J!" in out  # no escape sequence reaches the terminal
    assert "\x1b" not in out
    assert "before that" in out
    assert "cost: 0.002000001 TWIN: the operator's budget pays; free for the fan; creator" in out
    assert "creator 0.001701, operator 0.000299001" in out

    code, out, _ = run(tmp_path, "-", "--json", given=(tmp_path / "proof.json").read_bytes())
    assert (code, json.loads(out)["levels"]) == (0, ["L0", "L1-unwitnessed"])

    code, out, _ = run(tmp_path, "proof.json", "--receipt-id", "A" * 22)
    assert code == 1
    assert "NOT VERIFIED. Step 1" in out


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("absent.json",),
        ("proof.json", "--key", "short"),
        (f"proof.json#k={KEY_TEXT}", "--key", KEY_TEXT),
        ("proof.json", "--policy", "proof.json"),
        ("proof.json", "--nonsense"),
    ],
)
def test_arguments_that_cannot_be_read_exit_with_2(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "proof.json").write_text("{}")

    assert run(tmp_path, *arguments)[0] == 2


def test_cases_are_answered_line_by_line(tmp_path: Path) -> None:
    bundle = jcs(World().bundle()).decode()
    common = {"key": KEY_TEXT, "policy": None, "receipt_id": None}
    cases = [
        common | {"bundle": bundle},
        common | {"bundle": bundle, "key": base64.urlsafe_b64encode(bytes(32)).decode()[:43]},
        common | {"bundle": "\ud800"},
        common | {"bundle": bundle, "policy": {"v": "?"}},
    ]

    code, out, _ = run(tmp_path, "--cases", given="\n".join(map(json.dumps, cases)).encode())

    assert code == 0
    answers = [json.loads(row) for row in out.splitlines()]
    assert answers[0] == {
        "levels": ["L0", "L1-unwitnessed"],
        "trust": "self-consistent",
        "opened": True,
    }
    assert answers[1:] == [{"step": 5}, {"step": 1}, {"step": 10}]
    assert run(tmp_path, "--cases", given=b"[]")[0] == 2
