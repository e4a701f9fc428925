from hypothesis import given
from hypothesis import strategies as st

from bot.crypto import merkle
from bot.crypto.errors import MismatchError

SIZES = st.integers(1, 200)
LEAVES = [merkle.leaf_hash(number.to_bytes(2, "big")) for number in range(200)]


def _reference_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, as the text writes it."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(_reference_root(leaves[:split]), _reference_root(leaves[split:]))


@given(SIZES)
def test_root_from_appended_nodes_is_that_of_the_definition(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]) == _reference_root(LEAVES[:size])


@given(SIZES, st.data())
def test_every_leaf_is_proved_included_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion_proof(LEAVES[:size], index)
    root = merkle.root_of(LEAVES[:size])

    merkle.verify_inclusion(leaf=LEAVES[index], index=index, size=size, proof=proof, root=root)
    for other in {0, size - 1, (index + 1) % size} - {index}:
        try:
            merkle.verify_inclusion(
                leaf=LEAVES[index], index=other, size=size, proof=proof, root=root
            )
        except MismatchError:
            continue
        raise AssertionError(f"leaf {index} passes for leaf {other}")


@given(SIZES, st.data())
def test_any_two_sizes_of_one_log_are_consistent(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    old_root, new_root = merkle.root_of(LEAVES[:old]), merkle.root_of(LEAVES[:new])
    every = merkle.tree_nodes(LEAVES[:new])
    needed = {node: every[node] for node in merkle.consistency_nodes(old, new)}

    merkle.verify_consistency(
        old=old,
        new=new,
        proof=merkle.consistency_from_nodes(old, new, needed),
        old_root=old_root,
        new_root=new_root,
    )


@given(SIZES, st.data())
def test_history_with_one_leaf_changed_is_not_consistent(new: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, new))
    changed = data.draw(st.integers(0, old - 1))
    forged = [merkle.leaf_hash(b"forged") if i == changed else h for i, h in enumerate(LEAVES)]

    try:
        merkle.verify_consistency(
            old=old,
            new=new,
            proof=merkle.consistency_proof(forged[:new], old),
            old_root=merkle.root_of(LEAVES[:old]),
            new_root=merkle.root_of(forged[:new]),
        )
    except MismatchError:
        return
    raise AssertionError("a changed history passes")
