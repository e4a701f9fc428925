"""The log: hashes and heads follow from the leaves, and each leaf is of one stored thing."""

from collections import Counter

from bot.audit.findings import FALSE, Findings
from bot.crypto import merkle
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.leaf import Leaf, VoidLeaf, parse_leaf
from bot.ports.audit import StoredRecords


def audit_log(records: StoredRecords, log: VerifierKey, findings: Findings) -> None:
    """Check that stored subtree hashes and signed heads follow from the leaves."""
    derived = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves])
    findings.count("log leaves", len(records.leaves))
    findings.expect(derived == records.nodes, "log: stored hashes do not follow from the leaves")
    for head in records.checkpoints:
        findings.count("signed heads")
        where = f"head of size {head.size}"
        if head.size > len(records.leaves):
            findings.wrong.append(f"{where}: the log is shorter")
            continue
        findings.expect(
            merkle.root_from_nodes(head.size, derived) == head.root, f"{where}: another root"
        )
        try:
            checkpoint = Checkpoint.parse(open_note(head.note, log).text)
        except FALSE as error:
            findings.wrong.append(f"{where}: {error}")
            continue
        same = checkpoint == Checkpoint(log.name, head.size, head.root)
        findings.expect(same, f"{where}: the signed text says something else")


def audit_leaves(records: StoredRecords, findings: Findings) -> None:
    """Check that each leaf is of something that is stored, and of one thing only."""
    cited = Counter(manifest.log_index for manifest in records.manifests)
    cited.update(order.log_index for order in records.orders)
    for reply in records.replies:
        indices = (reply.log_index, reply.outcome_index, reply.reversal_index)
        cited.update(index for index in indices if index is not None)
    void = {(i.slot_tag, i.attempt) for i in records.intents if i.state == "void"}
    for index in range(len(records.leaves)):
        leaf = leaf_at(records, index)
        if isinstance(leaf, VoidLeaf):
            cited[index] += (leaf.slot_tag, leaf.attempt) in void
        findings.expect(leaf is not None, f"leaf {index}: can't be read")
        findings.expect(cited[index] == 1, f"leaf {index}: is of {cited[index]} stored things")


def leaf_at(records: StoredRecords, index: int) -> Leaf | None:
    """Return a leaf; None where there is none or nothing that can be read."""
    if not 0 <= index < len(records.leaves):
        return None
    try:
        return parse_leaf(records.leaves[index])
    except FormatError:
        return None
