"""Which replies an auditor replays (formats.md section 8.2), against a second reading of the page.

Nobody who logs a reply can know it: the answer hangs on the root of a head that is made later.
"""

import hashlib
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.errors import FormatError
from bot.crypto.merkle import leaf_hash, root_of
from bot.domain.statements import AuditVerdict, Sample, VerdictStatement

HASHES = st.binary(min_size=32, max_size=32)
MILLIONTHS = st.integers(1, 1_000_000).map(lambda n: format(Decimal(n) / 1_000_000, "f"))


def _by_the_page(root: bytes, receipt: bytes, share: str) -> bool:
    """Return what section 8.2 says, in whole numbers."""
    parts = b"".join(len(part).to_bytes(4, "big") + part for part in (root, receipt))
    drawn = hashlib.sha256(b"twinproof/v1/sample\x00" + parts).digest()
    return int.from_bytes(drawn[:8], "big") < Fraction(float(share)) * 2**64


@given(root=HASHES, receipt=HASHES, share=MILLIONTHS)
def test_sample_is_the_one_of_the_specification(root: bytes, receipt: bytes, share: str) -> None:
    assert Sample("log", 9, root, share).holds(receipt) is _by_the_page(root, receipt, share)


@given(root=HASHES, receipt=HASHES, spelling=st.sampled_from(["1", "1.0", "1.000000000"]))
def test_share_of_one_takes_all(root: bytes, receipt: bytes, spelling: str) -> None:
    assert Sample("log", 9, root, spelling).holds(receipt)


@given(root=HASHES, receipt=HASHES, shares=st.tuples(MILLIONTHS, MILLIONTHS))
def test_larger_share_of_one_head_holds_the_smaller_one(
    root: bytes, receipt: bytes, shares: tuple[str, str]
) -> None:
    small, large = sorted(shares, key=Decimal)
    if Sample("log", 9, root, small).holds(receipt):
        assert Sample("log", 9, root, large).holds(receipt)


@given(earlier=st.lists(st.binary(max_size=70), max_size=20), receipt=HASHES)
def test_nobody_knows_it_before_the_head(earlier: list[bytes], receipt: bytes) -> None:
    """Whatever was logged until the reply, what comes after it can still go either way."""
    leaves = [leaf_hash(leaf) for leaf in [*earlier, receipt]]
    answers = set()
    for number in range(200):
        root = root_of([*leaves, leaf_hash(b"later %d" % number)])
        answers.add(Sample("log", len(leaves) + 1, root, "0.5").holds(receipt))
        if len(answers) > 1:
            break

    assert answers == {True, False}


def test_a_tenth_is_about_a_tenth() -> None:
    sample = Sample("log", 9, b"r" * 32, "0.1")

    held = sum(sample.holds(hashlib.sha256(b"%d" % number).digest()) for number in range(10_000))

    assert 850 < held < 1150


@pytest.mark.parametrize("share", ["0", "0.0", "1.1", "2", "1e-1", ".5", "-0.1", "", "0.1 "])
def test_share_outside_the_limits_is_no_statement(share: str) -> None:
    sample = Sample("log", 9, b"r" * 32, share)
    data = VerdictStatement(b"h" * 32, AuditVerdict.EXACT, sample, "lib 1").encode()

    with pytest.raises(FormatError):
        VerdictStatement.parse(data)
