"""Trust policies: their one form in any spelling, and what they take out."""

import json
from dataclasses import replace

import pytest

from bot.domain.errors import UserError
from bot.ports.anchors import AnchorPlace
from bot.receipts.trust import RevokedKey, TrustPolicy, parse_policy
from scripts.vector_log import CONTRACT, fixed_key, witness_of
from scripts.vector_parts import CREATOR, LOG, MANIFEST, ORIGIN, POLICY
from scripts.vector_trust import NAMES

PLACE = {"chain": 100, "contract": CONTRACT}
REVOKED = {"manifest": MANIFEST.hash.hex(), "log": ORIGIN, "size": 7}
KEY = LOG.public_key.hex()
WITNESSES = [witness_of(name).encode() for name in NAMES]


def _parse(**changes: object) -> TrustPolicy:
    return parse_policy(json.dumps({**POLICY, **changes}).encode())


def test_policy_is_read_with_everything_that_it_can_say() -> None:
    policy = _parse(
        witnesses=WITNESSES, needed=2, auditors=[KEY], anchors=[PLACE], revoked=[REVOKED]
    )

    assert policy.creators == {CREATOR}
    assert policy.logs == {LOG.encode()}
    assert (policy.witnesses.needed, len(policy.witnesses.witnesses)) == (2, 3)
    assert policy.auditors == {LOG.public_key}
    assert policy.anchors == {AnchorPlace(100, bytes.fromhex(CONTRACT[2:]))}
    assert policy.revoked == (RevokedKey(MANIFEST.hash, ORIGIN, 7),)


def test_any_spelling_of_the_json_is_read() -> None:
    spelled = json.dumps(dict(reversed(POLICY.items())), indent=3).replace("twin", "\\u0074win", 1)

    assert parse_policy(b" \n" + spelled.encode()) == _parse()


@pytest.mark.parametrize(
    "change",
    [
        {"v": "twinproof-policy/2"},
        {"creators": CREATOR},
        {"creators": [1]},
        {"creators": ["0x00"]},
        {"creators": [CREATOR] * 257},
        {"logs": ["x"]},
        {"logs": [WITNESSES[0]]},
        {"witnesses": [LOG.encode()]},
        {"witnesses": [WITNESSES[0], WITNESSES[0]], "needed": 1},
        {"witnesses": WITNESSES, "needed": 4},
        {"needed": -1},
        {"needed": True},
        {"auditors": ["00" * 31]},
        {"auditors": ["01" + "00" * 31]},
        {"anchors": [{"chain": 0, "contract": CONTRACT}]},
        {"anchors": [{"chain": 1, "contract": CONTRACT.lower()}]},
        {"revoked": [{**REVOKED, "size": -1}]},
        {"revoked": [{**REVOKED, "log": "two words"}]},
        {"revoked": [{**REVOKED, "manifest": ""}]},
        {"x": 1},
    ],
    ids=repr,
)
def test_other_shape_is_refused_with_a_sentence(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"^The trust policy is not valid: .*\.$"):
        _parse(**change)


@pytest.mark.parametrize("key", sorted(POLICY))
def test_missing_key_is_refused(key: str) -> None:
    rest = {name: value for name, value in POLICY.items() if name != key}

    with pytest.raises(UserError, match=key):
        parse_policy(json.dumps(rest).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b'{"v":1,"v":2}', b'{"v":1.5}', b"[" * 40]
)
def test_what_is_no_policy_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(UserError, match=r"\.$"):
        parse_policy(data)


def test_lost_key_takes_what_was_signed_from_a_size_on_and_nothing_else() -> None:
    policy = replace(_parse(), revoked=(RevokedKey(MANIFEST.hash, ORIGIN, 7),))

    assert policy.revokes(MANIFEST.hash, {ORIGIN: 9}, 7)
    assert policy.revokes(MANIFEST.hash, {"elsewhere": 4, ORIGIN: 9}, 8)
    assert policy.revokes(MANIFEST.hash, {ORIGIN: 9}, 6) is None
    assert policy.revokes(MANIFEST.hash, {ORIGIN: 5}, 6), "a later log's own leaf"
    assert policy.revokes(MANIFEST.hash, {"elsewhere": 9}, 8) is None
    assert policy.revokes(fixed_key("other"), {ORIGIN: 9}, 8) is None
