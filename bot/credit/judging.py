"""What is said of a disputed reply: its proof is verified and the reply made once more.

By the same code that an outsider runs, on the engine that serves; nobody has to trust that, because
whoever holds the link can replay it on a machine of their own.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.errors import VerificationError
from bot.generation.verdict import Calibration, Verdict
from bot.ports.models import ServedModels
from bot.ports.proofs import ProofSource
from bot.ports.stores import StoredReply
from bot.receipts.verify import VerifiedReceipt, verify_bundle
from bot.twins.replay import Finding, assess, replay

LOOK_S, PATIENCE_S = 0.5, 300.0
SAME = "The reply was made once more and came out the same, token by token."
FIXED = "This is a fixed answer: its proof is in order, and there is nothing to make again."


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found; `sentence` is for the fan."""

    upheld: bool
    sentence: str


class JudgeReply:
    """The use case.

    Args:
        proofs: bundles, as they are served.
        models: that answer fans.
        calibration_of: returns the thresholds of a model, by the SHA-256 of its file.
        library: name and version of the library that the engines run.
        busy: whether replies are being made: a replay waits for a quiet moment, not for ever.
    """

    def __init__(
        self,
        *,
        proofs: ProofSource,
        models: ServedModels,
        calibration_of: Callable[[bytes], Calibration],
        library: str,
        busy: Callable[[], bool],
    ) -> None:
        self._proofs = proofs
        self._models = models
        self._calibration_of = calibration_of
        self._library = library
        self._busy = busy

    async def judge(self, reply: StoredReply) -> Judgement | None:
        """Judge a reply; None while its model is not here, or its proof can't be put together.

        Raises:
            TransientError: the engine can't do it now.
        """
        bundle = await self._proofs.bundle(reply.receipt_id)
        if bundle is None:
            return None
        try:
            verified = verify_bundle(
                bundle, key=reply.opening_key, policy=None, receipt_id=reply.receipt_id
            )
        except VerificationError as error:
            return Judgement(upheld=True, sentence=f"Its proof is false: {error.reason}.")
        if verified.receipt.rule is not None:
            return Judgement(upheld=False, sentence=FIXED)
        served = self._models.of(verified.manifest.model.gguf)
        if served is None:
            return None
        await self._quiet()
        try:
            outcome = await replay(verified, engine=served.engine, model_sha256=served.terms.gguf)
        except VerificationError as error:
            return Judgement(upheld=True, sentence=f"Its proof is false: {error.reason}.")
        return self._weigh(
            verified,
            assess(
                verified,
                outcome,
                library=self._library,
                calibration=self._calibration_of(served.terms.gguf),
            ),
        )

    def _weigh(self, verified: VerifiedReceipt, finding: Finding) -> Judgement:
        match finding.verdict:
            case Verdict.EXACT:
                return Judgement(upheld=False, sentence=SAME)
            case Verdict.INCONSISTENT:
                name = verified.manifest.name
                found = f"{name}'s reply did not come out again: {finding.reason}."
                return Judgement(upheld=True, sentence=found)
            case Verdict.CONSISTENT:
                found = f"The reply was made once more: {finding.reason}."
                return Judgement(upheld=False, sentence=found)
            case _:
                return Judgement(
                    upheld=False,
                    sentence="The replay could not decide it, which counts as no mistake: "
                    f"{finding.reason}. With your proof link anybody can replay it elsewhere.",
                )

    async def _quiet(self) -> None:
        """Wait until nobody is being answered, at most for a while."""
        for _ in range(int(PATIENCE_S / LOOK_S)):
            if not self._busy():
                return
            await asyncio.sleep(LOOK_S)
