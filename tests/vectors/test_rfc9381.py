"""RFC 9381 appendix B.3: ECVRF-EDWARDS25519-SHA512-TAI, examples 16 to 18."""

import json
from pathlib import Path

import pytest

from bot.crypto import vrf

FILE = (
    Path(__file__).parents[2].parent
    / "shared"
    / "vectors"
    / "rfc9381-ecvrf-edwards25519-sha512-tai.json"
)
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the RFC 9381 vectors are not here")
CASES = json.loads(FILE.read_text())["vectors"] if FILE.is_file() else []


@pytest.mark.parametrize("case", CASES, ids=("16", "17", "18")[: len(CASES)])
def test_key_proof_and_output_are_as_published(case: dict[str, str]) -> None:
    secret, alpha = bytes.fromhex(case["sk"]), bytes.fromhex(case["alpha"])
    public, proof = bytes.fromhex(case["pk"]), bytes.fromhex(case["pi"])

    assert vrf.public_key_of(secret) == public
    assert vrf.prove(secret, alpha) == proof
    assert vrf.verify(public, alpha, proof).hex() == case["beta"]
    assert vrf.proof_to_hash(proof).hex() == case["beta"]
