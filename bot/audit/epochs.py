"""The epochs: claim roots follow from the book, and the chain says what the book says."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.audit.findings import Findings
from bot.audit.funding import TreasuryFunds, note_funding
from bot.audit.ledger import carried_by
from bot.audit.twin_logs import AuditedLog, audit_twin_logs, matured_by, read_logs
from bot.crypto import merkle
from bot.crypto.eip712 import parse_address
from bot.crypto.hashing import sha256
from bot.domain.errors import ChainUnavailableError, ConfigurationError
from bot.domain.ledger import creator_account, settled_account
from bot.domain.manifest import parse_manifest
from bot.domain.payment import Payer
from bot.domain.restored import LOST_FEES, epoch_of, is_of_lost_book
from bot.domain.settlement import (
    NANO_PER_UNIT,
    NO_PAYOUT,
    Commitment,
    Earnings,
    Epoch,
    EpochState,
    to_units,
)
from bot.domain.statements import SealStatement
from bot.ports.audit import StoredRecords
from bot.ports.chain import SettlementChain
from bot.ports.settlement import EpochStore
from bot.settlement.claims import ClaimTree
from bot.settlement.publication import publication_of


async def audit_epochs(
    records: StoredRecords,
    epochs: EpochStore,
    chain: SettlementChain | None,
    findings: Findings,
    *,
    seals: Sequence[SealStatement] = (),
    payouts_stay: bool = True,
    funds: TreasuryFunds | None = None,
) -> None:
    """Check every epoch against the book, and the newest one against the chain.

    Args:
        records: the book.
        epochs: its epochs.
        chain: None to leave it out.
        seals: of the logs before this one: they explain epochs that the book has lost.
        findings: get what is found.
        payouts_stay: creators' addresses must still hold what was paid there.
        funds: says what the treasury gives; None to leave that out.
    """
    logs = read_logs(records, findings)
    audit_twin_logs(records, logs, findings)
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
        elif epoch.state is EpochState.VETOED:
            findings.count("vetoed epochs")
            before = found[number - 2] if number > 1 else None
            _check_vetoed(records, epoch, before, findings)
        else:
            findings.count("epochs")
            _check_epoch(records, logs, epoch, findings)
    restored = {epoch_of(t.key) for t in records.ledger if t.kind == "restore"}
    ahead = {number for number in restored if number > (last.number if last else 0)}
    for number in sorted(restored - lost - ahead):
        findings.wrong.append(f"epoch {number}: is not lost, and the ledger took it over")
    if not ahead:  # killed while it was taken over: the next tick finishes it
        _check_settled(records, last, current, findings)
    if chain is not None:
        await _check_chain(epochs, chain, last, findings, seals=seals, payouts_stay=payouts_stay)
        await note_funding(records, chain, funds, findings)


def _check_lost(
    records: StoredRecords, epoch: Epoch, seals: Sequence[SealStatement], findings: Findings
) -> None:
    """Check what can be checked of an epoch whose book was lost: its contents are the chain's."""
    where = f"epoch {epoch.number}"
    said = epoch.commitment
    # Without a seal an operator has adopted it: then the log itself must be the one committed.
    kept = [merkle.leaf_hash(leaf) for leaf in records.leaves[: said.log_size]]
    is_ours = len(kept) == said.log_size and (
        merkle.root_from_nodes(len(kept), merkle.tree_nodes(kept)) == said.log_root
    )
    findings.expect(
        is_ours or is_of_lost_book(said, seals),
        f"{where}: is said to be lost, and neither a seal nor the log explains it",
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
    payers = {intent.key: intent.payment.payer for intent in records.intents}
    earned: dict[bytes, int] = defaultdict(int)
    for reply in records.replies:
        # What was paid with bought credit may have been held when it was committed.
        paid = payers.get(reply.intent) is Payer.SPONSOR
        if paid and reply.outcome == "delivered" and (reply.outcome_index or 0) < shared:
            earned[reply.twin] += reply.creator_nano
    committed = {one.twin: one.cumulative_units for one in epoch.earnings}
    for twin, nano in earned.items():
        findings.expect(
            committed.get(twin, 0) >= to_units(nano),
            f"{where}: twin {twin.hex()[:16]} earned more before it was lost",
        )


def _check_vetoed(
    records: StoredRecords, epoch: Epoch, before: Epoch | None, findings: Findings
) -> None:
    """Check that a vetoed number committed nothing: its contents are those of the one before."""
    where = f"epoch {epoch.number}"
    nothing = Commitment(epoch.number, bytes(32), 0, bytes(32), 0, bytes(32))
    said = replace(before.commitment, epoch=epoch.number) if before else nothing
    earnings = before.earnings if before else ()
    findings.expect(
        (epoch.commitment, epoch.earnings) == (said, earnings),
        f"{where}: was vetoed, and does not say what the one before says",
    )
    settled = any(t.key == f"settle:epoch:{epoch.number}" for t in records.ledger)
    findings.expect(not settled, f"{where}: was vetoed, and the ledger settled it")


def _check_epoch(
    records: StoredRecords, logs: dict[bytes, AuditedLog], epoch: Epoch, findings: Findings
) -> None:
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
    carried = carried_by(records.ledger, before=epoch.number)
    matured = matured_by(records, epoch.cutoff)
    for earnings in epoch.earnings:
        own = logs.get(earnings.twin, AuditedLog())
        _check_leaf(*(where, earnings, own, findings), size=size, carried=carried, matured=matured)
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
    published = publication_of(epoch)
    findings.expect(sha256(published) == commitment.data_hash, f"{where}: another publication")
    findings.count("publications")
    there = {reply.twin for reply in records.replies if reply.log_index < size}
    missing = there - {earnings.twin for earnings in epoch.earnings}
    findings.expect(not missing, f"{where}: {len(missing)} twins left out")


def _check_leaf(
    where: str,
    earnings: Earnings,
    own: AuditedLog,
    findings: Findings,
    *,
    size: int,
    carried: Mapping[str, int],
    matured: frozenset[str] | None,
) -> None:
    """Check one twin's claim against its log and the ledger."""
    count = own.size_at(size)
    tally = own.log.tally(count)
    held = earnings.held_nano if matured is None else own.held_at(size, matured)
    said = (earnings.entries, earnings.twin_log_root, earnings.carried_nano, earnings.held_nano)
    wanted = (count, own.log.root(count), carried.get(earnings.twin.hex(), 0), held)
    nano = tally.earned_nano - earnings.held_nano + earnings.carried_nano
    findings.expect(
        said == wanted and nano == earnings.cumulative_nano and held <= tally.bought_nano,
        f"{where}: twin {earnings.twin.hex()[:16]} is not what its log and the ledger say",
    )


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
