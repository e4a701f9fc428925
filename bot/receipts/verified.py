"""What a verification found, what it left out, and what it does not show."""

from dataclasses import dataclass

from bot.crypto.signed_note import Checkpoint
from bot.domain.fields import SpanKind
from bot.domain.leaf import Outcome, OutcomeStatement
from bot.domain.manifest import Manifest
from bot.domain.receipt import Receipt
from bot.receipts.bundle import Openings
from bot.receipts.steps import TITLES
from bot.receipts.trust import TrustPolicy


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
class VerifiedReceipt:
    """A receipt whose evidence holds; made by `verify_bundle` alone.

    Attributes:
        receipt_hash: 32 bytes.
        openings: None if there was no key.
        seed: 32 bytes, what the sampler is keyed with; None if there was no key.
        outcome: None if none was in the bundle.
        steps: what each step found, 1 to 10.
        levels: `L0`, and `L1-unwitnessed`.
        trust: `policy`, or `self-consistent` if the verifier had no policy.
        unproved: sentences on what this result does not show.
    """

    receipt: Receipt
    receipt_hash: bytes
    receipt_id: str
    manifest: Manifest
    checkpoint: Checkpoint
    openings: Openings | None
    seed: bytes | None
    outcome: OutcomeStatement | None
    steps: tuple[StepResult, ...]
    levels: tuple[str, ...]
    trust: str
    unproved: tuple[str, ...]


def outcome_result(outcome: OutcomeStatement | None) -> StepResult:
    """Say what step 9 found."""
    if outcome is None:
        return StepResult(9, "Left out: the bundle holds no outcome.", done=False)
    sentence = f"The operator states that the reply was {outcome.outcome.word}"
    if outcome.outcome is Outcome.WITHDRAWN:
        sentence += ": its message was taken back, or the fan asked to be forgotten"
    return StepResult(9, f"{sentence}.")


REPLAYABLE = (
    "That the named model made these tokens and that they spell these texts: "
    "replay them to know (L3)."
)
"""What an exact replay shows; it stays unproved until somebody runs one."""


def unproved_claims(
    receipt: Receipt,
    manifest: Manifest,
    openings: Openings | None,
    outcome: OutcomeStatement | None,
    policy: TrustPolicy | None,
) -> tuple[str, ...]:
    """Return sentences on what a verification that found this does not show (section 11.1)."""
    spans = () if openings is None else openings.fields.spans
    halted = openings is not None and openings.fields.finish.halted
    sentences = {
        "That what the reply says is true.": True,
        REPLAYABLE: True,
        "That the operator can't read the conversation: the model runs on its machine.": True,
        "That everybody is shown the same log: no witness has cosigned it.": True,
        "That a blockchain vouches for anything here: none was asked.": True,
        f"Who stands behind {manifest.creator}: the address is not tied to a person.": True,
        "That the reply was made at the stated time: it is the operator's word.": True,
        "That the reply really was "
        f"{outcome.outcome.word if outcome else ''}: it is the operator's word.": bool(outcome),
        "That the fan is a stranger to the operator, which, posing as one, can try prompts until "
        "one gives a wanted reply: there is no public beacon in the seed.": True,
        "That the message's number was not chosen: on this surface the operator numbers the "
        "messages, and the number decides the seed.": receipt.numbering == "operator",
        "That the platform really gave this message its number: the operator says so, and the "
        "platform has signed nothing.": receipt.numbering == "platform",
        "That the earlier turns are quoted rightly and that none was left out: each has a proof "
        "of its own, and a replay is exact given them.": any(
            span.kind is SpanKind.TWIN for span in spans
        ),
        "That a replay is exact: the operator's machine failed the self-check, and the receipt "
        "says so.": receipt.model.verdict == "tolerant",
        "That the fan, or the creator, really asked for another reply or for an early end: the "
        "operator says so.": receipt.attempt > 0 or halted,
        "Anything about what was said, sealed part included: no key was given.": openings is None,
        "That creator and log are the ones you mean: no trust policy was given.": policy is None,
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)
