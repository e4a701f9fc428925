"""What creators have signed: manifests and orders."""

from collections import defaultdict
from collections.abc import Sequence

from bot.audit.findings import FALSE, Findings
from bot.audit.log import leaf_at
from bot.crypto.eip712 import parse_signature, recover_signer
from bot.crypto.hashing import sha256
from bot.domain.leaf import ManifestLeaf, OrderLeaf, twin_prefix
from bot.domain.manifest import Manifest, parse_manifest, signing_data
from bot.domain.order import OrderAction, TwinOrder, order_data, parse_order
from bot.ports.audit import StoredRecords
from bot.ports.stores import StoredManifest, StoredOrder
from bot.transparency.lineage import Lineage


def audit_manifests(records: StoredRecords, findings: Findings) -> None:
    """Check that each manifest is logged and signed by its creator."""
    for stored in records.manifests:
        findings.count("manifests")
        try:
            _check_manifest(records, stored, findings)
        except FALSE as error:
            findings.wrong.append(f"manifest {stored.manifest_hash.hex()[:16]}: {error}")


def _check_manifest(records: StoredRecords, stored: StoredManifest, findings: Findings) -> None:
    where = f"manifest {stored.manifest_hash.hex()[:16]}"
    manifest = parse_manifest(stored.body)
    known = {one.manifest_hash for one in records.manifests if one.twin == stored.twin}
    signer = recover_signer(signing_data(manifest).digest(), parse_signature(stored.signature))
    leaf = ManifestLeaf(stored.manifest_hash, twin_prefix(stored.twin))
    findings.expect(manifest.hash == stored.manifest_hash, f"{where}: another hash")
    findings.expect(manifest.previous in {None, *known}, f"{where}: its predecessor is missing")
    findings.expect(manifest.twin == stored.twin == manifest.derived_twin, f"{where}: wrong twin")
    findings.expect(signer == manifest.creator, f"{where}: not signed by its creator")
    findings.expect(sha256(stored.persona) == manifest.persona, f"{where}: another persona")
    findings.expect(leaf_at(records, stored.log_index) == leaf, f"{where}: not in the log")


def audit_orders(records: StoredRecords, lineage: Lineage, findings: Findings) -> None:
    """Check that each order is logged, next in its twin's count, and signed by the creator.

    Args:
        records: what is stored.
        lineage: the logs in which the orders stand.
        findings: collects what is wrong.
    """
    before: dict[bytes, list[TwinOrder]] = defaultdict(list)
    for stored in sorted(records.orders, key=lambda order: order.log_index):
        findings.count("orders")
        where = f"order {stored.order_hash.hex()[:16]}"
        earlier = before[stored.twin]
        try:
            order = parse_order(stored.body)
            manifests = _manifests_before(records, stored)
            _check_order(stored, order, manifests, earlier, findings)
        except FALSE as error:
            findings.wrong.append(f"{where}: {error}")
            continue
        leaf = OrderLeaf(order.hash, twin_prefix(order.twin))
        findings.expect(leaf_at(records, stored.log_index) == leaf, f"{where}: not in the log")
        taken_by = lineage.at(stored.log_index).name
        findings.expect(order.log == taken_by, f"{where}: is for another log")
        earlier.append(order)


def _manifests_before(records: StoredRecords, stored: StoredOrder) -> list[Manifest]:
    return [
        parse_manifest(one.body)
        for one in records.manifests
        if one.twin == stored.twin and one.log_index < stored.log_index
    ]


def _check_order(
    stored: StoredOrder,
    order: TwinOrder,
    manifests: Sequence[Manifest],
    earlier: Sequence[TwinOrder],
    findings: Findings,
) -> None:
    where = f"order {stored.order_hash.hex()[:16]}"
    findings.expect(order.hash == stored.order_hash, f"{where}: another hash")
    findings.expect(
        (order.twin, order.number) == (stored.twin, stored.number), f"{where}: another place"
    )
    findings.expect(order.number == len(earlier) + 1, f"{where}: not the twin's next")
    over = any(o.action is OrderAction.REVOKE and o.manifest is None for o in earlier)
    findings.expect(not over, f"{where}: comes after the twin's revocation")
    known = order.manifest in {None, *(manifest.hash for manifest in manifests)}
    findings.expect(known, f"{where}: of a version that is not the twin's")
    signature = parse_signature(stored.signature)
    signed = any(
        recover_signer(order_data(order, manifest.name).digest(), signature) == manifest.creator
        for manifest in manifests
    )
    findings.expect(signed, f"{where}: not signed by the twin's creator")
