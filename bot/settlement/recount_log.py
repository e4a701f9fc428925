"""Steps 1 to 8 of a recount: publications, the twin's entries, and their arithmetic."""

from collections.abc import Iterator
from itertools import pairwise

from bot.crypto.eip712 import encode_address
from bot.crypto.errors import FormatError
from bot.domain.settlement import NANO_PER_UNIT, to_units
from bot.domain.twin_log import ENTRY_BYTES, TwinLog
from bot.settlement.publication import Publication, PublishedLeaf
from bot.settlement.recount import (
    EpochLine,
    Evidence,
    Opened,
    RecountStep,
    StepState,
    parse_published,
    require,
)
from bot.settlement.recount_held import check_held


def open_published(evidence: Evidence) -> Opened | None:
    """Step 1; None where the epoch has no leaf of the twin."""
    parsed = [parse_published(*one) for one in sorted(evidence.publications.items())]
    leaf = parsed[-1].leaf_of(evidence.twin)
    if leaf is None:
        return None
    before = ((one, one.leaf_of(evidence.twin)) for one in parsed[:-1])
    known = [(one, found) for one, found in before if found is not None]
    return Opened((*known, (parsed[-1], leaf)), _parse_log(evidence, leaf))


def _parse_log(evidence: Evidence, leaf: PublishedLeaf) -> TwinLog:
    """Step 3, before the others: nothing can be said without the entries."""
    count = len(evidence.twin_log) // ENTRY_BYTES
    sentence = (
        f"Epoch {evidence.epoch} says {leaf.entries} entries, and the twin log that is served has "
        f"{count}."
    )
    require(3, sentence, that=len(evidence.twin_log) == leaf.entries * ENTRY_BYTES)
    try:
        return TwinLog.parse(evidence.twin_log)
    except FormatError as error:
        require(3, f"The twin log can't be: {error}.", that=False)
        raise


def check_published(evidence: Evidence, opened: Opened) -> Iterator[RecountStep]:
    """Take steps 1 to 8.

    Raises:
        RefutedError: at the first one that is false.
    """
    leaf = opened.leaf
    found = (
        f"Epoch {evidence.epoch} has {len(opened.newest.leaves)} leaves, one of them the twin's."
    )
    yield RecountStep(1, StepState.HOLDS, found)
    for publication, _ in opened.epochs:
        _check_totals(publication)
    total = f"They sum up to {opened.newest.fee_total} token units, each twin once."
    yield RecountStep(2, StepState.HOLDS, total)
    yield RecountStep(3, StepState.HOLDS, f"{leaf.entries} entries, in an order that can be.")
    require(
        *(4, f"The entries do not lead to the root in the twin's leaf of epoch {evidence.epoch}."),
        that=opened.log.root(leaf.entries) == leaf.log_root,
    )
    yield RecountStep(4, StepState.HOLDS, "The entries lead to the root in the twin's leaf.")
    yield _check_history(evidence, opened)
    yield check_held(evidence, opened)
    for publication, own in opened.epochs:
        _check_earned(opened.log, publication, own)
    earned = opened.log.tally(leaf.entries).earned_nano
    sums = f"{earned} nano earned, {leaf.held_nano} held, {leaf.carried_nano} carried: {leaf.units}"
    yield RecountStep(7, StepState.HOLDS, f"{sums} token units, as epoch {evidence.epoch} says.")
    yield _check_payout(evidence, opened)


def lines_of(opened: Opened, paid_units: int | None) -> tuple[EpochLine, ...]:
    """Return the table's lines, oldest first; what was paid stands in the last one."""
    return tuple(
        EpochLine(
            epoch=publication.epoch,
            entries=leaf.entries,
            earned_nano=opened.log.tally(leaf.entries).earned_nano,
            held_nano=leaf.held_nano,
            carried_nano=leaf.carried_nano,
            cumulative_units=leaf.units,
            paid_units=paid_units if publication is opened.newest else None,
        )
        for publication, leaf in opened.epochs
    )


def _check_totals(publication: Publication) -> None:
    where = f"Epoch {publication.epoch}"
    leaves = publication.leaves
    order = [(not leaf.is_payable, leaf.twin) for leaf in leaves]
    # Strictly ascending within both halves, so that no twin is there twice in either.
    require(2, f"{where}: its leaves are not in the tree's order.", that=order == sorted(order))
    require(
        *(2, f"{where}: a twin has two leaves."),
        that=len({leaf.twin for leaf in leaves}) == len(leaves),
    )
    total = sum(leaf.units for leaf in leaves)
    sentence = (
        f"{where}: its leaves sum up to {total} token units, and it says {publication.fee_total}."
    )
    require(2, sentence, that=total == publication.fee_total)


def _check_history(evidence: Evidence, opened: Opened) -> RecountStep:
    for number, data in evidence.kept_publications.items():
        given = evidence.publications.get(number)
        sentence = f"Epoch {number} was published otherwise when you recounted before."
        require(5, sentence, that=given is None or given == data)
    kept = len(evidence.kept_log) // ENTRY_BYTES
    shared = min(len(evidence.kept_log), len(evidence.twin_log))
    sentence = (
        f"The twin log differs from the {kept} entries that you kept before: it was rewritten, or "
        "its service was put back from a backup, which a seal in the log then says."
    )
    require(5, sentence, that=evidence.kept_log[:shared] == evidence.twin_log[:shared])
    for publication, leaf in opened.epochs[:-1]:
        where = f"epoch {publication.epoch}"
        sentence = f"The twin log has fewer entries than {where} said: it was cut."
        require(5, sentence, that=leaf.entries <= len(opened.log))
        sentence = f"The first {leaf.entries} entries are not those of {where}: it was rewritten."
        require(5, sentence, that=opened.log.root(leaf.entries) == leaf.log_root)
    for (before, old), (after, new) in pairwise(opened.epochs):
        where = f"from epoch {before.epoch} to {after.epoch}"
        sizes = (before.log_size, old.entries, old.units, old.carried_nano)
        later = (after.log_size, new.entries, new.units, new.carried_nano)
        sentence = f"The log, the entries, or the twin's amount has shrunk {where}."
        require(5, sentence, that=all(a <= b for a, b in zip(sizes, later, strict=True)))
    number = len(opened.epochs) - 1
    if not number and not kept:
        sentence = "Left out: no earlier epoch was given, and nothing that was kept."
        return RecountStep(5, StepState.LEFT_OUT, sentence)
    return RecountStep(
        *(5, StepState.HOLDS),
        f"The logs of {number} earlier epochs and {kept} kept entries are its beginnings.",
    )


def _check_earned(log: TwinLog, publication: Publication, leaf: PublishedLeaf) -> None:
    nano = log.tally(leaf.entries).earned_nano - leaf.held_nano + leaf.carried_nano
    units = to_units(nano)
    less = leaf.units - units
    sentence = (
        f"Epoch {publication.epoch} says {leaf.units} token units, and its entries amount to "
        f"{units}: {abs(less)} too {'few' if less < 0 else 'many'} "
        f"({abs(less) * NANO_PER_UNIT} nano)."
    )
    require(7, sentence, that=not less)


def _check_payout(evidence: Evidence, opened: Opened) -> RecountStep:
    address = encode_address(opened.leaf.payout)
    signed = opened.leaf.payout in {one.payout for one in evidence.receipts}
    if evidence.payout is None and not signed:
        sentence = f"Left out: nobody said whether {address}, which the leaf pays, is yours."
        return RecountStep(8, StepState.LEFT_OUT, sentence)
    sentence = f"The leaf pays {address}, which is not the address that you named."
    vault = evidence.chain.vault if evidence.chain else None
    if vault is not None and vault.paid_to is not None and vault.paid_to == evidence.payout:
        sentence = f"The registry has this twin paid to {encode_address(vault.paid_to)}, which you "
        return RecountStep(8, StepState.HOLDS, f"{sentence}named, and not to what the leaf says.")
    require(8, sentence, that=evidence.payout in {None, opened.leaf.payout})
    by = "you named" if evidence.payout is not None else "a manifest in your proofs names"
    return RecountStep(8, StepState.HOLDS, f"The leaf pays {address}, which {by}.")
