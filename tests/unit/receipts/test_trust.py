import pytest

from bot.domain.errors import UserError
from bot.receipts.trust import parse_policy
from scripts.vector_parts import CREATOR, LOG, POLICY


def test_policy_is_read_from_a_plain_mapping() -> None:
    policy = parse_policy(POLICY)

    assert policy.creators == {CREATOR}
    assert policy.logs == {LOG.encode()}


@pytest.mark.parametrize(
    "change",
    [{"creators": CREATOR}, {"creators": [1]}, {"creators": ["0x00"]}, {"logs": ["x"]}, {"x": 1}],
    ids=repr,
)
def test_other_shape_is_refused_with_a_sentence(change: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"\.$"):
        parse_policy({**POLICY, **change})


def test_missing_key_is_refused() -> None:
    with pytest.raises(UserError):
        parse_policy({"creators": []})
