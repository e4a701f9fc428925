"""The epochs: claim roots follow from the book, and the chain says what the book says."""

from collections import defaultdict
from collections.abc import Sequence

from bot.audit.findings import Findings
from bot.audit.ledger import carried_by
from bot.crypto import merkle
from bot.crypto.eip712 import parse_address
from bot.crypto.hashing import sha256
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.ledger import creator_account, settled_account
from bot.domain.manifest import parse_manifest
from bot.domain.restored import LOST_FEES, epoch_of, is_of_lost_book
from bot.domain.settlement import NANO_PER_UNIT, NO_PAYOUT, Epoch, EpochState, to_units
from bot.domain.statements import SealStatement
from bot.ports.audit import StoredRecords
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore
from bot.settlement.claims import ClaimTree
from bot.settlement.epoch import encode_publication


async def audit_epochs(
    records: StoredRecords,
    epochs: EpochStore,
    chain: SettlementChain | None,
    findings: Findings,
    *,
    seals: Sequence[SealStatement] = (),
    payouts_stay: bool = True,
) -> None:
    """Check every epoch against the book, and the newest one against the chain.

    Args:
        records: the book.
        epochs: its epochs.
        chain: None to leave it out.
        seals: of the logs before this one: they explain epochs that the book has lost.
        findings: get what is found.
        payouts_stay: creators' addresses must still hold what was paid there.
    """
    last, current = await epochs.last_final(), await epochs.open_epoch()
    newest = max(one.number if one else 0 for one in (last, current))
    found = [await epochs.epoch(number) for number in range(1, newest + 1)]
    lost = {one.number for one in found if one is not None and one.state is EpochState.LOST}
    for number, epoch in enumerate(found, 1):
        if epoch is None:
            gone = any(after > number for after in lost)
            findings.expect(gone, f"epoch {number}: is missing")
        elif epoch.state is EpochState.LOST:
            findings.count("epochs of a lost book")
            _check_lost(records, epoch, seals, findings)
        else:
            findings.count("epochs")
            _check_epoch(records, epoch, findings)
    restored = {epoch_of(t.key) for t in records.ledger if t.kind == "restore"}
    ahead = {number for number in restored if number > (last.number if last else 0)}
    for number in sorted(restored - lost - ahead):
        findings.wrong.append(f"epoch {number}: is not lost, and the ledger took it over")
    if not ahead:  # killed while it was taken over: the next tick finishes it
        _check_settled(records, last, current, findings)
    if chain is not None:
        await _check_chain(epochs, chain, last, findings, seals=seals, payouts_stay=payouts_stay)


def _check_lost(
    records: StoredRecords, epoch: Epoch, seals: Sequence[SealStatement], findings: Findings
) -> None:
    """Check what can be checked of an epoch whose book was lost: its contents are the chain's."""
    where = f"epoch {epoch.number}"
    said = epoch.commitment
    findings.expect(
        is_of_lost_book(said, seals), f"{where}: is said to be lost, and no seal explains it"
    )
    total = sum(earnings.cumulative_units for earnings in epoch.earnings)
    findings.expect(total == said.fee_total, f"{where}: another fee total")
    shared = min([said.log_size, *(seal.kept for seal in seals[-1:])])
    if shared == said.log_size:
        nodes = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves[:shared]])
        findings.expect(
            merkle.root_from_nodes(shared, nodes) == said.log_root,
            f"{where}: its log root does not follow from the log",
        )
    earned: dict[bytes, int] = defaultdict(int)
    for reply in records.replies:
        if reply.outcome == "delivered" and (reply.outcome_index or 0) < shared:
            earned[reply.twin] += reply.creator_nano
    committed = {one.twin: one.cumulative_units for one in epoch.earnings}
    for twin, nano in earned.items():
        findings.expect(
            committed.get(twin, 0) >= to_units(nano),
            f"{where}: twin {twin.hex()[:16]} earned more before it was lost",
        )


def _check_epoch(records: StoredRecords, epoch: Epoch, findings: Findings) -> None:
    commitment = epoch.commitment
    where = f"epoch {epoch.number}"
    size = commitment.log_size
    nodes = merkle.tree_nodes([merkle.leaf_hash(leaf) for leaf in records.leaves[:size]])
    findings.expect(
        size <= len(records.leaves) and merkle.root_from_nodes(size, nodes) == commitment.log_root,
        f"{where}: its log root does not follow from the log",
    )
    findings.expect(
        ClaimTree.of_epoch(epoch).root == commitment.fee_root, f"{where}: another fee root"
    )
    total = sum(earnings.cumulative_units for earnings in epoch.earnings)
    findings.expect(total == commitment.fee_total, f"{where}: another fee total")
    earned: dict[bytes, int] = defaultdict(int)
    receipts: dict[bytes, list[bytes]] = defaultdict(list)
    for reply in records.replies:
        if reply.log_index < size:
            receipts[reply.twin].append(merkle.leaf_hash(reply.receipt_hash))
        if reply.outcome == "delivered" and (reply.outcome_index or 0) < size:
            earned[reply.twin] += reply.creator_nano
    carried = carried_by(records.ledger, before=epoch.number)
    for earnings in epoch.earnings:
        earned[earnings.twin] += carried.get(earnings.twin.hex(), 0)
        own = receipts[earnings.twin]
        findings.expect(
            (earnings.cumulative_nano, earnings.receipt_count, earnings.twin_log_root)
            == (earned[earnings.twin], len(own), merkle.root_of(own)),
            f"{where}: twin {earnings.twin.hex()[:16]} is not what its receipts say",
        )
        if (earnings.twin, earnings.payout) == (LOST_FEES, NO_PAYOUT):
            continue
        signed = {
            parse_address(parse_manifest(stored.body).payout)
            for stored in records.manifests
            if stored.twin == earnings.twin
        }
        findings.expect(
            earnings.payout in signed,
            f"{where}: twin {earnings.twin.hex()[:16]} is paid where its creator never signed",
        )
    published = encode_publication(
        epoch.number, epoch.earnings, log_size=size, log_root=commitment.log_root
    )
    findings.expect(sha256(published) == commitment.data_hash, f"{where}: another publication")
    missing = set(receipts) - {earnings.twin for earnings in epoch.earnings}
    findings.expect(not missing, f"{where}: {len(missing)} twins left out")


def _check_settled(
    records: StoredRecords, last: Epoch | None, open_epoch: Epoch | None, findings: Findings
) -> None:
    """Check that the book has moved exactly what the newest final epoch committed.

    A crash between the book's transaction and the epoch's last state leaves the book one mined
    epoch ahead; the next tick finishes it.
    """
    posted = {transaction.key for transaction in records.ledger if transaction.kind == "settle"}
    ahead = open_epoch is not None and f"settle:epoch:{open_epoch.number}" in posted
    counted = open_epoch if ahead else last
    committed = (
        {e.twin: e.cumulative_units * NANO_PER_UNIT for e in counted.earnings} if counted else {}
    )
    for twin in {reply.twin for reply in records.replies}:
        settled = records.balances.get(settled_account(twin), 0)
        findings.expect(
            settled == committed.get(twin, 0),
            f"twin {twin.hex()[:16]}: settled {settled} nano, committed {committed.get(twin, 0)}",
        )
        left = records.balances.get(creator_account(twin), 0)
        findings.expect(left >= 0, f"twin {twin.hex()[:16]}: settled more than it earned")


async def _check_chain(
    epochs: EpochStore,
    chain: SettlementChain,
    last: Epoch | None,
    findings: Findings,
    *,
    seals: Sequence[SealStatement],
    payouts_stay: bool,
) -> None:
    try:
        state = await chain.contract()
        onchain = state.commitment
        findings.count("chain commitments", onchain.epoch)
        book = await epochs.epoch(onchain.epoch) if onchain.epoch else None
        lost = onchain.epoch > (last.number if last else 0) and is_of_lost_book(onchain, seals)
        findings.expect(
            (book.commitment == onchain) if book else lost or onchain.epoch == 0,
            f"chain: epoch {onchain.epoch} is not what the book says",
        )
        findings.expect(
            last is None or onchain.epoch >= last.number, "chain: behind the book's final epoch"
        )
        findings.expect(
            state.claimed_total <= onchain.fee_total, "chain: paid more than was committed"
        )
        earnings = book.earnings if book else ()
        # A twin that came back after its book was lost has been paid by that one.
        unknown = sum(one.cumulative_units for one in earnings if one.twin == LOST_FEES)
        claimed = await chain.claimed([e.twin for e in earnings])
        for one, paid in zip(earnings, claimed, strict=True):
            findings.expect(
                paid <= one.cumulative_units + unknown,
                f"twin {one.twin.hex()[:16]}: paid twice on-chain",
            )
            if one.is_payable and payouts_stay:
                balance = await chain.balance(one.payout)
                findings.expect(
                    balance >= paid, f"twin {one.twin.hex()[:16]}: {paid} claimed, {balance} there"
                )
    except ChainUnavailableError as error:
        findings.wrong.append(f"chain: can't be asked: {error}")
    except ConfigurationError as error:
        # Killed while the contracts were deployed for the first time: nothing was settled yet.
        findings.expect(last is None, f"chain: {error}")
