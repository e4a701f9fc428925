"""What a verification found, what it left out, and what it does not show."""

from dataclasses import dataclass

from bot.crypto.signed_note import Checkpoint, VerifierKey
from bot.domain.ids import receipt_tag_of
from bot.domain.manifest import Manifest
from bot.domain.order import TwinOrder
from bot.domain.receipt import Receipt
from bot.domain.statements import Outcome, OutcomeStatement, SealStatement
from bot.domain.witnesses import Cosigned
from bot.ports.anchors import Anchor
from bot.receipts.openings import Openings
from bot.receipts.steps import TITLES

WITNESSED, UNWITNESSED = "L1", "L1-unwitnessed"
OPENED = 5
"""The step that what is opened, or shown, is checked in."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What one step found; `done` is false for a step that was left out, and why."""

    number: int
    sentence: str
    done: bool = True

    @property
    def title(self) -> str:
        """The step's name."""
        return TITLES[self.number]


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the sampler is keyed with: 32 bytes, and those of the rejected attempts before it."""

    seed: bytes
    rejected: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """Where the reply stands in the log.

    Attributes:
        log: the key that signed the checkpoint.
        index: of the reply's leaf.
        note: the checkpoint as it stands in the bundle, with all signature lines.
        seals: from the manifest's log to `log`, oldest first.
        cosigned: what the witnesses of the policy have signed.
    """

    log: VerifierKey
    index: int
    checkpoint: Checkpoint
    note: str
    seals: tuple[SealStatement, ...]
    cosigned: Cosigned

    @property
    def origins(self) -> tuple[str, ...]:
        """Names of the sealed logs, oldest first, and of the one that gave the proofs."""
        return (*(seal.log.name for seal in self.seals), self.log.name)

    @property
    def bounds(self) -> dict[str, int]:
        """For each of `origins`, the index from which on leaves are the work of a later log."""
        bound, found = self.checkpoint.size, {self.log.name: self.checkpoint.size}
        for seal in reversed(self.seals):
            bound = min(bound, seal.kept)
            found[seal.log.name] = bound
        return found

    @property
    def origins_of_leaf(self) -> tuple[str, ...]:
        """Names of those among them in which the reply's leaf is known to have its index."""
        known = [self.log.name]
        for seal in reversed(self.seals):
            if self.index >= seal.kept:
                break
            known.append(seal.log.name)
        return tuple(known)


@dataclass(frozen=True, slots=True)
class Revocation:
    """The creator's order that revoked the twin, or this version of it.

    Attributes:
        index: of its leaf.
        is_later: whether the reply was logged before it, and so stays what it was.
    """

    order: TwinOrder
    index: int
    is_later: bool


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """A receipt whose evidence holds; made by `verify_bundle` alone.

    Attributes:
        receipt_hash: 32 bytes.
        logged: where it stands in the log, and who has witnessed that.
        openings: None if there was no key.
        drawn: what the sampler is keyed with; None if there was no key.
        outcome: None if none was in the bundle.
        revocation: likewise.
        anchor: a claim, until somebody looks it up (section 11.4); None if none was in the bundle.
        steps: what each step found, 1 to 10.
        trust: `policy`, or `self-consistent` if the verifier had no policy.
    """

    receipt: Receipt
    receipt_hash: bytes
    receipt_id: str
    manifest: Manifest
    logged: Logged
    openings: Openings | None
    drawn: Drawn | None
    outcome: OutcomeStatement | None
    revocation: Revocation | None
    anchor: Anchor | None
    steps: tuple[StepResult, ...]
    trust: str

    @property
    def receipt_tag(self) -> bytes:
        """What the public log, and all statements in it, know the receipt by: 32 bytes."""
        return receipt_tag_of(self.receipt_hash)

    @property
    def checkpoint(self) -> Checkpoint:
        """The head of the log that the proofs lead to."""
        return self.logged.checkpoint

    @property
    def seed(self) -> bytes | None:
        """32 bytes, what the sampler is keyed with; None if there was no key."""
        return None if self.drawn is None else self.drawn.seed

    @property
    def is_witnessed(self) -> bool:
        """Whether as many of the verifier's witnesses have cosigned as it asks for, one at least.

        Fewer fail step 10.
        """
        return self.logged.cosigned.needed >= 1

    @property
    def levels(self) -> tuple[str, ...]:
        """`L0`, and `L1` or `L1-unwitnessed`."""
        return ("L0", WITNESSED if self.is_witnessed else UNWITNESSED)

    @property
    def unproved(self) -> tuple[str, ...]:
        """Sentences on what this result does not show (section 11.1)."""
        return unproved_claims(self)


def outcome_result(outcome: OutcomeStatement | None, revocation: Revocation | None) -> StepResult:
    """Say what step 9 found."""
    sentences = []
    if outcome is not None:
        sentence = f"The operator states that the reply was {outcome.outcome.word}"
        if outcome.outcome is Outcome.WITHDRAWN:
            sentence += ": its message was taken back, or the fan asked to be forgotten"
        sentences.append(f"{sentence}.")
    if revocation is not None:
        what = "the twin" if revocation.order.manifest is None else "this version of the twin"
        when = (
            "after this reply was logged, which stays what it was"
            if revocation.is_later
            else "before this reply was logged"
        )
        sentences.append(f"The creator has revoked {what}, {when}.")
    if sentences:
        return StepResult(9, " ".join(sentences))
    return StepResult(9, "Left out: the bundle holds neither outcome nor revocation.", done=False)


REPLAYABLE = (
    "That the named model made these tokens and that they spell these texts: "
    "replay them to know (L3)."
)
"""What an exact replay shows; it stays unproved until somebody runs one."""
ANCHORABLE = "That a blockchain vouches for anything here: none was asked."
"""What looking the anchor up shows; it stays unproved until somebody asks a chain."""


def unproved_claims(verified: VerifiedReceipt) -> tuple[str, ...]:
    """Return sentences on what a verification does not show (section 11.1)."""
    receipt, openings, outcome = verified.receipt, verified.openings, verified.outcome
    halted = openings is not None and openings.fields.finish.halted
    shown = openings is None and any(step.number == OPENED and step.done for step in verified.steps)
    stated = outcome.outcome.word if outcome else ""
    sentences = {
        "That what the reply says is true.": True,
        REPLAYABLE: receipt.rule is None,
        "That the operator can't read the conversation: the model runs on its machine.": True,
        "That everybody is shown the same log: no witness of yours has cosigned it.": (
            not verified.is_witnessed
        ),
        ANCHORABLE: True,
        f"Who stands behind {verified.manifest.creator}: the address is not tied to a "
        "person.": True,
        "That the reply was made at the stated time: it is the operator's word.": True,
        f"That the reply really was {stated}: it is the operator's word.": bool(outcome),
        "That the fan is a stranger to the operator, which, posing as one, can try prompts until "
        "one gives a wanted reply, and that a creator who is the operator did not try versions: "
        "there is no public beacon in the seed.": True,
        "That the message's number was not chosen: on this surface the operator numbers the "
        "messages, and the number decides the seed.": receipt.numbering == "operator",
        "That chat, thread and number are the platform's: the operator says so, and the platform "
        "has signed nothing. The fan can compare them.": receipt.numbering == "platform",
        "That the earlier turns are quoted rightly, that none was left out, and that this is the "
        "turn it says it is: each turn has a proof of its own, and a replay is exact given "
        "them.": receipt.rule is None,
        "That a replay is exact: the operator's machine failed the self-check, and the receipt "
        "says so.": receipt.model.verdict == "tolerant",
        "That the fan, or the creator, really asked for another reply or for an early end: the "
        "operator says so.": receipt.attempt > 0 or halted,
        "Anything about what was said, sealed part included: no key was given.": (
            openings is None and not shown
        ),
        "Anything about what was said beyond the parts that are shown: no key was given.": shown,
        "That creator and log are the ones you mean: no trust policy was given.": (
            verified.trust != "policy"
        ),
        "That nothing revoked it, and nothing followed its outcome, that this bundle leaves out: "
        "a monitor of the log knows.": True,
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)
