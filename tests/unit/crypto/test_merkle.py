import pytest

from bot.crypto import merkle
from bot.crypto.errors import FormatError, MismatchError

LEAVES = [merkle.leaf_hash(bytes([number])) for number in range(7)]


def test_empty_tree_has_the_hash_of_nothing() -> None:
    assert merkle.root_of([]) == merkle.EMPTY_ROOT
    assert merkle.frontier_nodes(0) == []


def test_root_of_three_leaves_joins_them_by_the_rfc() -> None:
    left = merkle.node_hash(LEAVES[0], LEAVES[1])

    assert merkle.root_of(LEAVES[:3]) == merkle.node_hash(left, LEAVES[2])


def test_frontier_is_the_binary_spelling_of_the_size() -> None:
    assert merkle.frontier_nodes(7) == [(2, 0), (1, 2), (0, 6)]


def test_append_returns_exactly_the_completed_subtrees() -> None:
    nodes = merkle.tree_nodes(LEAVES[:3])

    added = merkle.nodes_to_append(3, LEAVES[3], nodes)

    assert [(level, index) for level, index, _ in added] == [(0, 3), (1, 1), (2, 0)]
    assert added[-1][2] == merkle.root_of(LEAVES[:4])


def test_planner_names_every_node_that_an_answer_reads() -> None:
    every = merkle.tree_nodes(LEAVES)
    inclusion = {node: every[node] for node in merkle.inclusion_nodes(4, 7)}
    consistency = {node: every[node] for node in merkle.consistency_nodes(3, 7)}
    frontier = {node: every[node] for node in merkle.frontier_nodes(7)}

    assert merkle.inclusion_from_nodes(4, 7, inclusion) == merkle.inclusion_proof(LEAVES, 4)
    assert merkle.consistency_from_nodes(3, 7, consistency) == merkle.consistency_proof(LEAVES, 3)
    assert merkle.root_from_nodes(7, frontier) == merkle.root_of(LEAVES)


def test_proof_in_an_older_tree_needs_no_newer_node() -> None:
    nodes = merkle.tree_nodes(LEAVES)

    proof = merkle.inclusion_from_nodes(1, 3, nodes)

    assert proof == merkle.inclusion_proof(LEAVES[:3], 1)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (7, 7), (-1, 7)])
def test_leaf_outside_the_tree_is_refused(index: int, size: int) -> None:
    with pytest.raises(FormatError):
        merkle.inclusion_nodes(index, size)
    with pytest.raises(FormatError):
        merkle.verify_inclusion(leaf=LEAVES[0], index=index, size=size, proof=[], root=b"")


@pytest.mark.parametrize(("old", "new"), [(0, 1), (0, 0), (3, 2)])
def test_consistency_of_impossible_sizes_is_refused(old: int, new: int) -> None:
    with pytest.raises(FormatError):
        merkle.consistency_nodes(old, new)


@pytest.mark.parametrize("proof", [[b"short"], [bytes(33)], [bytes(32)] * 64])
def test_proof_with_impossible_hashes_is_refused(proof: list[bytes]) -> None:
    with pytest.raises(FormatError):
        merkle.verify_inclusion(leaf=LEAVES[0], index=0, size=2**63, proof=proof, root=bytes(32))


def test_leaf_does_not_pass_for_a_node() -> None:
    root = merkle.root_of(LEAVES[:4])
    inner = merkle.node_hash(LEAVES[0], LEAVES[1])
    other = merkle.node_hash(LEAVES[2], LEAVES[3])

    with pytest.raises(MismatchError):
        merkle.verify_inclusion(leaf=inner, index=0, size=4, proof=[other], root=root)
