"""What the store of models means for the operator: findings of the check-up, pure."""

from collections.abc import Collection, Sequence

from bot.domain.manifest import Manifest
from bot.domain.model_record import ModelRecord
from bot.ports.checks import Finding, State

CHECK = "models"


def judge_store(records: Sequence[ModelRecord], faults: Sequence[str]) -> list[Finding]:
    """Say which models were added beside the service's own; without any there is nothing to say."""
    findings = [
        Finding(CHECK, State.FAULT, fault, "twinproof model list shows what is there.")
        for fault in faults
    ]
    tolerant = [record.name for record in records if not record.is_exact]
    if records:
        names = ", ".join(record.name for record in records)
        findings.append(Finding(CHECK, State.OK, f"{len(records)} in the store: {names}."))
    if tolerant:
        findings.append(
            Finding(
                CHECK,
                State.WARNING,
                f"not Q8_0, for which exact replay was measured: {', '.join(tolerant)}.",
                "Add the Q8_0 files of these models, if replies are to be replayed bit for bit.",
            )
        )
    return findings


def judge_twins(newest: Sequence[Manifest], here: Collection[bytes]) -> list[Finding]:
    """Name the published twins whose model is not on this machine."""
    return [
        Finding(
            CHECK,
            State.FAULT,
            f"the twin {manifest.slug} rests: its model {manifest.model.name} with SHA-256 "
            f"{manifest.model.gguf.hex()} is not here.",
            "Add that file with twinproof model add, or have a version on another model signed.",
        )
        for manifest in newest
        if manifest.model.gguf not in here
    ]
