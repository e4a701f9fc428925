"""Step 6 of a recount: what is held is of bought credit, is not held for ever, and ends once.

What an epoch does not hold is payable, and stays so. So the refunds between two epochs of what was
delivered before the first are of what that one held, and the second holds no more than the first
and what was bought in between. Sums show it without saying which fee was held.

A publication names no time, and a twin log neither: when a fee became old is known to nobody but
who saw it. So the creator's own earlier recounts, by their own clock, say what was there when. That
shows nothing to others, and is no proof: a fee that is held too long makes the verdict wait.
"""

from datetime import timedelta
from itertools import pairwise

from bot.domain.payment import Payer
from bot.domain.rates import MAX_HELD_HOURS
from bot.domain.statements import Outcome
from bot.domain.times import encode_time
from bot.domain.twin_log import TwinLog
from bot.settlement.publication import Publication, PublishedLeaf
from bot.settlement.recount import (
    EarlierLook,
    Evidence,
    Opened,
    RecountStep,
    StepState,
    require,
)

ALLOWANCE = timedelta(hours=48)
"""For an epoch to be settled, and for a service that was not running when a fee was due."""


def check_held(evidence: Evidence, opened: Opened) -> RecountStep:
    """Take step 6.

    Raises:
        RefutedError: more is held than bought credit has paid, or what was payable was taken back.
    """
    for publication, own in opened.epochs:
        _check_most(opened.log, publication, own)
    check_payable(opened)
    leaf = opened.leaf
    sentence = f"{leaf.held_nano} nano are held, of bought credit."
    look = overdue_look(evidence)
    if look is None or evidence.at is None:
        return RecountStep(6, StepState.HOLDS, sentence)
    younger = opened.log.tally(leaf.entries).bought_nano - _standing(
        opened.log, leaf.entries, look.entries
    )
    seen = f"that you saw on {encode_time(look.at)}"
    if leaf.held_nano <= younger:
        return RecountStep(6, StepState.HOLDS, f"{sentence[:-1]}, and nothing of it {seen}.")
    days = (evidence.at - look.at).days
    return RecountStep(
        *(6, StepState.WAITS),
        f"At least {leaf.held_nano - younger} nano are held of fees {seen}, {days} days ago, and "
        f"they may be held for {held_hours(evidence)} hours: they are kept too long, or no newer "
        "epoch was settled since.",
    )


def overdue_look(evidence: Evidence) -> EarlierLook | None:
    """Return the latest earlier recount of which nothing may be held any more, if there is one."""
    if evidence.at is None:
        return None
    until = evidence.at - timedelta(hours=held_hours(evidence)) - ALLOWANCE
    old = [one for one in evidence.looks if one.at <= until]
    return max(old, key=lambda one: one.entries, default=None)


def held_hours(evidence: Evidence) -> int:
    """Return how long a fee may be held: by the log's rate tables, or else as the format limits it.

    Of several tables the longest time counts: an entry does not say which of them it is under.
    """
    found = None if evidence.reading is None else evidence.reading.held_hours
    return MAX_HELD_HOURS if found is None else found


def check_payable(opened: Opened) -> None:
    """Check that what an epoch did not hold was neither refunded nor held again by the next one.

    Raises:
        RefutedError: it was.
    """
    log = opened.log
    delivered = {
        entry.receipt: index
        for index, entry in enumerate(log.entries)
        if entry.outcome is Outcome.DELIVERED
    }
    for (before, old), (after, new) in pairwise(opened.epochs):
        refunded = sum(
            entry.creator_nano
            for entry in log.entries[old.entries : new.entries]
            if entry.outcome is Outcome.REFUNDED
            and delivered.get(entry.receipt, new.entries) < old.entries
        )
        sentence = (
            f"From epoch {before.epoch} to {after.epoch} {refunded} nano were refunded of fees "
            f"that epoch {before.epoch} counts, and it held {old.held_nano}: "
            f"{refunded - old.held_nano} nano that were payable were taken back."
        )
        require(6, sentence, that=refunded <= old.held_nano)
        bought = log.tally(new.entries).bought_nano - log.tally(old.entries).bought_nano
        most = old.held_nano + bought
        sentence = (
            f"Epoch {after.epoch} holds {new.held_nano} nano back, and since epoch {before.epoch} "
            f"it can be {most}: {new.held_nano - most} nano that were payable are held again."
        )
        require(6, sentence, that=new.held_nano <= most)


def unseen_payable(evidence: Evidence, opened: Opened) -> tuple[str, ...]:
    """Say of which epochs nobody can see here whether what was payable in them stayed so."""
    given, oldest = sorted(evidence.publications), opened.epochs[0][0].epoch
    found = []
    if oldest == given[0] > 1:
        sentence = f"That nothing was refunded or held again that was payable before epoch {oldest}"
        alone = "one epoch alone can't show it" if len(given) == 1 else "no earlier one was given"
        found.append(f"{sentence}: {alone}; compare it with those before it (--last).")
    missing = [(a + 1, b - 1) for a, b in pairwise(given) if b - a > 1 and b > oldest]
    if missing:
        runs = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in missing)
        found.append(
            f"That nothing was refunded or held again that was payable in epoch {runs}: nothing of "
            "it is published, which is right where it was vetoed, or lost to a restored backup."
        )
    return tuple(found)


def _standing(log: TwinLog, size: int, old: int) -> int:
    """Return what bought credit has paid in the first `old` entries, less what was refunded."""
    standing: dict[bytes, int] = {}
    for index, entry in enumerate(log.entries[:size]):
        if entry.payer is not Payer.PAID:
            continue
        if entry.outcome is Outcome.DELIVERED and index < old:
            standing[entry.receipt] = entry.creator_nano
        elif entry.outcome is Outcome.REFUNDED:
            standing.pop(entry.receipt, None)
    return sum(standing.values())


def _check_most(log: TwinLog, publication: Publication, leaf: PublishedLeaf) -> None:
    most = log.tally(leaf.entries).bought_nano
    sentence = (
        f"Epoch {publication.epoch} holds {leaf.held_nano} nano back, and entries that were paid "
        f"with bought credit have earned {most}."
    )
    require(6, sentence, that=leaf.held_nano <= most)
