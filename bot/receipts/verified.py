"""What a verification found, what it left out, and what it does not show."""

from dataclasses import dataclass

from bot.crypto.signed_note import Checkpoint
from bot.domain.leaf import OutcomeStatement
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


def unproved_claims(
    receipt: Receipt, manifest: Manifest, *, key: bytes | None, policy: TrustPolicy | None
) -> tuple[str, ...]:
    """Return sentences on what a verification with this key and policy does not show."""
    sentences = {
        "That what the reply says is true.": True,
        "That the named model made these tokens: replay them to know (L3).": True,
        "That the operator can't read the conversation, or shows everybody the same log: "
        "no witness has cosigned it.": True,
        "That the operator, posing as a fan, did not try prompts until one gave a wanted reply: "
        "there is no public beacon in the seed.": True,
        f"Who stands behind {manifest.creator}: the address is not tied to a person.": True,
        "Anything about what was said, sealed part included: no key was given.": key is None,
        "That creator and log are the ones you mean: no trust policy was given.": policy is None,
        "That the message's number was not chosen: on this surface the operator numbers the "
        "messages.": receipt.numbering == "operator",
        "That a replay is exact: the operator's machine failed the self-check, and the receipt "
        "says so.": receipt.model.verdict == "tolerant",
    }
    return tuple(sentence for sentence, holds in sentences.items() if holds)
