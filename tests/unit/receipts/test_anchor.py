"""Anchors in a bundle, and what is made of what nodes say; without any node."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.crypto.canonical import JsonValue
from bot.crypto.errors import FormatError, MismatchError
from bot.crypto.merkle import inclusion_proof, leaf_hash, root_of
from bot.ports.anchors import Anchor, AnchorAnswers, AnchorPlace, CommittedHead
from bot.receipts.anchor import (
    AnchorReport,
    AnchorState,
    NamedFinding,
    anchor_to_json,
    check_anchor,
    check_placement,
    join_findings,
    read_anchor,
    read_place,
)

PLACE = AnchorPlace(8453, b"\xab" * 20)
LEAVES = [leaf_hash(b"%d" % number) for number in range(11)]
SIZE = 7
ANCHOR = Anchor(
    place=PLACE,
    epoch=3,
    size=SIZE,
    root=root_of(LEAVES[:SIZE]),
    inclusion=tuple(inclusion_proof(LEAVES[:SIZE], 4)),
)
COMMIT = CommittedHead(ANCHOR.root, ANCHOR.size, 100)
GOOD = AnchorAnswers(chain=8453, commits=(COMMIT,), vetoes=0, newest=200, finalized=100)


def test_a_commitment_in_a_named_contract_is_level_2() -> None:
    found = check_anchor(ANCHOR, GOOD, {PLACE})

    assert (found.state, found.level) == (AnchorState.ANCHORED, "L2")


@pytest.mark.parametrize(
    "policy",
    [set(), {AnchorPlace(1, PLACE.contract)}, {AnchorPlace(8453, b"\xac" * 20)}],
    ids=["none", "another chain", "another contract"],
)
def test_a_contract_that_the_policy_does_not_name_gives_no_level(policy: set[AnchorPlace]) -> None:
    found = check_anchor(ANCHOR, GOOD, policy)

    assert (found.state, found.is_named, found.level) == (AnchorState.ANCHORED, False, None)
    assert "no policy of yours names" in found.sentence


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        (replace(GOOD, chain=1), AnchorState.OTHER_CHAIN),
        (replace(GOOD, commits=()), AnchorState.NO_LOG),
        (replace(GOOD, commits=(COMMIT, COMMIT)), AnchorState.TWO_LOGS),
        (replace(GOOD, commits=(replace(COMMIT, root=b"r" * 32),)), AnchorState.OTHER_ROOT),
        (replace(GOOD, commits=(replace(COMMIT, size=8),)), AnchorState.OTHER_SIZE),
        (replace(GOOD, vetoes=1), AnchorState.VETOED),
        (replace(GOOD, finalized=99), AnchorState.PENDING),
        (replace(GOOD, finalized=None, newest=111), AnchorState.PENDING),
        (replace(GOOD, finalized=None, newest=112), AnchorState.ANCHORED),
        (replace(GOOD, finalized=99, newest=10_000), AnchorState.PENDING),
    ],
)
def test_each_answer_has_its_state(answers: AnchorAnswers, state: AnchorState) -> None:
    found = check_anchor(ANCHOR, answers, {PLACE})

    assert found.state is state
    assert (found.level == "L2") is (state is AnchorState.ANCHORED)


def test_a_contradiction_that_is_not_final_is_a_contradiction() -> None:
    answers = replace(GOOD, commits=(replace(COMMIT, root=b"r" * 32),), finalized=0)

    assert check_anchor(ANCHOR, answers, {PLACE}).state is AnchorState.OTHER_ROOT


def test_what_is_false_what_is_not_yet_and_what_was_not_asked_are_three_things() -> None:
    assert {state for state in AnchorState if not state.is_false} == {
        AnchorState.ANCHORED,
        AnchorState.PENDING,
        AnchorState.OTHER_CHAIN,
    }


def join(*answers: AnchorAnswers) -> AnchorReport:
    return join_findings(
        [
            NamedFinding(f"node {number}", check_anchor(ANCHOR, one, {PLACE}))
            for number, one in enumerate(answers)
        ]
    )


def test_nodes_that_agree_give_their_finding() -> None:
    report = join(GOOD, GOOD)

    assert report.agreed is not None
    assert report.agreed.level == "L2"
    assert report.sentence.startswith("2 RPCs agree: ")


def test_a_node_that_is_behind_makes_it_not_final_yet() -> None:
    for order in ((GOOD, replace(GOOD, finalized=50)), (replace(GOOD, finalized=50), GOOD)):
        report = join(*order)

        assert report.agreed is not None
        assert report.agreed.state is AnchorState.PENDING


@pytest.mark.parametrize(
    "other",
    [
        replace(GOOD, commits=()),
        replace(GOOD, vetoes=1),
        replace(GOOD, chain=1),
        replace(GOOD, commits=(replace(COMMIT, size=8),)),
    ],
)
def test_nodes_that_disagree_give_no_level_and_say_who_says_what(other: AnchorAnswers) -> None:
    report = join(GOOD, other)

    assert report.agreed is None
    assert "node 0 says: anchored; node 1 says: " in report.sentence


def test_a_placement_holds_and_each_part_of_it_counts() -> None:
    head = {"head_size": 11, "head_root": root_of(LEAVES)}
    check_placement(ANCHOR, leaf=LEAVES[4], index=4, head_size=11, head_root=root_of(LEAVES))
    check_placement(ANCHOR, leaf=LEAVES[4], index=4, head_size=SIZE, head_root=ANCHOR.root)

    with pytest.raises(FormatError, match="too small"):
        check_placement(ANCHOR, leaf=LEAVES[7], index=7, **head)  # type: ignore[arg-type]
    with pytest.raises(MismatchError, match="one size and differ"):
        check_placement(ANCHOR, leaf=LEAVES[4], index=4, head_size=SIZE, head_root=b"r" * 32)
    for changed in (
        replace(ANCHOR, root=b"r" * 32),
        replace(ANCHOR, size=9),
        replace(ANCHOR, inclusion=ANCHOR.inclusion[:-1]),
        replace(ANCHOR, inclusion=(*ANCHOR.inclusion, b"x" * 32)),
    ):
        with pytest.raises(MismatchError):
            check_placement(changed, leaf=LEAVES[4], index=4, **head)  # type: ignore[arg-type]


@given(
    st.builds(
        Anchor,
        place=st.builds(
            AnchorPlace, st.integers(1, 2**53 - 1), st.binary(min_size=20, max_size=20)
        ),
        epoch=st.integers(1, 2**53 - 1),
        size=st.integers(0, 2**53 - 1),
        root=st.binary(min_size=32, max_size=32),
        inclusion=st.lists(st.binary(min_size=32, max_size=32), max_size=63).map(tuple),
    )
)
def test_an_anchor_reads_back_as_it_was_written(anchor: Anchor) -> None:
    assert read_anchor(anchor_to_json(anchor), "anchor") == anchor


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chain", 0),
        ("chain", 2**53),
        ("chain", "1"),
        ("epoch", 0),
        ("size", -1),
        ("contract", "0x" + "ab" * 20),
        ("contract", "ab" * 20),
        ("root", "AB" * 32),
        ("root", "ab" * 31),
        ("inclusion", ["AAAA"]),
        ("inclusion", [7]),
        ("inclusion", ["A" * 43 + "="] * 64),
        ("block", 1),
    ],
)
def test_an_anchor_of_another_form_is_refused(key: str, value: JsonValue) -> None:
    written = anchor_to_json(ANCHOR)
    assert isinstance(written, dict)

    with pytest.raises(FormatError, match=r"^anchor"):
        read_anchor({**written, key: value}, "anchor")


def test_a_policy_names_contracts_by_chain_and_address() -> None:
    written = anchor_to_json(ANCHOR)
    assert isinstance(written, dict)
    place: JsonValue = {"chain": 8453, "contract": written["contract"]}

    assert read_place(place, "policy.anchors[0]") == PLACE
    with pytest.raises(FormatError, match="contract"):
        read_place({"chain": 8453, "contract": "0x" + "ab" * 20}, "policy.anchors[0]")
