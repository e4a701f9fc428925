"""Steps 9 to 13 of a recount: the log, its leaves, the creator's own proofs, and the chain."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from bot.crypto.eip712 import encode_address
from bot.domain.outcomes import may_follow
from bot.domain.settlement import Commitment
from bot.domain.times import encode_time
from bot.domain.twin_log import TwinEntry
from bot.ports.recount import VaultFacts
from bot.settlement.recount import (
    Evidence,
    FollowedLog,
    Opened,
    OwnReceipt,
    RecountStep,
    StepState,
    require,
)

DEPTH_WITHOUT_FINALITY = 12
"""Blocks above a commitment that make it final on a chain which names none (section 11.4)."""
_NO_CHAIN = (
    "Left out: no node was asked. Only a chain shows that this is what is paid: name a node of "
    "your own choosing with --rpc, and the contract. Where the service settles on a chain of its "
    "own, nobody else can ask it."
)
_FIELDS = (
    ("fee_root", "the root of all claims"),
    ("fee_total", "the total"),
    ("log_root", "the log's root"),
    ("log_size", "the log's size"),
    ("data_hash", "the hash of what was published"),
)


def check_outside(evidence: Evidence, opened: Opened) -> Iterator[RecountStep]:
    """Take steps 9 to 13.

    Raises:
        RefutedError: at the first one that is false.
    """
    yield _check_head(evidence, opened)
    yield _check_leaves(evidence, opened)
    yield _check_receipts(evidence, opened)
    step = _check_chain(evidence, opened)
    yield step
    if evidence.chain is None or step.state is not StepState.HOLDS:
        yield RecountStep(13, StepState.LEFT_OUT, "Left out: no final epoch was found on a chain.")
        return
    paid, units = evidence.chain.claimed_units, opened.leaf.units
    left = max(0, units - paid)
    rest = f"{left} can be claimed" if left and opened.leaf.is_payable else "nothing is left of it"
    yield RecountStep(
        13, StepState.HOLDS, f"The chain has paid {paid} of {units} token units; {rest}."
    )


def _check_head(evidence: Evidence, opened: Opened) -> RecountStep:
    head, epoch = evidence.head, opened.newest
    if head is None:
        sentence = "Left out: no head of the log was given that you follow."
        return RecountStep(9, StepState.LEFT_OUT, sentence)
    where = f"the head of {head.size} leaves of {head.origin}"
    sentence = (
        f"The epoch's log of {epoch.log_size} leaves is not the one of {where}: two histories."
    )
    require(9, sentence, that=head.state is not FollowedLog.FORKS)
    sentence = f"The epoch names {epoch.log_size} leaves, and {where} is smaller: leaves are gone."
    require(9, sentence, that=head.state is not FollowedLog.SHORTER)
    if head.state is FollowedLog.UNPROVEN:
        sentence = f"The log does not show that {where} extends the epoch's: ask again later."
        return RecountStep(9, StepState.WAITS, sentence)
    sentence = f"The epoch's {epoch.log_size} leaves are the first ones of {where}."
    return RecountStep(9, StepState.HOLDS, sentence)


def _check_leaves(evidence: Evidence, opened: Opened) -> RecountStep:
    reading = evidence.reading
    if reading is None:
        return RecountStep(10, StepState.LEFT_OUT, "Left out: the log's leaves were not read.")
    sentence = "The leaves that the log serves do not lead to the root that the epoch names."
    require(10, sentence, that=reading.root == opened.newest.log_root)
    entries = opened.log.entries[: opened.leaf.entries]
    said = [(entry.receipt, entry.outcome) for entry in entries]
    for index, (found, wanted) in enumerate(zip(said, reading.outcomes, strict=False)):
        sentence = f"Entry {index} is not the outcome that the log has at this place."
        require(10, sentence, that=found == wanted)
    sentence = (
        f"The log has {len(reading.outcomes)} outcomes of the twin's replies, and the twin log "
        f"{len(said)} entries."
    )
    require(10, sentence, that=len(said) == len(reading.outcomes))
    numbers = {tag: number for number, tag in enumerate(reading.receipts, 1)}
    for index, entry in enumerate(entries):
        sentence = f"Entry {index} has number {entry.seq}, and the log counts it differently."
        require(10, sentence, that=numbers.get(entry.receipt) == entry.seq)
    sentence = f"The log's own leaves give the same {len(said)} outcomes, in the same order."
    return RecountStep(10, StepState.HOLDS, sentence)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where an own receipt's outcome stands: index of its leaf in the log, and of its entry."""

    name: str
    leaf: int
    entry: int


def _check_receipts(evidence: Evidence, opened: Opened) -> RecountStep:
    if not evidence.receipts:
        sentence = "Left out: no proof of a reply of your own was given."
        return RecountStep(11, StepState.LEFT_OUT, sentence)
    places: dict[bytes, list[tuple[int, TwinEntry]]] = {}
    numbers: dict[int, bytes] = {}
    for index, entry in enumerate(opened.log.entries[: opened.leaf.entries]):
        places.setdefault(entry.receipt, []).append((index, entry))
        numbers[entry.seq] = entry.receipt
    placed, waiting = [], []
    for own in evidence.receipts:
        found = places.get(own.tag, [])
        _check_terms(own, found, numbers)
        at = _place(own, found, opened.newest.log_size)
        if at is None:
            waiting.append(own.name)
        else:
            placed.append(at)
    for one, other in pairwise(sorted(placed, key=lambda place: place.leaf)):
        sentence = f"{one.name} comes before {other.name} in the log, and after it in the twin log."
        require(11, sentence, that=one.entry <= other.entry)
    sentence = f"{len(placed)} of your own replies stand in it with fee, payer and outcome"
    if waiting:
        sentence += f"; not decided by then: {', '.join(waiting)}"
    return RecountStep(11, StepState.HOLDS, f"{sentence}.")


def _check_terms(
    own: OwnReceipt, found: list[tuple[int, TwinEntry]], numbers: dict[int, bytes]
) -> None:
    sentence = f"Number {own.seq} is another receipt than {own.name}, which has this number."
    require(11, sentence, that=numbers.get(own.seq, own.tag) == own.tag)
    for index, entry in found:
        said = (entry.seq, entry.creator_nano, entry.payer)
        sentence = (
            f"Entry {index} says number {entry.seq}, {entry.creator_nano} nano, paid: "
            f"{entry.payer.word}; the receipt {own.name} says number {own.seq}, "
            f"{own.creator_nano} nano, paid: {own.payer.word}."
        )
        require(11, sentence, that=said == (own.seq, own.creator_nano, own.payer))


def _place(own: OwnReceipt, found: list[tuple[int, TwinEntry]], size: int) -> _Placed | None:
    """Find a receipt's latest outcome; None where it is newer than the epoch, or not given."""
    if own.outcome is None:
        return None
    outcome, leaf = own.outcome
    stands = [index for index, entry in found if entry.outcome is outcome]
    if leaf >= size:
        # Of a reply that was reversed later, the proof shows the latest outcome alone.
        said = [entry.outcome for _, entry in found]
        sentence = f"{own.name} was {outcome.word} after this epoch: the twin log says so before."
        require(11, sentence, that=may_follow(said, outcome))
        sentence = (
            f"{own.name} was {outcome.word} after it was delivered, and no platform can have taken "
            f"back what paid it: the payer is {own.payer.word}."
        )
        require(11, sentence, that=may_follow(said, outcome, own.payer))
        return None
    sentence = f"{own.name} was {outcome.word} before this epoch, and the twin log leaves it out."
    require(11, sentence, that=bool(stands))
    return _Placed(own.name, leaf, stands[0])


def _check_chain(evidence: Evidence, opened: Opened) -> RecountStep:
    answers, epoch = evidence.chain, evidence.epoch
    if answers is None:
        return RecountStep(12, StepState.LEFT_OUT, _NO_CHAIN)
    where = f"{evidence.contract} on chain {answers.chain}"
    if not answers.commits:
        sentence = (
            f"{where} has not committed epoch {epoch}: see whether the address is that of this "
            "service's settlement contract, or ask again later."
        )
        return RecountStep(12, StepState.WAITS, sentence)
    sentence = f"{where} has committed epoch {epoch} {len(answers.commits)} times."
    require(12, sentence, that=len(answers.commits) == 1)
    require(12, f"{where} has epoch {epoch}, but its guardian vetoed it.", that=not answers.vetoes)
    vault = answers.vault
    if vault is None:
        sentence = f"{where} is no settlement contract of this version: it can pay whom it likes."
        return RecountStep(12, StepState.WAITS, sentence)
    waits = _judge_vault(evidence, opened, vault, where)
    if waits:
        return RecountStep(12, StepState.WAITS, waits)
    (event,) = answers.commits
    ours = opened.newest.commitment(evidence.publications[epoch])
    different = _differences(event.commitment, ours)
    sentence = f"{where} has in epoch {epoch} other contents than what is published: {different}."
    require(12, sentence, that=not different)
    final = answers.finalized
    if final is None:
        final = max(0, answers.newest - DEPTH_WITHOUT_FINALITY)
    paying = f"It pays with the token {encode_address(vault.token)}"
    said = f"{where} holds exactly this epoch, in block {event.block}"
    if event.block > final:
        sentence = f"{said}, which is not final yet: the chain is final up to block {final}."
        return RecountStep(12, StepState.WAITS, sentence)
    return RecountStep(12, StepState.HOLDS, f"{said}, which is final. {paying}.")


def _judge_vault(evidence: Evidence, opened: Opened, vault: VaultFacts, where: str) -> str:
    """Refuse a contract that pays somebody else; return why nothing is proved yet, or nothing."""
    if not vault.is_registry_known:
        return f"{where} asks a registry that is not of this version, which can name anybody."
    leaf = opened.leaf.payout
    if vault.paid_to is not None and vault.paid_to != (evidence.payout or leaf):
        named = encode_address(vault.paid_to)
        sentence = (
            f"The registry has this twin paid to {named}, which is not the address you named."
        )
        require(12, sentence, that=evidence.payout is None)
        return f"The registry has this twin paid to {named}: if that is yours, name it as --payout."
    if vault.vetoable_until is not None:
        until = encode_time(datetime.fromtimestamp(vault.vetoable_until, UTC))
        return f"{where} holds this epoch, but its guardian may veto it until {until}."
    return ""


def _differences(there: Commitment, ours: Commitment) -> str:
    """Name what differs, in words; empty where nothing does."""
    names = [words for name, words in _FIELDS if getattr(there, name) != getattr(ours, name)]
    return ", ".join(names)
