"""What an operator's check-up says about the log and its witnesses. Nothing is written."""

from pathlib import Path

from bot.config import Settings
from bot.ports.checks import Finding, State
from bot.ports.transparency import CosignatureStore, StoredCosignature
from bot.transparency.cosigning import Standing, WitnessReport
from bot.wiring.keys import ServiceKeys
from bot.wiring.own_log import KEYS, WHAT_TO_DO, open_log
from bot.wiring.stores import DATABASE, open_stores


class _Dropped(CosignatureStore):
    """Keeps nothing: a check-up writes nothing."""

    async def add(self, cosignature: StoredCosignature) -> None:
        """Drop it."""
        del cosignature

    async def latest(self, witness: bytes) -> StoredCosignature | None:
        """Return nothing."""
        del witness
        return None


async def look_at_log(settings: Settings) -> list[Finding]:
    """Ask each witness how it stands to the newest head; without witnesses there is no line."""
    from adapters.host.system import SystemClock

    folder = settings.service.data_dir
    if not settings.log.witnesses:
        return []
    if not (folder / DATABASE).exists():
        return [Finding("witnesses", State.SKIPPED, "they are asked when there is a log.")]
    async with open_stores(folder, read_only=True) as stores:
        async with stores.replies.reading() as tx:
            seals, head = await tx.seals(), await tx.latest_checkpoint()
        keys = _keys(folder, list(seals))
        async with open_log(
            settings.log,
            folder,
            log=keys.log_verifier,
            kept=_Dropped(),
            clock=SystemClock(),
            asking=False,
        ) as opened:
            if head is None:
                return [Finding("witnesses", State.SKIPPED, "no head was signed yet.")]
            reports = await opened.cosigning.examine(head)
    return judge_witnesses(reports, settings.log.quorum)


def _keys(folder: Path, seals: list[bytes]) -> ServiceKeys:
    return ServiceKeys.load(folder / KEYS, fresh=False).with_log(folder / KEYS, seals)


def judge_witnesses(reports: dict[str, WitnessReport], needed: int) -> list[Finding]:
    """Judge how witnesses stand to the log."""
    found = []
    for name, report in reports.items():
        said = report.standing.value + (f": {report.sentence}" if report.sentence else "")
        line = f"witness {name}"
        if report.standing.is_alarming:
            found.append(Finding(line, State.FAULT, f"{said}.", WHAT_TO_DO))
        elif report.standing is Standing.COSIGNED:
            found.append(Finding(line, State.OK, f"{said} the head of {report.size} leaves."))
        else:
            advice = "Ask whoever runs it; the log goes on without it."
            found.append(Finding(line, State.WARNING, f"{said}.", advice))
    cosigned = sum(one.standing is Standing.COSIGNED for one in reports.values())
    if cosigned < needed:
        said = f"{cosigned} of the {needed} that are needed have cosigned the newest head."
        advice = "Proofs of new replies are unwitnessed until enough of them have."
        found.append(Finding("witnesses", State.WARNING, said, advice))
    return found
