"""One changed byte anywhere in a good bundle: a VerificationError, and nothing else, ever."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.domain.errors import VerificationError
from bot.receipts.bundle import encode_bundle, parse_bundle
from bot.receipts.trust import parse_policy
from bot.receipts.verify import verify_bundle
from scripts.vector_parts import OPENING_KEY, POLICY, Recipe, make_bundle

GOOD = encode_bundle(make_bundle(Recipe()))
TRUST = parse_policy(json.dumps(POLICY).encode())
SEALED = GOOD.index(b'"sealed":')
POSITIONS = st.integers(0, len(GOOD) - 1)


def test_unchanged_bundle_is_accepted_and_survives() -> None:
    assert verify_bundle(GOOD, key=OPENING_KEY, policy=TRUST).trust == "policy"
    assert encode_bundle(parse_bundle(GOOD)) == GOOD


@settings(max_examples=500)
@given(POSITIONS, st.integers(1, 255))
@example(0, 1)
@example(len(GOOD) - 1, 1)
def test_changed_byte_is_refused(position: int, mask: int) -> None:
    changed = bytearray(GOOD)
    changed[position] ^= mask

    with pytest.raises(VerificationError):
        verify_bundle(bytes(changed), key=OPENING_KEY, policy=TRUST)


@settings(max_examples=300)
@given(st.integers(0, SEALED - 1), st.integers(1, 255))
def test_changed_byte_outside_the_sealed_part_is_refused_without_a_key(
    position: int, mask: int
) -> None:
    changed = bytearray(GOOD)
    changed[position] ^= mask

    with pytest.raises(VerificationError):
        verify_bundle(bytes(changed), key=None, policy=TRUST)


@settings(max_examples=200)
@given(POSITIONS)
def test_removed_byte_is_refused(position: int) -> None:
    with pytest.raises(VerificationError):
        verify_bundle(GOOD[:position] + GOOD[position + 1 :], key=OPENING_KEY, policy=TRUST)


@settings(max_examples=200)
@given(st.integers(0, len(GOOD)), st.integers(0, 255))
def test_inserted_byte_is_refused(position: int, byte: int) -> None:
    with pytest.raises(VerificationError):
        verify_bundle(
            GOOD[:position] + bytes([byte]) + GOOD[position:], key=OPENING_KEY, policy=TRUST
        )


@given(POSITIONS)
def test_cut_bundle_is_refused_at_step_1(size: int) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_bundle(GOOD[:size], key=OPENING_KEY, policy=TRUST)

    assert caught.value.step == 1


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_refused_at_step_1(data: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_bundle(data, key=OPENING_KEY, policy=TRUST)

    assert caught.value.step == 1


@given(st.binary(max_size=64).filter(lambda key: key != OPENING_KEY))
def test_other_key_is_refused_at_step_5(key: bytes) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_bundle(GOOD, key=key, policy=TRUST)

    assert caught.value.step == 5
