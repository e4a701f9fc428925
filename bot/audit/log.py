"""The log: hashes and heads follow from the leaves, and each leaf is of one stored thing."""

from collections import Counter

from bot.audit.findings import FALSE, Findings
from bot.crypto import merkle
from bot.crypto.dsse import parse_envelope
from bot.crypto.errors import FormatError
from bot.crypto.signed_note import Checkpoint, VerifierKey, open_note
from bot.domain.leaf import Leaf, SealLeaf, VoidLeaf, parse_leaf
from bot.ports.audit import StoredRecords
from bot.transparency.lineage import Lineage, Seal, check_seals


def audit_seals(records: StoredRecords, log: VerifierKey, findings: Findings) -> Lineage:
    """Check the seals of the logs that this one continues, and that they lead to its key.

    Args:
        records: what is stored.
        log: the key that the service signs with.
        findings: collects what is wrong.

    Returns:
        Which logs took the leaves in; where the seals are wrong, the present one alone.
    """
    if not records.seals:
        return Lineage(log)
    findings.count("seals of earlier logs", len(records.seals))
    try:
        seals = check_seals([parse_envelope(stored.envelope) for stored in records.seals])
    except FALSE as error:
        findings.wrong.append(f"seals: {error}")
        return Lineage(log)
    for stored, seal in zip(records.seals, seals, strict=True):
        _check_place(records, stored.log_index, seal, findings)
    present = seals[-1].statement.successor
    findings.expect(
        present == log, f"seals: they lead to the log {present.name}, and the key is {log.name}'s"
    )
    return Lineage(present, seals)


def _check_place(records: StoredRecords, index: int, seal: Seal, findings: Findings) -> None:
    said = seal.statement
    where = f"seal of {said.log.name}"
    findings.expect(
        said.kept == index,
        f"{where}: stands at leaf {index}, and says that {said.kept} leaves were kept",
    )
    findings.expect(
        leaf_at(records, index) == SealLeaf(seal.digest),
        f"{where}: leaf {index} cites another statement",
    )


def audit_log(records: StoredRecords, lineage: Lineage, findings: Findings) -> None:
    """Check that stored subtree hashes and signed heads follow from the leaves.

    A head is signed by the log that took in the last leaf below it: a sealed log signs nothing
    after its seal.
    """
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
        log = lineage.at(head.size - 1)
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
    cited.update(verdict.log_index for verdict in records.verdicts)
    cited.update(seal.log_index for seal in records.seals)
    cited.update(table.log_index for table in records.rates)
    for reply in records.replies:
        indices = (
            *(reply.log_index, reply.outcome_index, reply.reversal_index, reply.refund_index),
        )
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
